internal import LVS

extension Explanation {
    /// The story as a JSON document for programs: `packet`, `steps` with a `step` each, `headers`,
    /// `made` and `verdict`; ends with a newline.
    ///
    /// Keys and the words in `step`, `outcome`, `reason` and `verdict` stay as they are; texts that
    /// explain may change.
    package var json: String { jsonObject.written() + "\n" }

    var jsonObject: JSONText {
        .object([
            ("packet", packet), ("steps", .list(story.steps.compactMap(json))),
            ("headers", .list(headers.map(json))), ("made", .list(story.made.map(json))),
            ("verdict", verdict),
        ])
    }

    private var packet: JSONText {
        guard case .arrived(let arrival)? = story.steps.first else { return .null }
        var members: [(String, JSONText)] = [("kind", .text("\(arrival.kind)"))]
        members += flow(arrival.flow)
        members += [
            ("family", .text(Words.family(arrival.family))), ("bytes", .count(arrival.ipLength)),
            ("ttl", .count(arrival.timeToLive)), ("interface", .text(interface(arrival.ingress))),
            ("mark", .count(story.carriedMark)),
        ]
        if arrival.flow.transport == .tcp {
            members.append(("flags", .text(Words.tcpFlags(arrival.tcpFlags))))
        }
        if arrival.kind == .icmpError || arrival.kind == .icmpOther {
            members += [
                ("icmp_type", .count(arrival.icmpType)), ("icmp_code", .count(arrival.icmpCode)),
            ]
        }
        return .object(members)
    }

    private func flow(_ flow: Flow) -> [(String, JSONText)] {
        var members: [(String, JSONText)] = [
            ("protocol", .text(Words.transport(flow.transport))),
            ("source", .text("\(flow.source)")),
            ("destination", .text("\(flow.destination)")),
        ]
        if Words.hasPorts(flow.transport) {
            members += [
                ("source_port", .count(flow.sourcePort)),
                ("destination_port", .count(flow.destinationPort)),
            ]
        }
        return members
    }

    private var verdict: JSONText {
        let verdict = story.verdict
        var members: [(String, JSONText)] = [("outcome", .text(outcome))]
        switch verdict.kind {
        case .send: members.append(("interface", .text(interface(verdict.port))))
        case .pass: members.append(("host_door", .boolean(verdict.usesDoor)))
        case .drop:
            members += [
                ("reason", .optional(verdict.reason?.name)),
                ("cure", .optional(verdict.reason?.cure)),
            ]
        case .consumed: break
        }
        return .object(members)
    }

    private func json(_ change: HeaderChange) -> JSONText {
        .object([
            ("layer", .text(change.layer)), ("field", .text(change.field)),
            ("before", .optional(change.before)), ("after", .optional(change.after)),
            ("changed", .boolean(change.isChange)),
        ])
    }

    private func json(_ made: Story.Made) -> JSONText {
        let isSent = made.verdict.kind == .send
        let headers = layers(of: made).map { layer in
            JSONText.object([
                ("layer", .text(layer.name)),
                ("fields", .object(layer.fields.map { ($0.name, .text($0.value)) })),
            ])
        }
        return .object([
            ("bytes", .count(made.sent.bytes.count)),
            ("interface", isSent ? .text(interface(made.verdict.port)) : .null),
            ("reason", .optional(made.verdict.reason?.name)), ("headers", .list(headers)),
        ])
    }

    // MARK: Steps

    private func json(_ step: Step) -> JSONText? {
        func object(_ name: String, _ members: [(String, JSONText)]) -> JSONText {
            .object([("step", .text(name))] + members)
        }
        switch step {
        case .arrived: return nil
        case .markingRule(let rule, let from, let to):
            return object(
                "marking_rule",
                [("rule", .count(rule + 1)), ("before", .count(from)), ("after", .count(to))])
        case .mark(let mark, let carried):
            return object("mark", [("mark", .count(mark)), ("carried", .count(carried))])
        case .lookedUp(let look): return object("connection_table", members(look))
        case .askedService(let question, let isFound):
            return object("service", members(question) + [("found", .boolean(isFound))])
        case .notScheduled(let obstacle):
            return object(
                "not_scheduled",
                [
                    ("reason", .text(Self.snake(obstacle.rawValue))),
                    ("text", .text(Words.obstacle(obstacle))),
                ])
        case .reused(let connection, let reuse):
            return object(
                "reused",
                [("reason", .text(Self.snake(reuse.rawValue)))] + [connectionMember(connection)])
        case .template(let look): return object("template", members(look))
        case .scheduled(let scheduling): return object("scheduled", members(scheduling))
        case .localEndpoint(let local):
            return object(
                "local_endpoint",
                [
                    ("address", .optional(local.map { "\($0.address)" })),
                    ("port", local.map { .count($0.port) } ?? .null),
                ])
        case .connected(let connection, let making):
            return object(
                "connection", [("how", .text(making.rawValue)), connectionMember(connection)])
        case .advanced(let advance): return object("state", members(advance))
        case .way(let way): return object("next_hop", members(way))
        case .fragment(let fate): return object("fragment", members(fate))
        case .expected(let connection):
            return object("helper_expects", [connectionMember(connection)])
        case .replacedText(let gained):
            return object("helper_rewrites", [("gained_bytes", .number(gained))])
        case .told(let error, let isMade):
            return object(
                "icmp_error", [("error", .text(Words.error(error))), ("made", .boolean(isMade))])
        }
    }

    /// `noService` as keys and words of JSON are written: `no_service`.
    private static func snake(_ name: String) -> String {
        name.reduce(into: "") { text, letter in
            text += letter.isUppercase ? "_" + letter.lowercased() : String(letter)
        }
    }
}
