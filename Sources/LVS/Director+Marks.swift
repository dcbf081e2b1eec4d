// Services by firewall mark, and the director's own marking rules: frames come in before the host's
// netfilter could mark them.

extension Director {
    /// Replaces the director's own marking rules, which apply in their order, after the host's; new
    /// connections follow them at once.
    package func setMarkRules(_ rules: [MarkRule]) throws(CommandRefusal) {
        for rule in rules where !markRules.contains(rule) { try rule.check() }
        markRules = rules
        publish()
    }

    /// Replaces the marking rules that the host's own netfilter has, which apply before the director's.
    package func setFollowedMarks(_ rules: [MarkRule]) {
        guard rules != followedMarks else { return }
        followedMarks = rules
        publish()
    }

    /// Says that frames come in with the marks of the host's netfilter: then its rules have been
    /// followed already, and only the director's own are still to be.
    package func setFramesCarryMarks() {
        framesCarryMarks = true
        publish()
    }

    /// All marking rules as one list; what ends the host's rules does not end it.
    func allMarks(own: [MarkRule]? = nil, followed: [MarkRule]? = nil) -> [MarkRule] {
        let followed = followed ?? followedMarks
        let bounded = followed.enumerated().map { index, rule in
            guard rule.action == .accept else { return rule }
            var rule = rule
            rule.action = .skip(followed.count - 1 - index)
            return rule
        }
        return bounded + (own ?? markRules)
    }

    /// What the host's stack must not see for the sake of a service, with these rules or the present
    /// ones.
    package func requests(
        of service: VirtualService, own: [MarkRule]? = nil, followed: [MarkRule]? = nil
    ) -> ServedTraffic {
        var served = ServedTraffic()
        switch service.key {
        case .address(let transport, let address, let port):
            served.services = [
                ServedTraffic.Endpoint(
                    address: address, transport: transport,
                    port: service.takesEveryPort ? 0 : port)
            ]
        case .mark(let mark, let family):
            MarkedTraffic(allMarks(own: own, followed: followed)).add([mark], family, to: &served)
            served.marks = [ServedTraffic.Mark(value: mark, family: family)]
        }
        return served
    }

    /// What rules lead to the services by mark.
    func markedRequests() -> ServedTraffic {
        var marks: [AddressFamily: Set<UInt32>] = [:]
        for record in records {
            guard case .mark(let mark, let family) = record.service.key else { continue }
            marks[family, default: []].insert(mark)
        }
        var served = ServedTraffic()
        guard !marks.isEmpty else { return served }
        let traffic = MarkedTraffic(allMarks())
        for (family, numbers) in marks {
            traffic.add(numbers, family, to: &served)
            served.marks.formUnion(numbers.map { ServedTraffic.Mark(value: $0, family: family) })
        }
        return served
    }
}

extension VirtualService {
    /// True for FTP: the data connections of its clients come to any port (ipvs-semantics 5.6 and
    /// appendix A).
    package var takesEveryPort: Bool {
        key.isFTP
    }

    /// Where replies of a server of this service come from: nowhere unless it is a NAT server.
    package func replies(from server: RealServer) -> [ServedTraffic.Endpoint] {
        guard server.method.isTranslating else { return [] }
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
