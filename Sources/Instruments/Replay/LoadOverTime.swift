/// New connections of each real server in stretches of time, for two sides.
///
/// Stretches are made twice as long whenever there are too many, so that memory stays the same however
/// long a capture is.
package struct LoadOverTime: Hashable, Sendable {
    /// Most stretches.
    package static let most = 24

    /// Length of a stretch, nanoseconds.
    package private(set) var stretch: Int64 = 100_000_000
    /// Connections by server, stretch and side.
    package private(set) var counts: [ServerName: [[UInt64]]] = [:]
    private var first: Int64?

    package init() {}

    /// Counts a connection; `time` is nanoseconds, none before that of the first one.
    package mutating func add(_ server: ServerName, at time: Int64, side: Int) {
        let beginning = first ?? time
        first = beginning
        let (since, isTooLong) = time.subtractingReportingOverflow(beginning)
        let passed = isTooLong ? Int64.max : max(0, since)
        while passed / stretch >= Int64(Self.most) {
            guard stretch < Int64.max / 4 else { break }
            stretch *= 2
            for (server, old) in counts { counts[server] = Self.halved(old) }
        }
        let index = min(Self.most - 1, Int(passed / stretch))
        var row = counts[server] ?? Self.empty
        row[index][side] += 1
        counts[server] = row
    }

    private static let empty = [[UInt64]](repeating: [0, 0], count: most)

    private static func halved(_ old: [[UInt64]]) -> [[UInt64]] {
        var new = empty
        for (index, pair) in old.enumerated() {
            new[index / 2][0] += pair[0]
            new[index / 2][1] += pair[1]
        }
        return new
    }

    /// Stretches with a connection in them, up to the last one.
    package var used: Int {
        let last = counts.values.map { rows in rows.lastIndex { $0 != [0, 0] } ?? -1 }.max() ?? -1
        return last + 1
    }
}
