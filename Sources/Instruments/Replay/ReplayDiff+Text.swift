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
        if movedNotListed > 0 { lines.append("... and \(movedNotListed) more") }
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
        dropped.map { reason, frames in
            "dropped      \(reason.name) \(frames[0]) | \(frames[1])"
        }
    }

    /// Connections beyond those that are listed.
    var movedNotListed: UInt64 { movedCount + missing[0] + missing[1] - UInt64(moved.count) }

    /// Reasons that one side has dropped a frame for, and how many each has.
    var dropped: [(DropReason, [UInt64])] {
        DropReason.allCases.compactMap { reason in
            let frames = sides.map { $0.drops[reason] ?? 0 }
            return frames == [0, 0] ? nil : (reason, frames)
        }
    }

    func connections(of name: ServerName, side: Int) -> UInt64 {
        (load.counts[name] ?? []).reduce(0) { $0 + $1[side] }
    }

    /// A server's part of its side's connections, 0 to 1; nil where there are none.
    func share(of name: ServerName, side: Int) -> Double? {
        let all = sides[side].connections
        return all == 0 ? nil : Double(connections(of: name, side: side)) / Double(all)
    }

    /// Servers by address and port.
    var names: [ServerName] {
        load.counts.keys.sorted {
            ($0.address.high, $0.address.low, $0.port) < ($1.address.high, $1.address.low, $1.port)
        }
    }

    private var servers: [String] {
        var table = TextTable(
            ["real server", "conns first", "second", "share first", "second"],
            numbers: [1, 2, 3, 4])
        for name in names {
            table.add(
                [name.text] + (0..<2).map { String(connections(of: name, side: $0)) }
                    + (0..<2).map { ReplaySummary.percent(share(of: name, side: $0)) })
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
