/// What the director takes for its own, and the host's stack therefore must not see: the one source
/// for the ingress block, the XDP map and the classifier's question "has the host got this frame?".
///
/// A frame is kept from the host when it is (packet-io, sections 9 and 11)
/// 1. for a service: destination address, protocol and port stand in `services` (port 0: every port)
///    or in one of `blocks`,
/// 2. a fragment without ports whose destination address and protocol have a service,
/// 3. an ICMP error (types 3, 4, 11, 12; ICMPv6 below 128) to the address of a service,
/// 4. a reply: source address, protocol and port stand in `servers` (NAT only; port 0: every port),
///    or a fragment of such, **unless** its destination is an address of the host itself that is
///    not a local address of FULLNAT as well: what servers send there is the director's, and what
///    belongs to no connection goes on to the host by the door,
/// 5. an ICMP error (types 3, 4, 11; ICMPv6) about a packet to one of `servers`, unless it is for the
///    host itself (as in 4). A quoted packet whose ports lie behind options or extension headers is known by its
///    destination alone,
/// 6. an ICMP error of these types about a packet to one of `tunnels`,
/// 7. AH or ESP where one of these holds for the key exchange, UDP port 500.
package struct ServedTraffic: Hashable, Sendable {
    /// Address, protocol and port (host order).
    package struct Endpoint: Hashable, Sendable {
        package var address: IPAddress
        package var transport: TransportProtocol
        package var port: UInt16

        package init(address: IPAddress, transport: TransportProtocol, port: UInt16) {
            self.address = address
            self.transport = transport
            self.port = port
        }

        /// The endpoint, and those of AH and ESP where it takes their key exchange.
        package var withSecurity: [Endpoint] {
            guard transport == .udp, port == 500 || port == 0 else { return [self] }
            return [self]
                + [50, 51].map {
                    Endpoint(
                        address: address, transport: TransportProtocol(rawValue: $0), port: 0)
                }
        }
    }

    /// What marking rules mark for services by mark, where it is too much to name one by one.
    package struct Block: Hashable, Sendable {
        /// A prefix with a contiguous mask.
        package var network: MarkRule.Prefix
        package var transport: TransportProtocol
        /// Host order.
        package var ports: ClosedRange<UInt16>

        package init(
            network: MarkRule.Prefix, transport: TransportProtocol, ports: ClosedRange<UInt16>
        ) {
            self.network = network
            self.transport = transport
            self.ports = ports
        }
    }

    /// A firewall mark that has a service, in one family.
    package struct Mark: Hashable, Sendable {
        package var value: UInt32
        package var family: AddressFamily

        package init(value: UInt32, family: AddressFamily) {
            self.value = value
            self.family = family
        }
    }

    package var services: Set<Endpoint> = []
    /// Marks of services, for who sees the marks that the host's netfilter puts on packets; what the
    /// marking rules make of them stands in `services` and `blocks`.
    package var marks: Set<Mark> = []
    package var blocks: Set<Block> = []
    package var servers: Set<Endpoint> = []
    /// Where packets in the director's tunnels go to, port 0 where there are no ports.
    package var tunnels: Set<Endpoint> = []
    /// The host's own addresses.
    package var hostAddresses: Set<IPAddress> = []
    /// Local addresses of FULLNAT, whether the host has them or not.
    package var locals: Set<IPAddress> = []

    package init() {}

    /// Where replies of servers are the host's.
    package var hostsAlone: Set<IPAddress> { hostAddresses.subtracting(locals) }

    /// Takes in all of another.
    package mutating func formUnion(_ other: ServedTraffic) {
        services.formUnion(other.services)
        marks.formUnion(other.marks)
        blocks.formUnion(other.blocks)
        servers.formUnion(other.servers)
        tunnels.formUnion(other.tunnels)
        hostAddresses.formUnion(other.hostAddresses)
        locals.formUnion(other.locals)
    }

    package var isEmpty: Bool {
        services.isEmpty && blocks.isEmpty && servers.isEmpty && marks.isEmpty
    }
}

/// Blocks as workers read them: a flat list.
@safe
struct BlockList {
    private let blocks: UnsafeMutablePointer<ServedTraffic.Block>
    private let count: Int

    init(_ blocks: Set<ServedTraffic.Block>) {
        count = blocks.count
        unsafe self.blocks = .allocate(capacity: max(count, 1))
        for (index, block) in blocks.enumerated() {
            unsafe (self.blocks + index).initialize(to: block)
        }
    }

    func deallocate() { unsafe blocks.deallocate() }

    /// Whether a block holds the address, of this protocol and port where they are given.
    func contains(
        _ transport: TransportProtocol?, _ address: IPAddress, port: UInt16? = nil
    ) -> Bool {
        for index in 0..<count {
            let block = unsafe blocks[index]
            if block.network.address.family == address.family, block.network.contains(address),
                transport.map({ $0 == block.transport }) ?? true,
                port.map({ block.ports.contains($0) }) ?? true
            {
                return true
            }
        }
        return false
    }
}
