/// The tuple a packet is looked up by: IPv4 addresses, ports and transport protocol.
///
/// Addresses and ports are kept as the little-endian number of their wire bytes, source in the low
/// half, so that a key is loaded from a header without any rearranging.
package struct ConnectionKey: Hashable, Sendable {
    package var addresses: UInt64
    package var ports: UInt32
    package var transport: UInt8

    @inline(__always)
    package init(addresses: UInt64, ports: UInt32, transport: UInt8) {
        self.addresses = addresses
        self.ports = ports
        self.transport = transport
    }

    /// The key of a packet from `source` to `destination`; both addresses are IPv4, ports host order.
    package init(
        source: IPAddress, sourcePort: UInt16, destination: IPAddress, destinationPort: UInt16,
        transport: TransportProtocol
    ) {
        addresses =
            UInt64(source.v4.byteSwapped) | UInt64(destination.v4.byteSwapped) << 32
        ports = UInt32(sourcePort.byteSwapped) | UInt32(destinationPort.byteSwapped) << 16
        self.transport = transport.rawValue
    }

    /// The key of a packet the other way.
    package var reversed: ConnectionKey {
        ConnectionKey(
            addresses: addresses << 32 | addresses >> 32, ports: ports << 16 | ports >> 16,
            transport: transport)
    }

    package var source: IPAddress {
        IPAddress(v4: UInt32(truncatingIfNeeded: addresses).byteSwapped)
    }
    package var destination: IPAddress {
        IPAddress(v4: UInt32(truncatingIfNeeded: addresses >> 32).byteSwapped)
    }
    package var sourcePort: UInt16 { UInt16(truncatingIfNeeded: ports).byteSwapped }
    package var destinationPort: UInt16 { UInt16(truncatingIfNeeded: ports >> 16).byteSwapped }

    /// Two rounds of multiply and fold with 128 secret bits (swift-data-plane 2.5).
    @inline(__always)
    func hash(_ seed: (UInt64, UInt64)) -> UInt64 {
        let flow = UInt64(ports) | UInt64(transport) << 32
        let first = (addresses ^ seed.0).multipliedFullWidth(by: flow ^ seed.1)
        let mixed = first.high ^ first.low
        let second = (mixed ^ seed.1).multipliedFullWidth(by: seed.0 ^ 0x9e37_79b9_7f4a_7c15)
        return second.high ^ second.low
    }
}

/// Which way a packet goes: from the client, or from the real server.
package enum Direction: UInt8, Sendable {
    case inbound = 0
    case outbound = 1
}
