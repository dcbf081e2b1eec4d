extension ServiceTable {
    /// How a frame reaches the host's stack: it has it already, or the ingress block kept it from it
    /// and it goes through the host door (the rules of `ServedTraffic`).
    package func pass(_ packet: Packet) -> Verdict {
        keepsFromHost(packet) ? .passThroughDoor : .pass
    }

    private func keepsFromHost(_ packet: Packet) -> Bool {
        let destination = packet.destination
        switch packet.kind {
        case .flow, .optioned:
            return isService(packet.transport, destination, port: packet.destinationPort)
                || (isServer(packet.transport, packet.source, port: packet.sourcePort)
                    && !isHost(destination))
        case .fragment, .short:
            return isServiceAddress(packet.transport, destination)
                || (isServerAddress(packet.transport, packet.source) && !isHost(destination))
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
        let isForHost = isHost(error.destination)
        guard let (transport, port) = quoted.endpoint else {
            return !isForHost && isServerAddress(nil, quoted.address)
        }
        return isTunnel(transport, quoted.address, port: port)
            || (!isForHost && isServer(transport, quoted.address, port: port))
    }
}
