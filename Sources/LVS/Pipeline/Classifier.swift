// Frames that are not plain packets of TCP or UDP over IPv4: IPv6 as well.

extension Worker {
    /// The verdict of a frame by its kind (ipvs-semantics 0.2 steps 1 and 2, 6.5).
    func classify(
        _ packet: Packet, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        let services = path.services
        // A family without a service is left alone altogether (ipvs-semantics 0.1).
        guard services.hasServices(packet.family) else {
            listener?.note(.notScheduled(.noServiceOfFamily))
            return .pass
        }
        switch packet.kind {
        case .arp, .other:
            listener?.note(.notScheduled(.notFlow))
            return .pass
        case .malformed: return .drop(.malformedHeader)
        case .flow, .security: return lookUp(packet, index, &burst, path)
        case .short: return followShort(packet, index, &burst, path)
        case .icmpError: return lookUpError(packet, index, &burst, path)
        case .icmpOther:
            if let verdict = lookUpParameterProblem(packet, index, &burst, path) { return verdict }
            listener?.note(.notScheduled(.notFlow))
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

    /// A packet that ends within its transport header: one with its ports belongs to a connection all
    /// the same, on which it is counted; only NAT needs the whole header.
    private func followShort(
        _ packet: Packet, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        guard packet.portWord != 0, unsafe packet.hasRightHeaderChecksum(burst[index].bytes),
            let match = path.table.find(packet.tuple, now: path.now)
        else { return admit(packet, index, &burst, path) }
        note(.packet, packet.tuple, match, path)
        let connection = match.connection
        let number = connection.destination
        guard match.direction == .inbound else { return .drop(.headerTooShort) }
        guard number != Destination.none, path.cells[number].isAvailable else {
            return .drop(.serverGone)
        }
        guard connection.method != .masquerading else {
            account(connection, packet, .inbound, path)
            return .drop(.headerTooShort)
        }
        return depart(connection, .inbound, packet, index, &burst, path)
    }

    /// A flow with IP options, which are dealt with before anything else is (the kernel's order).
    private func recordOptions(
        _ packet: Packet, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        let services = path.services
        let flow = packet.withoutOptions
        let header = unsafe burst[index].bytes + Int(packet.networkOffset)
        if packet.isIPv6 {
            let length = unsafe (Int(header.byte(41)) + 1) * 8
            // The host drops the others, and tells the sender when they ask for it.
            guard unsafe HopByHopOptions.areFine(header + 40, length: length) else {
                return services.pass(flow)
            }
            return lookUp(flow, index, &burst, path)
        }
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
