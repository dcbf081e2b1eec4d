package import LVS

extension RouteMonitor {
    /// The kernel's routes as the engine takes them: by the tables that policy rules lead to, and of
    /// each table one for each prefix, the best.
    ///
    /// `ports` tells which interface (the kernel's number) is which port.
    package func routes(ports: [Int32: PortIndex]) -> [Route] {
        let byTable = Dictionary(grouping: kernelRoutes) {
            Table(number: $0.table, family: $0.prefix.family)
        }
        .mapValues(best)
        let addressesByInterface = Dictionary(grouping: addresses, by: \.interface)
        var routes: [Route] = []
        var ranks: [AddressFamily: Int] = [:]
        for rule in rules where rule.isFollowed {
            let rank = ranks[rule.family, default: 0]
            ranks[rule.family] = rank + 1
            switch rule.action {
            case .nothing, .other: continue
            case .refuse:
                let everything = AddressPrefix(
                    address: rule.family == .v4 ? .anyV4 : .anyV6, length: 0)
                let prefix = rule.destination ?? everything
                routes.append(
                    Route(
                        prefix: prefix.address, prefixLength: prefix.length, kind: .refused,
                        rank: rank, source: rule.source))
            case .lookUp:
                let table = Table(number: rule.table, family: rule.family)
                for route in narrowed(byTable[table] ?? [], to: rule.destination) {
                    routes.append(
                        Route(
                            prefix: route.prefix, prefixLength: route.prefixLength,
                            kind: kind(of: route, ports: ports),
                            preferredSource: route.source
                                ?? source(
                                    for: route, among: addressesByInterface[route.interface] ?? []),
                            mtu: route.mtu, metric: route.metric, rank: rank, source: rule.source))
                }
            }
        }
        return routes
    }

    /// One route for each prefix: the lowest metric wins, and the first of equals.
    private func best(_ routes: [KernelRoute]) -> [KernelRoute] {
        var best: [AddressPrefix: Int] = [:]
        for (number, route) in routes.enumerated() {
            let prefix = AddressPrefix(address: route.prefix, length: route.prefixLength)
            if let other = best[prefix], routes[other].metric <= route.metric { continue }
            best[prefix] = number
        }
        return best.values.sorted().map { routes[$0] }
    }

    /// Routes as packets to some addresses meet them: those within, and the narrowest around.
    private func narrowed(
        _ routes: [KernelRoute], to destination: AddressPrefix?
    ) -> [KernelRoute] {
        guard let destination else { return routes }
        var within: [KernelRoute] = []
        var around: KernelRoute?
        for route in routes {
            let prefix = AddressPrefix(address: route.prefix, length: route.prefixLength)
            if destination.contains(prefix) {
                within.append(route)
            } else if prefix.contains(destination),
                around.map({ $0.prefixLength < route.prefixLength }) ?? true
            {
                around = route
            }
        }
        let isCovered = within.contains { $0.prefixLength == destination.length }
        if var around, !isCovered {
            around.prefix = destination.address
            around.prefixLength = destination.length
            within.append(around)
        }
        return within
    }

    /// A table of the kernel, of which there is one for each family.
    private struct Table: Hashable {
        var number: UInt32
        var family: AddressFamily
    }

    private func kind(of route: KernelRoute, ports: [Int32: PortIndex]) -> Route.Kind {
        switch route.kind {
        case .local: return .local
        case .refused: return .refused
        case .proceed: return .proceed
        case .unicast:
            if let port = ports[route.interface] {
                return .forward(port: port, gateway: route.gateway)
            }
            // Without an interface it is a next hop object that refuses.
            guard route.interface != 0 else { return .refused }
            return .elsewhere(interface: link(route.interface)?.name ?? "\(route.interface)")
        }
    }

    /// The source address the kernel would choose for packets of its own on this route: one of the
    /// interface whose subnet holds the next hop, else its first of sufficient scope, else any of
    /// the host's that is good everywhere.
    private func source(for route: KernelRoute, among own: [HostAddress]) -> IPAddress? {
        guard route.kind == .unicast else { return nil }
        let family = route.prefix.family
        let linkScope: UInt8 = 253
        // It is where packets go that decides which scope will do, not who passes them on: routers of
        // IPv6 are mostly known by their link-local addresses.
        let isLinkLocal = route.prefix.isLinkLocalV6
        let target: IPAddress
        if let gateway = route.gateway, gateway.family == family, !gateway.isLinkLocalV6 {
            target = gateway
        } else {
            target = route.prefix
        }
        let usable = { (address: HostAddress) in
            address.address.family == family && !address.isUnusable
                && (address.scope < linkScope || (isLinkLocal && address.scope == linkScope))
        }
        let candidates = own.filter(usable)
        let near = candidates.first { address in
            !address.isSecondary && target.shares(bits: address.prefixLength, with: address.address)
                && (address.scope == linkScope) == isLinkLocal
        }
        let first = candidates.first { !$0.isSecondary } ?? candidates.first
        return (near ?? first ?? addresses.first { usable($0) && !isLinkLocal })?.address
    }
}

extension IPAddress {
    /// In fe80::/10.
    var isLinkLocalV6: Bool { family == .v6 && high >> 54 == 0xfe80 >> 6 }

    /// Whether the first `bits` bits, counted within the family, are those of another address of it.
    func shares(bits: UInt8, with other: IPAddress) -> Bool {
        guard family == other.family else { return false }
        let all = Int(bits) + (isV4 ? 96 : 0)
        let differs = (high: high ^ other.high, low: low ^ other.low)
        if all <= 64 { return all == 0 || differs.high >> UInt64(64 - all) == 0 }
        return differs.high == 0 && (differs.low >> UInt64(128 - all)) == 0
    }
}
