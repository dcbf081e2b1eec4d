internal import LVS

extension SimulationResult {
    /// The result for programs, with stable keys; ends with a newline.
    ///
    /// Everything but `nanoseconds_per_connection` is the same in every run of the same load.
    package var json: String { jsonObject.written() + "\n" }

    var jsonObject: JSONText {
        .object([
            ("load", loadObject),
            ("drawn_servers", .list(Self.drawn(of: load).map { .count($0 + 1) })),
            ("schedulers", .list(rows.map(object))),
        ])
    }

    private var loadObject: JSONText {
        let course = Course(load)
        var members: [(String, JSONText)] = [
            ("source", load.captured == nil ? "made-up" : "capture"),
            ("weights", .list(load.weights.map { .count($0) })),
            ("added_weight", .count(load.added)),
            ("persistence_seconds", .count(load.persistenceSeconds)), ("seed", .count(load.seed)),
            ("clients", .count(load.clientCount)),
            ("part_ends", .list(course.ends.map(JSONText.seconds))),
            ("measured_seconds", .seconds(course.measuredEnd)),
            ("server_added_at", .seconds(course.changes.added)),
            ("server_removed_at", .seconds(course.changes.removed)),
        ]
        if let captured = load.captured {
            members += [
                ("connections", .count(captured.connections.count)),
                ("remarks", .list(captured.remarks.map { .text($0) })),
            ]
        } else {
            members += [
                ("connections_per_second", .fraction(load.connectionsPerSecond)),
                ("sessions", .text(load.sessions.text)),
                ("popularity", .text(load.popularity == .even ? "even" : "harmonic")),
            ]
        }
        return .object(members)
    }

    private func object(_ row: Row) -> JSONText {
        guard row.refusal == nil else {
            return .object([
                ("scheduler", .text(row.scheduler)), ("refusal", .optional(row.refusal)),
            ])
        }
        let shares = shares(row)
        let servers = load.weights.indices.map { number in
            JSONText.object([
                ("server", .count(number + 1)), ("weight", .count(load.weights[number])),
                ("connections", .count(row.connections[number])),
                ("share", shares.isEmpty ? .null : .fraction(shares[number].got)),
                ("due", shares.isEmpty ? .null : .fraction(shares[number].due)),
            ])
        }
        return .object([
            ("scheduler", .text(row.scheduler)), ("refusal", .null),
            ("connections", .count(row.connections.reduce(0, +))), ("refused", .count(row.refused)),
            ("servers", .list(servers)),
            (
                "imbalance",
                .object([
                    ("mean", .optional(row.meanImbalance)),
                    ("worst", .optional(row.worstImbalance)),
                ])
            ),
            (
                "moved",
                .object([
                    ("unchanged", Self.object(row.movesUnchanged)),
                    ("added", Self.object(row.movesAdded)),
                    ("removed", Self.object(row.movesRemoved)),
                ])
            ),
            ("nanoseconds_per_connection", .optional(row.nanosecondsPerConnection)),
            (
                "over_time",
                .object([
                    ("seconds", .list(row.times.map(JSONText.seconds))),
                    ("open", .list(row.open.map { .list($0.map { .count($0) }) })),
                ])
            ),
        ])
    }

    private static func object(_ moves: Moves) -> JSONText {
        .object([
            ("clients", .count(moves.clients)), ("moved", .count(moves.moved)),
            ("share", .optional(moves.share)),
        ])
    }
}

extension SimulatedLoad.Sessions {
    /// As it is written on a command line.
    fileprivate var text: String {
        switch self {
        case .fixed(let seconds): "fixed:\(seconds)"
        case .exponential(let mean): "exponential:\(mean)"
        case .mixed(let short, let long, let share): "mixed:\(short),\(long),\(share)"
        }
    }
}
