/// Draws a reading: the lines of a terminal, or a text without end.
package struct TopScreen {
    /// What a terminal can show.
    package struct Abilities: Equatable {
        package var hasColours = false
        /// Lines and blocks beyond ASCII.
        package var hasUnicode = false

        package init(hasColours: Bool = false, hasUnicode: Bool = false) {
            self.hasColours = hasColours
            self.hasUnicode = hasUnicode
        }
    }

    let reading: TopReading
    let view: TopView
    var abilities = Abilities()
    /// Why there is nothing newer; nil while the director answers.
    var trouble: String?

    package init(
        reading: TopReading, view: TopView, abilities: Abilities = Abilities(),
        trouble: String? = nil
    ) {
        self.reading = reading
        self.view = view
        self.abilities = abilities
        self.trouble = trouble
    }

    /// The text for scripts: everything, and nothing that moves.
    package var batch: String {
        let columns = Column.all
        var lines = [summary, totals]
        lines += workerCells.map { "worker  " + $0 }
        lines += dropCells.map { "drop    " + $0 }
        lines += ["", Self.heading(columns, name: Self.batchName)]
        lines += view.rows(of: reading).map { text(of: $0, columns, name: Self.batchName) }
        return lines.map { $0 + "\n" }.joined()
    }

    /// Columns of names in a text for scripts.
    private static let batchName = 46

    /// Rows of the table that a terminal has room for.
    package func page(lines: Int, columns: Int) -> Int {
        max(1, lines - head(columns: columns).count - 2)
    }

    /// The lines of a terminal, at most `lines` of at most `columns` characters, without line ends;
    /// also where the view has to be scrolled to.
    package func lines(_ lines: Int, columns: Int) -> (lines: [String], scroll: Int) {
        let head = head(columns: columns)
        let (kept, name) = Self.layout(columns)
        let rows = view.showsKeys ? [] : view.rows(of: reading)
        let room = page(lines: lines, columns: columns)
        let scroll = max(0, min(view.scroll, rows.count - room))
        let seen = rows.dropFirst(scroll).prefix(room)
        var drawn = head.map { styled($0.text, $0.style, columns) }
        drawn.append(styled(Self.heading(kept, name: name), .heading, columns))
        drawn += seen.map { row in
            styled(text(of: row, kept, name: name), style(of: row), columns)
        }
        if view.showsKeys {
            drawn += Self.keys.prefix(room).map { styled($0, .plain, columns) }
        }
        drawn += Array(repeating: "", count: room + head.count + 1 - drawn.count)
        drawn.append(styled(footer(rows.count, scroll, seen.count), .faint, columns))
        return (Array(drawn.suffix(lines)), scroll)
    }
}

// MARK: Head and foot

extension TopScreen {
    private func head(columns: Int) -> [(text: String, style: Style)] {
        var head: [(text: String, style: Style)] = [(summary, .strong), (totals, .plain)]
        let isBusy = reading.loads.contains { ($0.share ?? 0) > 0.9 }
        head += Self.flowed("workers ", workerCells, columns).map {
            ($0, isBusy ? .warning : .plain)
        }
        let drops = dropCells
        let isDropping = reading.drops.contains { ($0.perSecond ?? 0) > 0 }
        head += Self.flowed("drops   ", drops.isEmpty ? ["none"] : drops, columns).map {
            ($0, isDropping ? .alarm : .plain)
        }
        head.append(trouble.map { ($0, .alarm) } ?? ("", .plain))
        return head
    }

    private var summary: String {
        let feed = reading.feed
        let share = feed.capacity == 0 ? 0 : Double(feed.connections) / Double(feed.capacity)
        let uptime = StatusReport.duration(feed.uptimeMilliseconds / 1000)
        return "director \(feed.version), up \(uptime), "
            + "\(feed.connections) of \(feed.capacity) connections "
            + "(\(Int((share * 100).rounded())) %), \(feed.services.count) services"
    }

    private var totals: String {
        let total = reading.total
        return "total   \(Self.decimal(total.connections)) conn/s"
            + ", in \(Self.decimal(total.inPackets)) pkt/s \(Self.binary(total.inBytes)) B/s"
            + ", out \(Self.decimal(total.outPackets)) pkt/s \(Self.binary(total.outBytes)) B/s"
    }

    private var workerCells: [String] {
        zip(reading.loads, reading.feed.workers).enumerated().map { number, pair in
            let (load, worker) = pair
            let place = worker.cpu.map { " on CPU \($0)" } ?? ""
            guard let share = load.share else { return "\(number)\(place): -" }
            let percent = String(Int((share * 100).rounded())).right(3)
            return "\(number)\(place): \(bar(share)) \(percent) % "
                + "\(Self.decimal(load.framesPerSecond)) frames/s "
                + "\(Self.decimal(load.framesPerBurst)) at once"
        }
    }

    private var dropCells: [String] {
        reading.drops.map { drop in
            let rate = drop.perSecond.map { "\(Self.decimal($0))/s " } ?? ""
            return "\(drop.reason) \(rate)(\(drop.frames))"
        }
    }

    private func bar(_ share: Double) -> String {
        let width = 10
        let full = Int((share * Double(width)).rounded())
        return String(repeating: abilities.hasUnicode ? "█" : "#", count: full)
            + String(repeating: abilities.hasUnicode ? "░" : ".", count: width - full)
    }

    /// Cells one behind the other on at most three lines; how many have no room is said.
    private static func flowed(_ title: String, _ cells: [String], _ columns: Int) -> [String] {
        var lines: [String] = []
        var line = title
        var shown = 0
        for cell in cells {
            let isFirst = line.count == title.count
            if !isFirst, line.count + 3 + cell.count > columns - 10 {
                guard lines.count < 2 else { break }
                lines.append(line)
                line = String(repeating: " ", count: title.count) + cell
            } else {
                line += (isFirst ? "" : "   ") + cell
            }
            shown += 1
        }
        if shown < cells.count { line += "   +\(cells.count - shown)" }
        return lines + [line]
    }

    private static let keys = [
        "q, Ctrl-C            end",
        "/                    show only names with a text in them; Escape shows all again",
        "n c p b a i          order by name, connections, packets, bytes, active, inactive",
        "s                    the next order",
        "r                    turn the order round",
        "t                    show or hide servers",
        "arrows, j k, PgUp, PgDn, Home, End",
        "                     move",
        "space                pause",
        "Ctrl-L, Ctrl-Z       draw anew, stop for a while",
    ]

    private func footer(_ count: Int, _ scroll: Int, _ seen: Int) -> String {
        if view.showsKeys { return "any key goes back to the table" }
        if let typed = view.typed { return "filter: \(typed)_   Enter applies, Esc leaves" }
        var parts: [String] = []
        if view.isPaused { parts.append("PAUSED") }
        if !view.filter.isEmpty { parts.append("filter '\(view.filter)'") }
        parts.append("\(count == 0 ? 0 : scroll + 1)-\(scroll + seen) of \(count)")
        parts.append("by \(view.order.rawValue)\(view.isReversed ? ", reversed" : "")")
        parts.append("q quit  ? keys  / filter  s,r order  t servers")
        return parts.joined(separator: "  ")
    }
}

// MARK: The table

extension TopScreen {
    /// One column of numbers.
    fileprivate struct Column: Sendable {
        var title: String
        var width: Int
        /// Columns of a lower rank go first where there is no room.
        var rank: Int
        var service: @Sendable (TopFeed.Service, TopReading.Rates) -> String
        var server: @Sendable (TopFeed.Server, TopReading.Rates) -> String

        /// A column that both kinds of row reckon from their rates.
        static func rate(
            _ title: String, _ width: Int, rank: Int,
            _ text: @escaping @Sendable (TopReading.Rates) -> String
        ) -> Column {
            Column(
                title: title, width: width, rank: rank, service: { text($1) },
                server: { text($1) })
        }

        static let all = [
            Column(
                title: "Weight", width: 7, rank: 0, service: { _, _ in "" },
                server: { server, _ in String(server.weight) }),
            Column(
                title: "Active", width: 7, rank: 6,
                service: { service, _ in LiveTable.short(service.active, 1000) },
                server: { server, _ in LiveTable.short(server.active, 1000) }),
            Column(
                title: "Inact", width: 7, rank: 1,
                service: { service, _ in LiveTable.short(service.inactive, 1000) },
                server: { server, _ in LiveTable.short(server.inactive, 1000) }),
            .rate("Conn/s", 7, rank: 7) { decimal($0.connections) },
            .rate("InPkt/s", 8, rank: 4) { decimal($0.inPackets) },
            .rate("OutPkt/s", 9, rank: 5) { decimal($0.outPackets) },
            .rate("In B/s", 7, rank: 2) { binary($0.inBytes) },
            .rate("Out B/s", 8, rank: 3) { binary($0.outBytes) },
        ]
    }

    /// The columns that there is room for beside names, and what is left for these.
    private static func layout(_ columns: Int) -> (kept: [Column], name: Int) {
        var kept = Column.all
        while let least = kept.indices.min(by: { kept[$0].rank < kept[$1].rank }),
            columns - kept.reduce(0, { $0 + $1.width }) < 28
        {
            kept.remove(at: least)
        }
        return (kept, min(60, max(1, columns - kept.reduce(0) { $0 + $1.width })))
    }

    private static func heading(_ columns: [Column], name: Int) -> String {
        "Service, servers".left(name) + columns.map { $0.title.right($0.width) }.joined()
    }

    private func text(of row: TopView.Row, _ columns: [Column], name: Int) -> String {
        let service = reading.feed.services[row.service]
        guard let number = row.server else {
            let rates = reading.rates(of: service)
            return cell("\(service.title) \(service.scheduler)", name)
                + columns.map { $0.service(service, rates).right($0.width) }.joined()
        }
        let server = service.servers[number]
        let rates = reading.rates(of: server, in: service)
        let branch =
            abilities.hasUnicode ? (row.isLast ? " └ " : " ├ ") : (row.isLast ? " ` " : " | ")
        return cell("\(branch)\(server.endpoint) \(server.method)", name)
            + columns.map { $0.server(server, rates).right($0.width) }.joined()
    }

    /// Text of exactly this width; what is longer in a terminal's row ends in a mark.
    private func cell(_ text: String, _ width: Int) -> String {
        let length = text.count
        guard length > width else { return text + String(repeating: " ", count: width - length) }
        return width < 2
            ? String(text.prefix(width))
            : text.prefix(width - 2) + (abilities.hasUnicode ? "… " : "~ ")
    }

    private func style(of row: TopView.Row) -> Style {
        let service = reading.feed.services[row.service]
        guard let number = row.server else { return .strong }
        return service.servers[number].weight == 0 ? .faint : .plain
    }

    /// At most four digits and a letter; below ten with one place behind the point.
    private static func short(_ value: Double, _ unit: UInt64) -> String {
        let tenths = (value * 10).rounded()
        if tenths > 0, tenths < 100, tenths.truncatingRemainder(dividingBy: 10) != 0 {
            return "\(Int(tenths) / 10).\(Int(tenths) % 10)"
        }
        return LiveTable.short(UInt64(min(value.rounded(), 1e18)), unit)
    }

    fileprivate static func decimal(_ value: Double) -> String { short(value, 1000) }
    fileprivate static func binary(_ value: Double) -> String { short(value, 1024) }
}

// MARK: Styles

extension TopScreen {
    private enum Style: String {
        case plain = ""
        case strong = "1"
        case faint = "2"
        case heading = "7"
        case warning = "33"
        case alarm = "31"
    }

    /// The text cut to the width, in its style (ECMA-48, SGR) where there are colours.
    private func styled(_ text: String, _ style: Style, _ columns: Int) -> String {
        let cut = String(text.prefix(columns))
        guard abilities.hasColours, style != .plain, !cut.isEmpty else { return cut }
        let filled =
            style == .heading ? cut + String(repeating: " ", count: columns - cut.count) : cut
        return "\u{1b}[\(style.rawValue)m\(filled)\u{1b}[0m"
    }
}
