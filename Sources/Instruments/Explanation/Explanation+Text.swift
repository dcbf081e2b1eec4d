internal import LVS

extension Explanation {
    /// The story as people read it, a line for each step and tables of candidates and header fields;
    /// ends with a newline.
    package var text: String {
        var lines = [heading]
        var number = 0
        func add(_ step: [String]) {
            guard let first = step.first else { return }
            number += 1
            lines.append((number < 10 ? " " : "") + "\(number). " + first)
            lines += step.dropFirst().map { "    " + $0 }
        }
        for step in story.steps { add(text(of: step)) }
        if story.verdict.kind != .drop, headers.contains(where: \.isChange) { add(headerText) }
        for made in story.made { add(text(of: made)) }
        lines.append(verdictText)
        return lines.joined(separator: "\n") + "\n"
    }

    /// What the packet was, one line.
    private var heading: String {
        guard case .arrived(let arrival)? = story.steps.first else { return "a packet" }
        var text = Words.kind(arrival.kind)
        switch arrival.kind {
        case .flow, .optioned, .short, .security:
            text = Words.flow(arrival.flow)
            if arrival.flow.transport == .tcp { text += " " + Words.tcpFlags(arrival.tcpFlags) }
            if arrival.kind != .flow { text += ", " + Words.kind(arrival.kind) }
        case .icmpError, .icmpOther:
            let isIPv6 = arrival.family == .v6
            let name = Words.icmp(arrival.icmpType, arrival.icmpCode, isIPv6: isIPv6)
            text =
                Words.flow(arrival.flow)
                + " \(name) (type \(arrival.icmpType), code \(arrival.icmpCode))"
        case .fragment:
            text =
                Words.flow(arrival.flow)
                + (arrival.isLaterFragment ? ", later fragment" : ", first fragment")
        case .other where arrival.ipLength != 0: text = Words.flow(arrival.flow) + ", " + text
        case .arp, .other, .malformed: break
        }
        if arrival.ipLength != 0 {
            text += ", \(arrival.ipLength) bytes, TTL \(arrival.timeToLive)"
        }
        if arrival.segmentSize != 0 { text += ", segments of \(arrival.segmentSize) bytes" }
        if story.carriedMark != 0 { text += ", fwmark \(story.carriedMark)" }
        return text + ", in by \(interface(arrival.ingress))"
    }

    /// What became of it, one line.
    var verdictText: String {
        let verdict = story.verdict
        switch verdict.kind {
        case .send: return "=> sent by \(interface(verdict.port))"
        case .pass:
            return verdict.usesDoor
                ? "=> handed to the host, from which it was kept, by the host door"
                : "=> left to the host, which has it already"
        case .drop:
            guard let reason = verdict.reason else { return "=> dropped" }
            return "=> dropped, \(reason.name): \(reason.cure)"
        case .consumed:
            let sent = story.made.filter { $0.verdict.kind == .send }
            guard let first = sent.first else { return "=> kept: it waits" }
            let frames = sent.count == 1 ? "a frame" : "\(sent.count) frames"
            return "=> sent as \(frames) by \(interface(first.verdict.port))"
        }
    }

    // MARK: Steps

    /// A step's line, and lines that belong to it.
    func text(of step: Step) -> [String] {
        switch step {
        case .arrived: []
        case .markingRule(let rule, let from, let to):
            ["marking rule \(rule + 1) applies: mark \(from) -> \(to)"]
        case .mark(let mark, let carried):
            [
                mark == 0 && carried == 0
                    ? "no marking rule gives it a mark" : "looked up with fwmark \(mark)"
            ]
        case .lookedUp(let look): [text(of: look)]
        case .askedService(let question, let isFound):
            ["service " + text(of: question) + (isFound ? ": found" : ": none")]
        case .notScheduled(let obstacle):
            ["opens no connection: " + Words.obstacle(obstacle)]
        case .reused(let connection, let reuse): [text(of: connection, reuse)]
        case .template(let look): [text(of: look)]
        case .scheduled(let scheduling): text(of: scheduling)
        case .localEndpoint(let local):
            [
                local.map {
                    "local address for the server: " + Words.endpoint($0.address, $0.port)
                } ?? "no local address of the server's family has a port left"
            ]
        case .connected(let connection, let making): [text(of: connection, making)]
        case .advanced(let advance): [text(of: advance)]
        case .way(let way): [text(of: way)]
        case .fragment(let fate): [text(of: fate)]
        case .expected(let connection):
            ["the helper expects a connection: " + text(of: connection)]
        case .replacedText(let gained):
            ["the helper rewrites the payload, \(gained >= 0 ? "+" : "")\(gained) bytes"]
        case .told(let error, let isMade):
            [
                "the sender is told: \(Words.error(error))"
                    + (isMade ? "" : "; not now, for the limit on ICMP errors or by RFC 1122")
            ]
        }
    }

    private func text(of look: LookUp) -> String {
        let subject =
            switch look.subject {
            case .packet: "connection table"
            case .quoted: "connection of the quoted packet"
            case .tunnelled: "connection of the packet in the tunnel"
            case .unknownPort: "connection that waits for the client's port"
            }
        guard let found = look.found else {
            return "\(subject): no entry, \(Words.flow(look.flow))"
        }
        let direction = look.direction == .inbound ? "from the client" : "from the server"
        return "\(subject): hit \(direction), \(text(of: found)), "
            + "\(Words.seconds(found.remainingSeconds)) left"
    }

    func text(of question: ServiceQuestion) -> String {
        switch question {
        case .mark(let mark, let family): "by fwmark \(mark), \(Words.family(family))"
        case .endpoint(let transport, let address, let port):
            "\(Words.transport(transport)) \(Words.endpoint(address, port))"
        case .ftp(let address):
            "tcp \(Words.endpoint(address, 21)), of which this may be a data connection"
        case .everyPort(let transport, let address):
            "\(Words.transport(transport)) \(Words.endpoint(address, 0)), every port"
        }
    }

    private func text(of look: TemplateLookUp) -> String {
        let port = look.virtualPort == 0 ? "every port" : "port \(look.virtualPort)"
        let key = "template of \(look.client) for \(look.virtual), \(port)"
        let leads =
            look.found.map {
                "leads to \(Words.endpoint($0.real, $0.realPort)), "
                    + "\(Words.seconds($0.remainingSeconds)) of \($0.timeoutSeconds) left"
            } ?? ""
        return switch look.outcome {
        case .none: "\(key): none"
        case .followed: "\(key): \(leads)"
        case .serverGone: "\(key): \(leads), but that server was removed"
        case .quiescent: "\(key): \(leads), but that has weight 0 (expire_quiescent_template)"
        case .ending: "\(key): \(leads), but it is about to end"
        case .made: "\(key): made, \(leads)"
        }
    }

    /// Whom a connection leads to, and how.
    private func text(of connection: ConnectionListing) -> String {
        let method = Words.method(connection.method, isFullNAT: connection.local != nil)
        let real =
            connection.method == .bypass
            ? "to its own destination" : Words.endpoint(connection.real, connection.realPort)
        return "\(real) (\(method)), \(connection.state)"
    }

    private func text(of connection: ConnectionListing, _ making: Step.Making) -> String {
        let text = text(of: connection)
        return switch making {
        case .made: "new connection to \(text)"
        case .existing: "goes on a connection that somebody has made meanwhile: \(text)"
        case .once: "a connection for this packet alone to \(text)"
        case .bypass: "no server takes it, and cache_bypass lets it pass: \(text)"
        }
    }

    private func text(of connection: ConnectionListing, _ reuse: Step.Reuse) -> String {
        let old = "the old connection to \(text(of: connection))"
        return switch reuse {
        case .scheduledAnew: "\(old), ends, and this opener is scheduled anew (conn_reuse_mode)"
        case .openedAgain: "\(old), ends; the client has to open once more"
        case .expired: "\(old), ends, since its server was removed (expire_nodest_conn)"
        case .serverGone: "\(old), stays, and its server was removed"
        }
    }

    private func text(of advance: Advance) -> String {
        let state =
            advance.before == advance.after
            ? "stays \(advance.after)" : "\(advance.before) -> \(advance.after)"
        let count =
            advance.wasInactive == advance.isInactive
            ? "" : ", counts as \(advance.isInactive ? "inactive" : "active")"
        let old =
            advance.timeoutBefore == advance.timeoutAfter ? "" : ", was \(advance.timeoutBefore)"
        return
            "state \(state), times out after \(Words.seconds(advance.timeoutAfter))\(old)\(count)"
    }

    private func text(of way: Way) -> String {
        let goal = way.isToServer ? "server" : "client"
        let target = "next hop to the \(goal) \(way.destination)"
        let gateway = way.neighbour == way.destination ? "on link" : "gateway \(way.neighbour)"
        switch way.kind {
        case .noRoute: return "\(target): no route"
        case .local: return "\(target): the host itself"
        case .unresolved:
            return "\(target): \(gateway) by \(interface(way.port)), "
                + "which has not answered ARP yet"
        case .resolved:
            return "\(target): \(gateway) by \(interface(way.port)), "
                + "MAC \(way.hardware?.description ?? "-"), MTU \(way.mtu)"
        }
    }

    private func text(of fate: Step.FragmentFate) -> String {
        switch fate {
        case .waiting: "fragment kept until the others of its datagram come"
        case .complete(let length): "the datagram is whole now, frame of \(length) bytes"
        case .hosts: "fragment of nothing that is served here: the host's"
        case .odd: "fragment that is not put together: a length only the last may have"
        case .refused(let reason): "fragment refused, \(reason.name)"
        }
    }
}
