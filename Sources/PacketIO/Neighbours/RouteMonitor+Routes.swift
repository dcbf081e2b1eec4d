package import LVS

extension RouteMonitor {
    /// The kernel's routes as the engine takes them: one for each prefix, the best.
    ///
    /// `ports` tells which interface (the kernel's number) is which port. The local table comes before
    /// the main one, as the kernel's first policy rule has it; then the lowest metric wins, and the
    /// first of equals.
    package func routes(ports: [Int32: PortIndex]) -> [Route] {
        var best: [Prefix: Int] = [:]
        for (number, route) in kernelRoutes.enumerated() {
            let prefix = Prefix(address: route.prefix, length: route.prefixLength)
            guard let other = best[prefix] else {
                best[prefix] = number
                continue
            }
            let earlier = kernelRoutes[other]
            if route.isLocalTable != earlier.isLocalTable {
                if route.isLocalTable { best[prefix] = number }
            } else if route.metric < earlier.metric {
                best[prefix] = number
            }
        }
        let addressesByInterface = Dictionary(grouping: addresses, by: \.interface)
        return best.values.sorted().map { number in
            let route = kernelRoutes[number]
            return Route(
                prefix: route.prefix, prefixLength: route.prefixLength,
                kind: kind(of: route, ports: ports),
                preferredSource: route.source
                    ?? source(for: route, among: addressesByInterface[route.interface] ?? []),
                mtu: route.mtu, metric: route.metric)
        }
    }

    private func kind(of route: KernelRoute, ports: [Int32: PortIndex]) -> Route.Kind {
        switch route.kind {
        case .local: return .local
        case .refused: return .refused
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

    private struct Prefix: Hashable {
        var address: IPAddress
        var length: UInt8
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
