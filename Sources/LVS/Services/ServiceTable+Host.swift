extension ServiceTable {
    /// How a frame reaches the host's stack: it has it already, or the ingress block kept it from it
    /// and it goes through the host door (the four rules of `ServedTraffic`).
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
            // Of ICMPv6 the ingress block knows the errors that there are (`ServedTraffic`).
            return isServiceAddress(nil, destination) && (!packet.isIPv6 || packet.icmpType <= 4)
        case .icmpOther, .arp, .other, .malformed:
            return false
        }
    }
}
