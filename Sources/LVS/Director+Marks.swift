// Services by firewall mark, and the director's own marking rules: frames come in before the host's
// netfilter could mark them.

extension Director {
    /// Replaces the marking rules, which apply in their order; new connections follow them at once.
    package func setMarkRules(_ rules: [MarkRule]) throws(CommandRefusal) {
        for rule in rules where !markRules.contains(rule) { try rule.check() }
        markRules = rules
        publish()
    }

    /// What the host's stack must not see for the sake of a service, with these rules or the present
    /// ones.
    package func requests(
        of service: VirtualService, rules: [MarkRule]? = nil
    ) -> Set<ServedTraffic.Endpoint> {
        switch service.key {
        case .address(let transport, let address, let port):
            [
                ServedTraffic.Endpoint(
                    address: address, transport: transport,
                    port: service.takesEveryPort ? 0 : port)
            ]
        case .mark(let mark, .v4):
            Set((rules ?? markRules).filter { $0.mark == mark }.flatMap(\.endpoints))
        case .mark(_, .v6): []
        }
    }

    /// The services by mark that rules are there for, as the workers' table knows them.
    var markedRequests: Set<ServedTraffic.Endpoint> {
        records.reduce(into: []) { all, record in
            if case .mark = record.service.key { all.formUnion(requests(of: record.service)) }
        }
    }
}

extension VirtualService {
    /// True for persistent FTP: the data connections of its clients come to any port
    /// (ipvs-semantics 5.6).
    package var takesEveryPort: Bool {
        guard case .address(.tcp, _, port: 21) = key else { return false }
        return flags.contains(.persistent)
    }

    /// Where replies of a server of this service come from: nowhere unless it is a NAT server.
    package func replies(from server: RealServer) -> [ServedTraffic.Endpoint] {
        guard server.method == .masquerading else { return [] }
        switch key {
        case .address(let transport, _, let port):
            // Where connections keep the port they came with, replies come from any.
            let isAny = port == 0 || takesEveryPort
            return [
                ServedTraffic.Endpoint(
                    address: server.address, transport: transport,
                    port: isAny ? 0 : server.port == 0 ? port : server.port)
            ]
        case .mark:
            let port = flags.contains(.persistent) ? 0 : server.port
            return [.tcp, .udp, .sctp].map {
                ServedTraffic.Endpoint(address: server.address, transport: $0, port: port)
            }
        }
    }
}
