/// One of the director's own marking rules: packets that all of it applies to carry the mark, unless
/// a later rule says otherwise, as with netfilter's MARK target.
package struct MarkRule: Hashable, Sendable {
    /// IPv4 addresses that begin alike.
    package struct Prefix: Hashable, Sendable {
        /// The bits behind `length` are 0.
        package var address: IPAddress
        /// 0 is every address.
        package var length: UInt8

        package init(address: IPAddress, length: UInt8) {
            let mask = length == 0 ? 0 : UInt32.max << UInt32(32 - min(length, 32))
            self.address = IPAddress(v4: address.v4 & mask)
            self.length = min(length, 32)
        }

        var mask: UInt32 { length == 0 ? 0 : UInt32.max << UInt32(32 - length) }

        static let all = Prefix(address: .anyV4, length: 0)
    }

    /// TCP or UDP; nil is both.
    package var transport: TransportProtocol?
    package var source: Prefix?
    package var destination: Prefix?
    /// Host order; none is every port.
    package var sourcePorts: [ClosedRange<UInt16>] = []
    package var destinationPorts: [ClosedRange<UInt16>] = []
    /// Name of the interface the packet comes in by; nil is any.
    package var interface: String?
    package var mark: UInt32

    package init(mark: UInt32) { self.mark = mark }

    /// Longest block of addresses that a rule may name as destination, as a prefix length: the host's
    /// stack is kept from each of them.
    private static let shortestDestination: UInt8 = 24
    /// With more ports than this the host's stack is kept from all of them, and gets the others by
    /// the door.
    private static let portsKeptApart = 16

    /// What the host's stack must not see because of the rule: what it marks, and sometimes more.
    var endpoints: [ServedTraffic.Endpoint] {
        guard let destination else { return [] }
        let transports = transport.map { [$0] } ?? [.tcp, .udp]
        let count = destinationPorts.reduce(0) { $0 + $1.count }
        let isExact = (1...MarkRule.portsKeptApart).contains(count)
        let ports = isExact ? destinationPorts.flatMap(Array.init) : [0]
        let addresses = 0...(~destination.mask)
        return addresses.flatMap { offset in
            transports.flatMap { transport in
                ports.map { port in
                    ServedTraffic.Endpoint(
                        address: IPAddress(v4: destination.address.v4 | offset),
                        transport: transport, port: port)
                }
            }
        }
    }

    /// Says what the director cannot do about a rule.
    func check() throws(CommandRefusal) {
        guard let destination, destination.length >= MarkRule.shortestDestination else {
            throw .notSupported(
                "a mark rule without -d, or with a prefix shorter than "
                    + "/\(MarkRule.shortestDestination)")
        }
        guard transport == nil || transport == .tcp || transport == .udp else {
            throw .notSupported("mark rules for other protocols than tcp and udp")
        }
        guard transport != nil || (sourcePorts.isEmpty && destinationPorts.isEmpty) else {
            throw .invalid("a mark rule with ports needs -p tcp or -p udp")
        }
    }
}
