/// What a simulation came to, a row for each scheduler.
package struct SimulationResult: Hashable, Sendable {
    /// Clients that came to another server than the last time, though that one was still there.
    package struct Moves: Hashable, Sendable {
        package var moved = 0
        /// Clients that came in both parts, and whose server stayed.
        package var clients = 0

        /// 0 to 1; nil where no client came again.
        package var share: Double? { clients > 0 ? Double(moved) / Double(clients) : nil }
    }

    /// One scheduler.
    package struct Row: Hashable, Sendable {
        package var scheduler: String
        /// Why the director takes no such service; nil when it ran.
        package var refusal: String?
        /// Connections that each server got in the first part, in the order of the weights.
        package var connections: [Int] = []
        /// Moments of the curves, nanoseconds from the beginning of the run, and what was open then: a
        /// list for each server that is drawn.
        package var times: [Int64] = []
        package var open: [[Int]] = []
        /// Connections that no server got.
        package var refused = 0
        /// How far the fullest server was above its due; 1 is even, nil when nothing was open.
        ///
        /// That is its open connections for its weight, by those of all for theirs, looked at once a
        /// second or oftener from a fifth of the first part on.
        package var meanImbalance: Double?
        package var worstImbalance: Double?
        /// Between the halves of the first part, where nothing changed.
        package var movesUnchanged = Moves()
        /// From before to after a server was added, and one removed.
        package var movesAdded = Moves()
        package var movesRemoved = Moves()
        /// A new connection on this machine, nanoseconds: the decision, the entry in the table and the
        /// packet's way; the median of bursts of 64.
        package var nanosecondsPerConnection: Double?

        init(scheduler: String, refusal: String? = nil) {
            self.scheduler = scheduler
            self.refusal = refusal
        }
    }

    package var load: SimulatedLoad
    package var rows: [Row]

    /// A server's part of the connections and of the weight, 0 to 1.
    package struct Share: Hashable, Sendable {
        /// From 1, in the order of the weights.
        package var server: Int
        package var got: Double
        package var due: Double
    }

    /// The shares of the servers; none when no connection was taken.
    package func shares(_ row: Row) -> [Share] {
        let connections = row.connections.reduce(0, +)
        let weight = load.weights.reduce(0) { $0 + Int($1) }
        guard connections > 0, weight > 0 else { return [] }
        return zip(row.connections, load.weights).enumerated().map { number, pair in
            Share(
                server: number + 1, got: Double(pair.0) / Double(connections),
                due: Double(pair.1) / Double(weight))
        }
    }

    /// The share that is farthest from its due; nil when no connection was taken.
    package func worstShare(_ row: Row) -> Share? {
        shares(row).max { abs($0.got - $0.due) < abs($1.got - $1.due) }
    }

    /// Most servers whose curves are kept.
    static let mostDrawn = 32

    /// Servers whose curves are kept, from 0: the first ones, and always the one that is added.
    static func drawn(of load: SimulatedLoad) -> [Int] {
        Array(0..<min(load.weights.count, mostDrawn - 1)) + [load.weights.count]
    }
}

extension SimulationResult {
    /// Shares are shown beside the table unless asked otherwise where no more servers are there.
    package static let fewServers = 8

    /// What was simulated, and what is to be known of it, a line each.
    var headLines: [String] {
        guard let captured = load.captured else { return [] }
        let seconds = ReplaySummary.seconds(captured.length)
        return [
            "capture  \(captured.connections.count) connections of \(captured.clients.count) clients in "
                + "\(seconds) s",
            "played   twice as it is, then with one server more, then without server 1",
        ] + captured.remarks.map { "capture  \($0)" } + [""]
    }

    /// The result for people; with every server's share, or where there are few servers.
    package func text(shares: Bool = false) -> String {
        let lines = headLines.map { $0 + "\n" }.joined()
        guard shares || load.weights.count <= Self.fewServers else { return lines + table }
        return lines + table + "\n" + shareTable
    }

    /// Each server's part of the connections below its part of the weight, a block for every few
    /// servers.
    var shareTable: String {
        let columns = load.weights.indices
        let weight = load.weights.reduce(0) { $0 + Int($1) }
        var lines: [String] = []
        for first in stride(from: 0, to: columns.count, by: Self.fewServers) {
            let some = first..<min(first + Self.fewServers, columns.count)
            var table = TextTable(
                ["share"] + some.map { "server \($0 + 1)" }, numbers: Set(1...some.count))
            table.add(["weight"] + some.map { String(load.weights[$0]) })
            table.add(
                ["due"] + some.map { percent(Double(load.weights[$0]) / Double(weight)) })
            for row in rows where row.refusal == nil {
                let shares = shares(row)
                table.add(
                    [row.scheduler] + some.map { percent(shares.isEmpty ? nil : shares[$0].got) })
            }
            lines += (first > 0 ? [""] : []) + table.lines(indent: "")
        }
        return lines.map { $0 + "\n" }.joined()
    }

    /// The table for people, with what its columns say below it.
    package var table: String {
        let heads = [
            "scheduler", "server", "got", "due", "mean", "worst", "moved", "added", "removed",
            "ns",
        ]
        var table = TextTable(heads, numbers: Set(heads.indices.dropFirst()))
        var notes: [String] = []
        for row in rows {
            if let refusal = row.refusal {
                notes.append("\(row.scheduler): not possible here: \(refusal)")
                continue
            }
            let share = worstShare(row)
            table.add([
                row.scheduler, share.map { String($0.server) } ?? "-", percent(share?.got),
                percent(share?.due), hundredths(row.meanImbalance),
                hundredths(row.worstImbalance), percent(row.movesUnchanged.share),
                percent(row.movesAdded.share), percent(row.movesRemoved.share),
                row.nanosecondsPerConnection.map { String(Int($0.rounded())) } ?? "-",
            ])
            if row.refused > 0 {
                notes.append("\(row.scheduler): \(row.refused) connections found no server")
            }
        }
        return (table.lines(indent: "") + [""] + notes + Self.legend).map { $0 + "\n" }.joined()
    }

    private static let legend = [
        "server, got, due  the server whose part of the connections is farthest from its weight's",
        "mean, worst       open connections of the fullest server for its weight, by all for theirs",
        "moved             clients that came to another server while nothing changed,",
        "added, removed    and when a server was added or removed; its own clients not counted",
        "ns                a new connection, all of its way through the director, on this machine",
    ]

    private func percent(_ share: Double?) -> String {
        guard let share else { return "-" }
        let tenths = Int((share * 1000).rounded())
        return "\(tenths / 10).\(tenths % 10) %"
    }

    private func hundredths(_ value: Double?) -> String {
        guard let value else { return "-" }
        let hundredths = Int((min(value, 1e12) * 100).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}
