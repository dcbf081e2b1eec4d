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
