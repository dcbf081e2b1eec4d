internal import LVS

extension ReplayDiff {
    /// The comparison for programs, with stable keys; ends with a newline.
    ///
    /// `rules` name the two sets, `remarks` say what was wrong with the capture.
    package func json(rules: [String], remarks: [String]) -> String {
        let clients = clients
        return JSONText.object([
            ("rules", .list(rules.map { .text($0) })), ("same", .boolean(isSame)),
            (
                "connections",
                .object([
                    ("opened", .count(opened)), ("same", .count(same)),
                    ("moved", .count(movedCount)), ("only_first", .count(missing[1])),
                    ("only_second", .count(missing[0])),
                ])
            ),
            ("moved", .list(moved.map(Self.object))), ("moved_not_listed", .count(movedNotListed)),
            ("other_fates", .count(otherFates)),
            (
                "clients",
                .object([
                    ("all", .count(clients.all)),
                    ("kept_only_by_first", .count(clients.keptOnlyBefore)),
                    ("kept_only_by_second", .count(clients.keptOnlyAfter)),
                    ("went_elsewhere", pair { .count(sides[$0].strayed) }),
                    ("all_watched", .boolean(!isBeyondClients)),
                ])
            ),
            ("drops", .list(dropped.map(Self.object))),
            ("servers", .list(names.map(object))),
            ("stretch_seconds", .fraction(Double(load.stretch) / 1e9)),
            ("remarks", .list(remarks.map { .text($0) })),
        ]).written() + "\n"
    }

    private static func object(_ moved: Moved) -> JSONText {
        .object([
            ("packet", .count(moved.packet)), ("flow", .text(moved.flow.text)),
            ("first", .optional(moved.before?.text)), ("second", .optional(moved.after?.text)),
        ])
    }

    private static func object(_ reason: DropReason, _ frames: [UInt64]) -> JSONText {
        .object([
            ("reason", .text(reason.name)), ("first", .count(frames[0])),
            ("second", .count(frames[1])), ("cure", .text(reason.cure)),
        ])
    }

    /// One server, with its new connections in each stretch of time up to the last that has some.
    private func object(_ name: ServerName) -> JSONText {
        let rows = (load.counts[name] ?? []).prefix(load.used)
        return .object([
            ("name", .text(name.text)),
            ("connections", pair { .count(connections(of: name, side: $0)) }),
            ("share", pair { .optional(share(of: name, side: $0)) }),
            ("over_time", pair { side in .list(rows.map { .count($0[side]) }) }),
        ])
    }

    /// What the first rules and the second ones come to.
    private func pair(_ value: (Int) -> JSONText) -> JSONText {
        .object([("first", value(0)), ("second", value(1))])
    }
}
