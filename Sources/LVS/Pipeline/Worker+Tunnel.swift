// Packets on their way into tunnels (ipvs-semantics 6.4).

extension Worker {
    /// What wraps a packet of a connection, as its real server is configured now; nil when the host
    /// has no address for the way.
    func tunnel(
        of connection: Connection, from hop: NextHop, _ frame: Frame, _ packet: Packet,
        _ path: FastPath
    ) -> Tunnel? {
        guard let source = hop.preferredSource else { return nil }
        let number = connection.destination
        let encapsulation =
            number == Destination.none ? .ipip : path.cells[number].encapsulation
        var tunnel = Tunnel(
            source: source, destination: connection.real,
            copiesDontFragment: parts.settings.discoversPathMTU, encapsulation: encapsulation)
        tunnel.isPartial =
            encapsulation.takesPartialChecksum && frame.checksum == .partial
            && frame.checksumStart == packet.transportOffset
        return tunnel
    }

    /// The longest packet, outer headers included, that a connection's real server can get, bytes.
    func pathMTU(to connection: Connection, over hop: NextHop, _ path: FastPath) -> UInt32 {
        let real = connection.real
        return real.isV4 ? parts.commons.pathMTU(to: real, width: hop.mtu, now: path.now) : hop.mtu
    }

    /// Cuts a super-frame and sends every segment in a packet of its own.
    func encapsulateSegments(
        _ tunnel: Tunnel, _ packet: Packet, _ hop: NextHop, _ index: Int, _ burst: inout Burst
    ) -> Verdict {
        let frame = burst[index]
        let word = hop.word
        guard let cut = Offload.cut(frame, packet) else { return .drop(.malformedHeader) }
        guard word.isResolved else { return .drop(.noNeighbour) }
        unsafe DirectRouting.rewrite(frame.bytes, packet)
        unsafe hop.writeHardware(word, frame.bytes)
        let whole = tunnel.wrapSegments(
            cut, frame, packet, cause: index, verdict: .send(word.port), burst: &burst,
            identifications: &identifications)
        for _ in 0..<cut.count { tally.countMade() }
        return whole ? .consumed : .drop(.madeFramesUsedUp)
    }
}
