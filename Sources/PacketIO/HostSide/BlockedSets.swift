internal import LVS

/// `ServedTraffic` as the sets that a packet filter looks things up in.
struct BlockedSets: Equatable {
    /// An address, with a protocol and a port where the set has them.
    struct Element: Hashable {
        var address: IPAddress
        var transport: UInt8?
        var port: UInt16?
    }

    /// The sets by name; each exists once for each family (`services4`, `services6`).
    enum Name: String, CaseIterable {
        /// Destination address, protocol and port of what is served.
        case services
        /// Destination address and protocol served on every port.
        case everyPort = "services_any"
        /// Destination address and protocol of which fragments without ports are served.
        case fragments
        /// Destination addresses whose ICMP errors are served.
        case errors
        /// Source address, protocol and port of real servers.
        case servers
        /// Source address and protocol of real servers on every port.
        case everyServerPort = "servers_any"
        /// Source address and protocol of real servers, for fragments without ports.
        case replies
        /// Destination address, protocol and port of the packet that an ICMP error quotes.
        case quoted
        /// The same where a server is one on every port.
        case quotedEveryPort = "quoted_any"
        /// Destination address of a quoted packet whose ports lie behind options.
        case quotedAddress = "quoted_address"
        /// As `quoted` and `quotedEveryPort`, of packets in the director's tunnels.
        case tunnels
        case tunnelsWithoutPort = "tunnels_any"
        /// The host's own addresses: what real servers send to them is the host's, unless FULLNAT
        /// uses them.
        case host
        /// Local addresses of FULLNAT.
        case locals

        /// What the elements hold besides the address.
        var hasTransport: Bool { ![.errors, .host, .locals, .quotedAddress].contains(self) }
        var hasPort: Bool { [.services, .servers, .quoted, .tunnels].contains(self) }
        /// Whether it is looked up with bytes of a quoted packet.
        var isQuoted: Bool {
            [.quoted, .quotedEveryPort, .quotedAddress, .tunnels, .tunnelsWithoutPort]
                .contains(self)
        }
    }

    private(set) var sets: [Name: Set<Element>] = [:]
    /// What is served in blocks of addresses and ports, which no set holds.
    private(set) var blocks: Set<ServedTraffic.Block> = []

    init() {}

    init(_ served: ServedTraffic) {
        for endpoint in served.services.flatMap(\.withSecurity) {
            add(endpoint, ports: .services, everyPort: .everyPort, fragments: .fragments)
            sets[.errors, default: []].insert(Element(address: endpoint.address))
        }
        for endpoint in served.servers.flatMap(\.withSecurity) {
            add(endpoint, ports: .servers, everyPort: .everyServerPort, fragments: .replies)
            sets[.quotedAddress, default: []].insert(Element(address: endpoint.address))
        }
        sets[.quoted] = sets[.servers]
        sets[.quotedEveryPort] = sets[.everyServerPort]
        for tunnel in served.tunnels {
            let hasPort = tunnel.port != 0
            sets[hasPort ? .tunnels : .tunnelsWithoutPort, default: []].insert(
                Element(
                    address: tunnel.address, transport: tunnel.transport.rawValue,
                    port: hasPort ? tunnel.port : nil))
        }
        sets[.host] = Set(served.hostsAlone.map { Element(address: $0) })
        sets[.locals] = Set(served.locals.map { Element(address: $0) })
        blocks = served.blocks
    }

    /// Takes in all that other sets hold; costs what they hold.
    mutating func formUnion(_ other: BlockedSets) {
        for (name, elements) in other.sets { sets[name, default: []].formUnion(elements) }
        sets[.host]?.subtract(other.elements(.locals))
        blocks.formUnion(other.blocks)
    }

    /// What these lose by a union with others: addresses of the host that become local ones.
    func endedByUnion(with other: BlockedSets) -> BlockedSets {
        var ended = BlockedSets()
        ended.sets[.host] = elements(.host).intersection(other.elements(.locals))
        return ended
    }

    /// Without what other sets hold; costs what is in these.
    func subtracting(_ other: BlockedSets) -> BlockedSets {
        var rest = BlockedSets()
        for (name, elements) in sets {
            rest.sets[name] = elements.subtracting(other.elements(name))
        }
        rest.blocks = blocks.subtracting(other.blocks)
        return rest
    }

    subscript(name: Name, family: AddressFamily) -> [Element] {
        elements(name).filter { $0.address.family == family }
    }

    /// The blocks of a family, in an order that is always the same.
    func blocks(_ family: AddressFamily) -> [ServedTraffic.Block] {
        blocks.filter { $0.network.address.family == family }.sorted {
            let (one, other) = ($0.network.address, $1.network.address)
            return (
                one.high, one.low, $0.network.length, $0.transport.rawValue, $0.ports.lowerBound
            )
                < (
                    other.high, other.low, $1.network.length, $1.transport.rawValue,
                    $1.ports.lowerBound
                )
        }
    }

    var isEmpty: Bool { sets.values.allSatisfy(\.isEmpty) && blocks.isEmpty }

    func elements(_ name: Name) -> Set<Element> { sets[name] ?? [] }

    private mutating func add(
        _ endpoint: ServedTraffic.Endpoint, ports: Name, everyPort: Name, fragments: Name
    ) {
        let transport = endpoint.transport.rawValue
        let whole = Element(address: endpoint.address, transport: transport)
        sets[fragments, default: []].insert(whole)
        if endpoint.port == 0 {
            sets[everyPort, default: []].insert(whole)
        } else {
            sets[ports, default: []].insert(
                Element(address: endpoint.address, transport: transport, port: endpoint.port))
        }
    }
}
