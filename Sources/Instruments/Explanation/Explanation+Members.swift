internal import LVS

// What the steps of an explanation consist of in JSON.

extension Explanation {
    func connectionMember(_ connection: ConnectionListing?) -> (String, JSONText) {
        guard let connection else { return ("connection", .null) }
        var members: [(String, JSONText)] = [
            ("protocol", .text(Words.transport(connection.transport))),
            ("client", .text("\(connection.client)")),
            ("client_port", .count(connection.clientPort)),
            ("virtual", .text("\(connection.virtual)")),
            ("virtual_port", .count(connection.virtualPort)),
            ("server", .text("\(connection.real)")),
            ("server_port", .count(connection.realPort)),
            (
                "method",
                .text(Words.method(connection.method, isFullNAT: connection.local != nil))
            ),
            ("state", .text(connection.state)),
            ("remaining_seconds", .count(connection.remainingSeconds)),
            ("timeout_seconds", .count(connection.timeoutSeconds)),
            ("inactive", .boolean(connection.isInactive)),
        ]
        if let local = connection.local {
            members += [
                ("local", .text("\(local.address)")), ("local_port", .count(local.port)),
            ]
        }
        return ("connection", .object(members))
    }

    func members(_ look: LookUp) -> [(String, JSONText)] {
        [
            ("subject", .text(look.subject.rawValue)),
            ("source", .text("\(look.flow.source)")),
            ("source_port", .count(look.flow.sourcePort)),
            ("destination", .text("\(look.flow.destination)")),
            ("destination_port", .count(look.flow.destinationPort)),
            ("hit", .boolean(look.found != nil)),
            ("from", look.found == nil ? .null : look.direction == .inbound ? "client" : "server"),
            connectionMember(look.found),
        ]
    }

    func members(_ question: ServiceQuestion) -> [(String, JSONText)] {
        switch question {
        case .mark(let mark, let family):
            [("by", "mark"), ("mark", .count(mark)), ("family", .text(Words.family(family)))]
        case .endpoint(let transport, let address, let port):
            [("by", "endpoint")] + members(transport, address, port)
        case .ftp(let address): [("by", "ftp")] + members(.tcp, address, 21)
        case .everyPort(let transport, let address):
            [("by", "every_port")] + members(transport, address, 0)
        }
    }

    private func members(
        _ transport: TransportProtocol, _ address: IPAddress, _ port: UInt16
    ) -> [(String, JSONText)] {
        [
            ("protocol", .text(Words.transport(transport))), ("address", .text("\(address)")),
            ("port", .count(port)),
        ]
    }

    func members(_ look: TemplateLookUp) -> [(String, JSONText)] {
        [
            ("outcome", .text(look.outcome == .serverGone ? "server_gone" : look.outcome.rawValue)),
            ("client", .text("\(look.client)")), ("virtual", .text("\(look.virtual)")),
            ("virtual_port", .count(look.virtualPort)),
            ("timeout_seconds", .count(look.timeoutSeconds)), connectionMember(look.found),
        ]
    }

    func members(_ scheduling: Scheduling) -> [(String, JSONText)] {
        let figures = scheduling.figures
        let candidates = scheduling.candidates.enumerated().map { position, candidate in
            JSONText.object([
                ("address", .text("\(candidate.address)")), ("port", .count(candidate.port)),
                ("method", .text(Words.method(candidate.method))),
                ("weight", .count(candidate.weight)), ("active", .count(candidate.active)),
                ("inactive", .count(candidate.inactive)),
                ("overloaded", .boolean(candidate.isOverloaded)),
                ("upper_threshold", .count(candidate.upperThreshold)),
                ("lower_threshold", .count(candidate.lowerThreshold)),
                (
                    "figures",
                    .object(
                        figures.columns.map { (key($0.name), json($0.figures[position])) })
                ),
                ("chosen", .boolean(candidate.number == scheduling.chosen)),
            ])
        }
        let chosen = scheduling.candidates.first { $0.number == scheduling.chosen }
        return [
            ("service", .text(Words.service(scheduling.service))),
            ("scheduler", .optional(scheduling.scheduler)), ("rule", .text(figures.rule)),
            ("facts", .object(figures.facts.map { (key($0.name), json($0.fact)) })),
            ("candidates", .list(candidates)),
            ("chosen", .optional(chosen.map { Words.endpoint($0.address, $0.port) })),
        ]
    }

    /// A name of a scheduler's as a key: `per_weight`.
    private func key(_ name: String) -> String { String(name.map { $0 == " " ? "_" : $0 }) }

    private func json(_ fact: SchedulerFigures.Fact) -> JSONText {
        switch fact {
        case .none: .null
        case .number(let number): .number(number)
        case .server(let address, let port): .text(Words.endpoint(address, port))
        }
    }

    private func json(_ figure: SchedulerFigures.Figure) -> JSONText {
        switch figure {
        case .none, .ratio(_, 0): .null
        case .number(let number): .number(number)
        case .ratio(let load, let weight): .fraction(Double(load) / Double(weight))
        }
    }

    func members(_ advance: Advance) -> [(String, JSONText)] {
        [
            ("from", advance.direction == .inbound ? "client" : "server"),
            ("before", .text(advance.before)), ("after", .text(advance.after)),
            ("timeout_before", .count(advance.timeoutBefore)),
            ("timeout_after", .count(advance.timeoutAfter)),
            ("inactive_before", .boolean(advance.wasInactive)),
            ("inactive_after", .boolean(advance.isInactive)),
        ]
    }

    func members(_ way: Way) -> [(String, JSONText)] {
        let kind: JSONText =
            switch way.kind {
            case .noRoute: "no_route"
            case .unresolved: "unresolved"
            case .resolved: "resolved"
            case .local: "local"
            }
        let isForwarded = way.kind == .resolved || way.kind == .unresolved
        return [
            ("to", way.isToServer ? "server" : "client"), ("kind", kind),
            ("destination", .text("\(way.destination)")),
            ("neighbour", isForwarded ? .text("\(way.neighbour)") : .null),
            ("interface", isForwarded ? .text(interface(way.port)) : .null),
            ("mac", .optional(way.hardware?.description)),
            ("mtu", isForwarded ? .count(way.mtu) : .null),
        ]
    }

    func members(_ fate: Step.FragmentFate) -> [(String, JSONText)] {
        switch fate {
        case .waiting: [("fate", "waiting")]
        case .complete(let length): [("fate", "complete"), ("bytes", .number(length))]
        case .hosts: [("fate", "hosts")]
        case .odd: [("fate", "odd")]
        case .refused(let reason): [("fate", "refused"), ("reason", .text(reason.name))]
        }
    }
}
