extension ServiceTable {
    /// How a frame reaches the host's stack: it has it already, or the ingress block kept it from it
    /// and it goes through the host door (the rules of `ServedTraffic`).
    package func pass(_ packet: Packet) -> Verdict {
        keepsFromHost(packet) ? .passThroughDoor : .pass
    }

    /// True for what a NAT server sends to somebody else than the host, by its ports.
    func isReply(_ packet: Packet) -> Bool {
        let port = packet.isSecurity ? 500 : packet.sourcePort
        return isServer(packet.flowTransport, packet.source, port: port)
            && !isHostsAlone(packet.destination)
    }

    private func keepsFromHost(_ packet: Packet) -> Bool {
        let destination = packet.destination
        switch packet.kind {
        case .flow, .optioned, .security:
            return isService(packet.flowTransport, destination, port: packet.destinationPort)
                || isReply(packet)
        case .fragment where packet.isSecurity:
            return isService(.udp, destination, port: 500) || isReply(packet)
        case .fragment, .short:
            return isServiceAddress(packet.transport, destination)
                || (isServerAddress(packet.transport, packet.source)
                    && !isHostsAlone(destination))
        case .icmpError:
            return isServiceAddress(nil, destination)
                || quotesOurs(packet)
        case .icmpOther, .arp, .other, .malformed:
            return false
        }
    }

    /// True for an error about a packet in a tunnel of the director's, or to a NAT server when it is
    /// not for the host itself.
    private func quotesOurs(_ error: Packet) -> Bool {
        guard let quoted = error.quotedDestination else { return false }
        let isForHost = isHostsAlone(error.destination)
        guard let (transport, port) = quoted.endpoint else {
            return !isForHost && isServerAddress(nil, quoted.address)
        }
        if isTunnel(transport, quoted.address, port: port) { return true }
        guard !isForHost else { return false }
        let isSecurity = transport.rawValue == 50 || transport.rawValue == 51
        return isSecurity
            ? isServer(.udp, quoted.address, port: 500)
            : isServer(transport, quoted.address, port: port)
    }
}
