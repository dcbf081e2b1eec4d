/// What of a reading is shown, and in which order: what the person at the terminal chose.
package struct TopView: Equatable {
    /// What rows are sorted by.
    package enum Order: String, CaseIterable {
        case name, connections, packets, bytes, active, inactive

        package var next: Order {
            let all = Self.allCases
            let place = all.firstIndex(of: self) ?? 0
            return all[(place + 1) % all.count]
        }
    }

    package var order = Order.name
    /// The largest last; of names, the first last.
    package var isReversed = false
    /// Part of a service's or server's name, in small letters.
    package var filter = ""
    package var showsServers = true
    /// Rows above the first that is seen.
    package var scroll = 0
    /// What is being typed as the next filter; nil when keys are commands.
    package var typed: String?
    package var isPaused = false
    /// The keys are listed in the place of the table; any key ends that.
    package var showsKeys = false

    package init() {}

    /// A row of the table: a service, or one of its servers.
    package struct Row: Equatable {
        package var service: Int
        /// Position in the service; nil for the service itself.
        package var server: Int?
        /// No further server of its service follows.
        package var isLast = false
    }

    /// The rows of a reading in their order.
    package func rows(of reading: TopReading) -> [Row] {
        var rows: [Row] = []
        let services = reading.feed.services
        let order = sorted(services.indices) { place in
            let service = services[place]
            return value(reading.rates(of: service), service.active, service.inactive)
        }
        for place in order {
            let service = services[place]
            var servers = Array(service.servers.indices)
            if !matches(service.title) {
                servers = servers.filter { matches(service.servers[$0].endpoint) }
                if servers.isEmpty { continue }
            }
            rows.append(Row(service: place))
            guard showsServers else { continue }
            servers = sorted(servers) { number in
                let server = service.servers[number]
                return value(
                    reading.rates(of: server, in: service), server.active, server.inactive)
            }
            for number in servers {
                rows.append(Row(service: place, server: number, isLast: number == servers.last))
            }
        }
        return rows
    }

    private func matches(_ name: String) -> Bool {
        filter.isEmpty || name.lowercased().contains(filter)
    }

    private func value(_ rates: TopReading.Rates, _ active: UInt64, _ inactive: UInt64) -> Double {
        switch order {
        case .name: 0
        case .connections: rates.connections
        case .packets: rates.packets
        case .bytes: rates.bytes
        case .active: Double(active)
        case .inactive: Double(inactive)
        }
    }

    /// The largest first; equals, and all of them by name, stay in the order of listings.
    private func sorted(
        _ places: some Sequence<Int>, by value: (Int) -> Double
    ) -> [Int] {
        guard order != .name else { return isReversed ? places.reversed() : Array(places) }
        let values = places.map { (place: $0, value: value($0)) }
        return values.sorted { first, second in
            if first.value != second.value {
                return isReversed ? first.value < second.value : first.value > second.value
            }
            return first.place < second.place
        }.map(\.place)
    }
}

/// A key of the terminal that means something.
package enum TopKey: Equatable {
    case character(Character)
    case up, down, pageUp, pageDown, home, end
    case enter, escape, backspace
    case interrupt, suspend, redraw

    /// Takes the keys from what a terminal sent; the beginning of an unfinished one stays.
    package static func taken(from bytes: inout [UInt8]) -> [TopKey] {
        var keys: [TopKey] = []
        var rest = bytes[...]
        while let first = rest.first {
            if first == 0x1b {
                guard takeSequence(&rest, &keys) else { break }
                continue
            }
            rest = rest.dropFirst()
            switch first {
            case 0x03: keys.append(.interrupt)
            case 0x1a: keys.append(.suspend)
            case 0x0c: keys.append(.redraw)
            case 0x0a, 0x0d: keys.append(.enter)
            case 0x08, 0x7f: keys.append(.backspace)
            case 0x20...0x7e: keys.append(.character(Character(Unicode.Scalar(first))))
            default: break
            }
        }
        bytes = Array(rest)
        return keys
    }

    /// Takes an escape sequence (ECMA-48) or the escape key itself; false when it is not all there.
    private static func takeSequence(
        _ rest: inout ArraySlice<UInt8>, _ keys: inout [TopKey]
    ) -> Bool {
        let tail = rest.dropFirst()
        // A sequence comes in one piece: an escape with nothing behind it is the key.
        guard let second = tail.first, second == 0x5b || second == 0x4f else {
            rest = tail
            keys.append(.escape)
            return true
        }
        let body = tail.dropFirst()
        let parameters = body.prefix { (0x20...0x3f).contains($0) }
        guard let final = body.dropFirst(parameters.count).first else {
            // No key is that long: what follows is noise.
            guard parameters.count > 16 else { return false }
            rest = []
            return true
        }
        rest = body.dropFirst(parameters.count + 1)
        switch (final, String(decoding: parameters, as: UTF8.self)) {
        case (0x41, _): keys.append(.up)
        case (0x42, _): keys.append(.down)
        case (0x48, _), (0x7e, "1"), (0x7e, "7"): keys.append(.home)
        case (0x46, _), (0x7e, "4"), (0x7e, "8"): keys.append(.end)
        case (0x7e, "5"): keys.append(.pageUp)
        case (0x7e, "6"): keys.append(.pageDown)
        default: break
        }
        return true
    }
}

extension TopView {
    /// What a key asks for beyond a change of the view.
    package enum Wish: Equatable { case nothing, quit, suspend, redraw }

    /// Obeys a key; `page` is the number of rows that are seen at once.
    package mutating func obey(_ key: TopKey, page: Int) -> Wish {
        if key == .interrupt { return .quit }
        if key == .suspend { return .suspend }
        if key == .redraw { return .redraw }
        guard typed == nil else {
            edit(key)
            return .nothing
        }
        if showsKeys {
            showsKeys = false
            return .nothing
        }
        switch key {
        case .character("q"), .character("Q"): return .quit
        case .character("?"), .character("h"): showsKeys = true
        case .character("/"): typed = ""
        case .character("s"): choose(order.next)
        case .character("n"): choose(.name)
        case .character("c"): choose(.connections)
        case .character("p"): choose(.packets)
        case .character("b"): choose(.bytes)
        case .character("a"): choose(.active)
        case .character("i"): choose(.inactive)
        case .character("r"): isReversed.toggle()
        case .character("t"):
            showsServers.toggle()
            scroll = 0
        case .character(" "): isPaused.toggle()
        case .escape:
            filter = ""
            scroll = 0
        case .up, .character("k"): scroll -= 1
        case .down, .character("j"): scroll += 1
        case .pageUp: scroll -= max(1, page)
        case .pageDown: scroll += max(1, page)
        case .home: scroll = 0
        case .end: scroll = .max / 2
        default: break
        }
        scroll = max(0, scroll)
        return .nothing
    }

    private mutating func choose(_ order: Order) {
        self.order = order
        scroll = 0
    }

    private mutating func edit(_ key: TopKey) {
        switch key {
        case .character(let character): if (typed?.count ?? 0) < 60 { typed?.append(character) }
        case .backspace: typed = typed.map { String($0.dropLast()) }
        case .enter:
            filter = (typed ?? "").lowercased()
            typed = nil
            scroll = 0
        case .escape: typed = nil
        default: break
        }
    }
}
