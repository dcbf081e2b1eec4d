// Packets of real servers on the director's own host that are none of the director's business.

extension Worker {
    /// What becomes of a frame that is the host's: one that came from the host goes on its way.
    ///
    /// The host has led it into the door because of its source (see `ServedTraffic.servers`): a reply
    /// to somebody who asked the server by its own address. There is no way back, since the host takes
    /// nothing from outside that claims to come from itself.
    func leaveToHost(
        _ verdict: Verdict, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        guard path.services.isDoor(burst[index].ingress) else { return verdict }
        var frame = burst[index]
        let packet = Packet(parsing: frame)
        guard packet.ipLength != 0 else { return .drop(.malformedHeader) }
        let number = path.hops.resolve(packet.destination, from: packet.source)
        let hop = path.hops[number]
        switch hop.word.kind {
        case .noRoute: return .drop(.noRoute)
        // For another server of the host's, or for the host itself.
        case .local: return .passThroughDoor
        case .unresolved, .resolved: break
        }
        unsafe DirectRouting.rewrite(frame.bytes, packet)
        let isTooLong = length(frame, packet) > Int(hop.mtu)
        guard isTooLong else {
            let sent = send(&frame, number, path)
            burst[index] = frame
            return sent
        }
        guard frame.segmentSize == 0, !packet.isIPv6 else { return .drop(.tooLongForRoute) }
        unsafe Offload.complete(&frame, packet)
        return sendFragments(
            frame, at: Int(packet.networkOffset), longest: Int(hop.mtu), to: number, index, &burst,
            path)
    }
}
