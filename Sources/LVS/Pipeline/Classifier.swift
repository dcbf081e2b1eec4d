// Frames that are not whole TCP or UDP packets over IPv4.

extension Worker {
    /// The verdict of a frame by its kind (ipvs-semantics 0.2 steps 1 and 2, 6.5).
    func classify(
        _ packet: Packet, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        let services = path.services
        switch packet.kind {
        case .arp, .other: return .pass
        case .malformed: return .drop(.malformedHeader)
        case .flow where packet.isIPv4, .security where packet.isIPv4:
            return lookUp(packet, index, &burst, path)
        case .flow, .security, .short: return admit(packet, index, &burst, path)
        case .icmpError: return lookUpError(packet, index, &burst, path)
        case .icmpOther:
            // The ingress block takes parameter problems for errors about connections; IPVS leaves
            // them alone, so the host gets them by the door.
            return packet.icmpType == 12 && services.isServiceAddress(nil, packet.destination)
                ? .passThroughDoor : .pass
        case .optioned: return recordOptions(packet, index, &burst, path)
        case .fragment:
            // Forwarding puts no pieces together, and AH and ESP need no ports.
            if packet.isSecurity, services.isReply(packet) {
                return lookUp(packet.asWholeSecurity, index, &burst, path)
            }
            return reassemble(packet, index, &burst, path)
        }
    }

    /// A flow with IP options, which are dealt with before anything else is (the kernel's order).
    private func recordOptions(
        _ packet: Packet, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        let services = path.services
        let flow = packet.withoutOptions
        let header = unsafe burst[index].bytes + Int(packet.networkOffset)
        let destination = packet.destination
        let isHere = services.isServiceAddress(nil, destination) || services.isHost(destination)
        guard unsafe packet.hasRightHeaderChecksum(burst[index].bytes) else {
            return .drop(.malformedHeader)
        }
        // What is not ours stays as it came: the host does the same with it.
        guard isHere || services.isServerAddress(packet.flowTransport, packet.source) else {
            return lookUp(flow, index, &burst, path)
        }
        let own = isHere ? destination : ownAddress(towards: destination, path) ?? destination
        switch unsafe IPOptions.record(
            header, length: packet.networkHeaderLength, address: own, now: path.now)
        {
        case .fine: return lookUp(flow, index, &burst, path)
        case .sourceRouted: return .drop(.sourceRoute)
        // The host tells the sender which byte is wrong.
        case .malformed: return services.pass(flow)
        }
    }
}
