package import LVS

/// The network around a replayed director: its interfaces as ports, routes, and who answers where.
///
/// What a sheet does not say is assumed, and said in `assumptions`: an Ethernet address and an MTU for
/// each interface; with no address and no route at all, real servers on the link of the last
/// interface, clients behind a gateway on the first one, and the virtual addresses as the host's own.
/// Neighbours that the sheet does not name have made-up addresses.
package struct ReplayNetwork: Hashable, Sendable {
    package private(set) var ports: [Port] = []
    package private(set) var routes: [Route] = []
    package private(set) var hostAddresses: Set<IPAddress> = []
    package private(set) var neighbours: [Neighbour: HardwareAddress] = [:]
    /// Interfaces whose Ethernet address the sheet gives.
    package private(set) var knownHardware: Set<PortIndex> = []
    /// What was assumed, a sentence each.
    package private(set) var assumptions: [String] = []

    /// Most interfaces, as many as a director serves.
    package static let mostPorts = 62

    /// Takes a sheet over; `names` are the interfaces of the captures, which come first.
    package init(
        _ given: NetworkSheet, names: [String], services: [VirtualService], servers: [IPAddress]
    ) throws(NetworkSheet.Mistake) {
        var sheet = given
        var order = NetworkSheet()
        for name in names { _ = order.number(of: name) }
        for link in sheet.links {
            order.links[order.number(of: link.name)] = link
        }
        sheet.links = order.links
        guard !sheet.links.isEmpty, sheet.links.count <= ReplayNetwork.mostPorts else {
            throw NetworkSheet.Mistake(
                description: "\(sheet.links.count) interfaces: 1 to \(ReplayNetwork.mostPorts) are "
                    + "accepted")
        }
        for (index, link) in sheet.links.enumerated() {
            ports.append(
                Port(
                    index: PortIndex(index), name: link.name,
                    hardware: link.hardware ?? HardwareAddress.made(forPort: index),
                    mtu: link.mtu ?? 1500))
            if link.hardware != nil { knownHardware.insert(PortIndex(index)) }
        }
        addOwn(sheet)
        try addRoutes(sheet)
        for neighbour in sheet.neighbours {
            let port = PortIndex(sheet.number(of: neighbour.link))
            neighbours[Neighbour(port: port, address: neighbour.address)] = neighbour.hardware
        }
        if sheet.addresses.isEmpty, sheet.routes.isEmpty { assume(services, servers) }
    }

    private mutating func addOwn(_ given: NetworkSheet) {
        var sheet = given
        for own in sheet.addresses {
            let port = PortIndex(sheet.number(of: own.link))
            hostAddresses.insert(own.address)
            routes.append(
                Route(
                    prefix: own.address, prefixLength: own.address.isV4 ? 32 : 128, kind: .local))
            routes.append(
                Route(
                    prefix: own.address.prefix(own.length), prefixLength: own.length,
                    kind: .forward(port: port, gateway: nil), preferredSource: own.address))
        }
    }

    private mutating func addRoutes(_ given: NetworkSheet) throws(NetworkSheet.Mistake) {
        var sheet = given
        for route in sheet.routes {
            let kind: Route.Kind
            var source = route.source
            if route.isRefusing {
                kind = .refused
            } else {
                let own = sheet.addresses.first { own in
                    guard let gateway = route.gateway else { return own.link == route.link }
                    return AddressPrefix(
                        address: own.address.prefix(own.length), length: own.length
                    )
                    .contains(gateway)
                }
                guard let link = route.link ?? own?.link else {
                    throw NetworkSheet.Mistake(
                        description: "route to \(route.prefix)/\(route.length): its gateway is on "
                            + "no interface's network; dev INTERFACE is accepted")
                }
                let port = PortIndex(sheet.number(of: link))
                kind = .forward(port: port, gateway: route.gateway)
                if source == nil {
                    source =
                        sheet.addresses.first {
                            $0.link == link && $0.address.isV4 == route.prefix.isV4
                        }?.address
                }
            }
            routes.append(
                Route(
                    prefix: route.prefix, prefixLength: route.length, kind: kind,
                    preferredSource: source, mtu: route.mtu, metric: route.metric))
        }
    }

    /// What a capture and rules alone leave open.
    private mutating func assume(_ services: [VirtualService], _ servers: [IPAddress]) {
        let first = ports[0]
        let last = ports[ports.count - 1]
        for service in services {
            guard case .address(_, let address, _) = service.key else { continue }
            guard hostAddresses.insert(address).inserted else { continue }
            routes.append(
                Route(prefix: address, prefixLength: address.isV4 ? 32 : 128, kind: .local))
        }
        for server in Set(servers).sorted(by: { ($0.high, $0.low) < ($1.high, $1.low) })
        where !hostAddresses.contains(server) {
            routes.append(
                Route(
                    prefix: server, prefixLength: server.isV4 ? 32 : 128,
                    kind: .forward(port: last.index, gateway: nil)))
        }
        for gateway in [IPAddress.assumedGatewayV4, .assumedGatewayV6] {
            routes.append(
                Route(
                    prefix: gateway.isV4 ? .anyV4 : .anyV6, prefixLength: 0,
                    kind: .forward(port: first.index, gateway: gateway)))
        }
        assumptions.append(
            "no addresses and routes were given: clients are taken to be behind a gateway on "
                + "\(first.name), real servers on the link of \(last.name), and virtual addresses "
                + "to be the director's")
    }

    /// Neighbours that are known from the beginning, always in the same order: those of the sheet, and
    /// the gateways of routes.
    var startingNeighbours: [(Neighbour, HardwareAddress)] {
        var all = Set(neighbours.keys)
        for route in routes {
            guard case .forward(let port, let gateway?) = route.kind else { continue }
            all.insert(Neighbour(port: port, address: gateway))
        }
        return all.sorted {
            ($0.port, $0.address.high, $0.address.low) < ($1.port, $1.address.high, $1.address.low)
        }.map { ($0, hardware(of: $0)) }
    }

    /// Who answers for a neighbour; made up where nobody says.
    func hardware(of neighbour: Neighbour) -> HardwareAddress {
        neighbours[neighbour] ?? HardwareAddress.made(for: neighbour.address)
    }
}

extension IPAddress {
    /// The dummy address of RFC 7600, which no machine has.
    static let assumedGatewayV4 = IPAddress(v4: 0xc000_0008)
    static let assumedGatewayV6 = IPAddress(high: 0xfe80_0000_0000_0000, low: 1)
}

extension HardwareAddress {
    /// A locally administered address for an interface that none is given for.
    static func made(forPort index: Int) -> HardwareAddress {
        HardwareAddress(value: 0x02ff_0000_0000 | UInt64(index + 1))
    }

    /// The same for a neighbour, which ends in the last four bytes of its address.
    static func made(for address: IPAddress) -> HardwareAddress {
        HardwareAddress(value: (address.isV4 ? 0x0200 : 0x0206) << 32 | UInt64(address.v4))
    }
}
