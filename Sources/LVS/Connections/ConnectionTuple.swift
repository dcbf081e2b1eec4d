/// A packet's tuple with its addresses in full: what connections are looked up by.
///
/// The table stores the small `ConnectionKey` made of it. For IPv4 that says all; for IPv6 it holds a
/// digest of the addresses, and the full ones are compared where it matches.
package struct ConnectionTuple: Hashable, Sendable {
    package var source: IPAddress
    package var destination: IPAddress
    /// The four port bytes as a little-endian number, source in the low half.
    package var ports: UInt32
    /// Protocol number; that of a template carries `Connection.templateBit`.
    package var transport: UInt8
    /// Tells templates apart that are equal otherwise, by what a persistence engine found; 0 without
    /// one.
    package var tag: UInt64 = 0

    /// Ports are host order.
    package init(
        source: IPAddress, sourcePort: UInt16, destination: IPAddress, destinationPort: UInt16,
        transport: TransportProtocol
    ) {
        self.init(
            source: source, destination: destination,
            ports: UInt32(sourcePort.byteSwapped) | UInt32(destinationPort.byteSwapped) << 16,
            transport: transport.rawValue)
    }

    package init(source: IPAddress, destination: IPAddress, ports: UInt32, transport: UInt8) {
        self.source = source
        self.destination = destination
        self.ports = ports
        self.transport = transport
    }

    /// The tuple that an IPv4 key stands for.
    package init(_ key: ConnectionKey) {
        self.init(
            source: key.source, destination: key.destination, ports: key.ports,
            transport: key.transport)
    }

    /// The tuple of a packet the other way.
    package var reversed: ConnectionTuple {
        ConnectionTuple(
            source: destination, destination: source, ports: ports << 16 | ports >> 16,
            transport: transport)
    }

    /// True when a key cannot say all of it.
    package var isWide: Bool { !source.isV4 || !destination.isV4 || tag != 0 }
}

extension ConnectionKey {
    /// Tells keys with a digest from those with IPv4 addresses; inverted, not set, in the protocol
    /// number, of which that of SCTP has the bit itself.
    static let wideBit: UInt8 = 0x80

    /// The key under which a table with this seed keeps a tuple.
    package init(_ tuple: ConnectionTuple, seed: (UInt64, UInt64)) {
        guard tuple.isWide else {
            self.init(
                addresses: UInt64(tuple.source.v4.byteSwapped)
                    | UInt64(tuple.destination.v4.byteSwapped) << 32,
                ports: tuple.ports, transport: tuple.transport)
            return
        }
        self.init(
            addresses: ConnectionKey.digest(tuple.source, tuple.destination, seed) ^ tuple.tag,
            ports: tuple.ports, transport: tuple.transport ^ ConnectionKey.wideBit)
    }

    /// Multiply and fold, two words a round, with 128 secret bits (swift-data-plane 2.5).
    static func digest(
        _ source: IPAddress, _ destination: IPAddress, _ seed: (UInt64, UInt64)
    ) -> UInt64 {
        func fold(_ left: UInt64, _ right: UInt64) -> UInt64 {
            let product = left.multipliedFullWidth(by: right)
            return product.high ^ product.low
        }
        let first = fold(source.high ^ seed.0, source.low ^ seed.1)
        let second = fold(
            destination.high ^ seed.1 ^ 0x9e37_79b9_7f4a_7c15, destination.low ^ first)
        return fold(first ^ seed.0, second ^ seed.1)
    }
}

extension ConnectionTable {
    /// The key under which this table keeps a tuple.
    package func key(_ tuple: ConnectionTuple) -> ConnectionKey {
        ConnectionKey(tuple, seed: seed)
    }

    /// The key by which this table knows a packet; of no meaning for packets that are not IP.
    @inline(__always)
    package func key(of packet: Packet) -> ConnectionKey {
        packet.isIPv6 ? key(packet.tuple) : packet.key
    }
}

extension Connection {
    /// True when a direction's tuple is this one, given that the keys are equal.
    @inline(__always)
    func confirms(_ tuple: ConnectionTuple, _ direction: Direction) -> Bool {
        guard isWide else { return true }
        return direction == .inbound
            ? client == tuple.source && virtual == tuple.destination && engineTag == tuple.tag
            : replySource == tuple.source && replyDestination == tuple.destination
    }
}
