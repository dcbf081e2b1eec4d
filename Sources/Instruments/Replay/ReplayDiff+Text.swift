internal import LVS

extension ReplayDiff {
    /// The comparison for people.
    package var text: String {
        var lines = [
            "connections  \(opened): \(same) to the same real server, \(movedCount) to another one, "
                + "\(missing[0]) only by the second rules, \(missing[1]) only by the first"
        ]
        lines += moved.map { moved in
            "packet \(moved.packet)  \(moved.flow.text): \(moved.before?.text ?? "none") | "
                + (moved.after?.text ?? "none")
        }
        let more = movedCount + missing[0] + missing[1] - UInt64(moved.count)
        if more > 0 { lines.append("... and \(more) more") }
        if otherFates > 0 {
            lines.append(
                "packets      \(otherFates) of connections that are there were sent on one side only (the "
                    + "capture has the replies of the servers of its day)")
        }
        lines.append(clientLine)
        lines += drops
        lines += servers
        lines += overTime
        return lines.joined(separator: "\n") + "\n"
    }

    private var clientLine: String {
        let clients = clients
        return "clients      \(clients.all): "
            + "\(clients.keptOnlyBefore) kept on one real server by the first rules only, "
            + "\(clients.keptOnlyAfter) by the second only; a client's next connection went elsewhere "
            + "\(sides[0].strayed) | \(sides[1].strayed) times"
            + (isBeyondClients ? "; more than \(ReplayDiff.mostClients), the rest not watched" : "")
    }

    private var drops: [String] {
        DropReason.allCases.compactMap { reason in
            let frames = sides.map { $0.drops[reason] ?? 0 }
            guard frames != [0, 0] else { return nil }
            return "dropped      \(reason.name) \(frames[0]) | \(frames[1])"
        }
    }

    /// Servers by address and port.
    private var names: [ServerName] {
        load.counts.keys.sorted {
            ($0.address.high, $0.address.low, $0.port) < ($1.address.high, $1.address.low, $1.port)
        }
    }

    private var servers: [String] {
        var table = TextTable(
            ["real server", "conns first", "second", "share first", "second"],
            numbers: [1, 2, 3, 4])
        for name in names {
            let rows = load.counts[name] ?? []
            let counts = (0..<2).map { side in rows.reduce(UInt64(0)) { $0 + $1[side] } }
            let shares = (0..<2).map { side in
                sides[side].connections == 0
                    ? nil : Double(counts[side]) / Double(sides[side].connections)
            }
            table.add(
                [name.text] + counts.map { String($0) }
                    + shares.map { ReplaySummary.percent($0) })
        }
        return [""] + table.lines(indent: "")
    }

    private var overTime: [String] {
        guard load.used > 1 else { return [] }
        var table = TextTable(
            ["from second"] + names.map(\.text), numbers: Set(0...names.count))
        for index in 0..<load.used {
            table.add(
                [ReplaySummary.seconds(Int64(index) * load.stretch)]
                    + names.map { name in
                        let pair = load.counts[name]?[index] ?? [0, 0]
                        return "\(pair[0]) | \(pair[1])"
                    })
        }
        return [
            "", "new connections in \(ReplaySummary.seconds(load.stretch)) s, first | second rules",
        ] + table.lines(indent: "")
    }
}
