internal import LVS

// The tables of an explanation: candidates of a scheduler, header fields, frames that were made.

extension Explanation {
    /// Most candidates that are shown; the chosen one always is.
    private static let mostRows = 24

    /// What the scheduler saw, and whom it chose.
    func text(of scheduling: Scheduling) -> [String] {
        let name = scheduling.scheduler.map { "scheduler \($0)" } ?? "scheduler none"
        var lines = ["\(name) of \(Words.service(scheduling.service)): \(scheduling.figures.rule)"]
        let facts = scheduling.figures.facts.map { "\($0.name) \(text(of: $0.fact))" }
        if !facts.isEmpty { lines.append(facts.joined(separator: ", ")) }
        guard !scheduling.candidates.isEmpty else {
            return lines + ["the service has no real server"]
        }
        let columns = scheduling.figures.columns
        let heads =
            ["", "real server", "method", "weight", "active", "inactive"] + columns.map(\.name)
            + [""]
        var table = TextTable(heads, numbers: Set(3..<heads.count - 1))
        var left = 0
        for (position, candidate) in scheduling.candidates.enumerated() {
            let isChosen = candidate.number == scheduling.chosen
            guard position < Self.mostRows || isChosen else {
                left += 1
                continue
            }
            table.add(
                [
                    isChosen ? "*" : "", Words.endpoint(candidate.address, candidate.port),
                    Words.method(candidate.method), "\(candidate.weight)", "\(candidate.active)",
                    "\(candidate.inactive)",
                ] + columns.map { Self.text(of: $0.figures[position]) }
                    + [Self.remark(candidate)])
        }
        lines += table.lines(indent: "")
        if left > 0 { lines.append("... and \(left) more") }
        let chosen = scheduling.candidates.first { $0.number == scheduling.chosen }
        if let chosen {
            lines.append("chosen: \(Words.endpoint(chosen.address, chosen.port))")
        } else {
            lines.append("no server can take it: \(Self.shortage(scheduling))")
        }
        return lines
    }

    /// Why nobody was chosen, and what changes it.
    private static func shortage(_ scheduling: Scheduling) -> String {
        let candidates = scheduling.candidates
        if candidates.allSatisfy({ $0.weight == 0 }) {
            return "all have weight 0; raise one with ipvsadm -e"
        }
        if candidates.allSatisfy({ $0.weight == 0 || $0.isOverloaded }) {
            return "all with weight are over their upper threshold; raise it (-x) or add servers"
        }
        return "none fits the rule of \(scheduling.scheduler ?? "the scheduler")"
    }

    private static func remark(_ candidate: Scheduling.Candidate) -> String {
        if candidate.isOverloaded {
            return "overloaded, upper threshold \(candidate.upperThreshold)"
        }
        return candidate.weight == 0 ? "takes no new connections" : ""
    }

    private func text(of fact: SchedulerFigures.Fact) -> String {
        switch fact {
        case .none: "none"
        case .number(let number): "\(number)"
        case .server(let address, let port): Words.endpoint(address, port)
        }
    }

    private static func text(of figure: SchedulerFigures.Figure) -> String {
        switch figure {
        case .none: "-"
        case .number(let number): "\(number)"
        case .ratio(_, 0): "-"
        case .ratio(let load, let weight): decimal(load, for: weight)
        }
    }

    /// A quotient with two decimals, cut off.
    private static func decimal(_ load: Int64, for weight: Int64) -> String {
        let hundredths = load.multipliedReportingOverflow(by: 100).partialValue / weight % 100
        return "\(load / weight)." + (hundredths < 10 ? "0" : "") + "\(hundredths)"
    }

    // MARK: Headers

    /// All fields; those that changed carry a mark and show both values.
    var headerText: [String] {
        var table = TextTable(["", "", "", "", ""])
        var layer = ""
        for change in headers {
            let name = change.layer == layer ? "" : change.layer
            layer = change.layer
            let values =
                !change.isChange
                ? change.before ?? ""
                : "\(change.before ?? "(none)") -> \(change.after ?? "(gone)")"
            table.add([change.isChange ? "*" : "", name, change.field, values, ""])
        }
        let changed = headers.filter(\.isChange).count
        return ["headers, \(changed) fields changed:"] + table.lines(indent: "")
    }

    /// A frame that was made because of the packet.
    func text(of made: Story.Made) -> [String] {
        let fate =
            switch made.verdict.kind {
            case .send: "sent by \(interface(made.verdict.port))"
            case .drop: "dropped, \(made.verdict.reason?.name ?? "no reason")"
            case .pass: "handed to the host"
            case .consumed: "kept until its next hop is known"
            }
        var table = TextTable(["", "", ""])
        for layer in layers(of: made) {
            for (index, field) in layer.fields.enumerated() {
                table.add([index == 0 ? layer.name : "", field.name, field.value])
            }
        }
        return ["made a frame of \(made.sent.bytes.count) bytes, \(fate):"]
            + table.lines(indent: "")
    }
}
