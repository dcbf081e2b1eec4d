/// The kernel's routes as workers look them up, immutable: the address space cut into ranges, each
/// with one way, found by bisection.
///
/// IPv4 lives in its mapped corner of the IPv6 space, closed off so that no IPv6 route covers it.
@safe
struct RouteTable {
    /// What becomes of packets to an address.
    struct Way: Equatable {
        /// `proceed`: nothing here says anything of the address.
        enum Kind: UInt8 { case noRoute, local, forward, elsewhere, proceed }

        var kind = Kind.noRoute
        var port: PortIndex = 0
        /// Gateway, or `::` for a neighbour on the segment.
        var gateway = IPAddress.anyV6
        /// Who gets the frame; filled in by `NextHopTable` for a given destination.
        var neighbour = IPAddress.anyV6
        /// 0 when the route has none of its own.
        var mtu: UInt32 = 0
        /// Source for packets made here; `::` when the route names none.
        var preferredSource = IPAddress.anyV6
        /// Bits of the prefix, counted within all of IPv6.
        var prefixLength: UInt8 = 0
    }

    private let starts: UnsafeMutablePointer<UInt128>
    private let ways: UnsafeMutablePointer<Way>
    let count: Int

    init(_ routes: [Route]) {
        let cuts = RouteTable.compose(routes)
        count = cuts.count
        unsafe starts = .allocate(capacity: cuts.count)
        unsafe ways = .allocate(capacity: cuts.count)
        for (index, cut) in cuts.enumerated() {
            unsafe (starts + index).initialize(to: cut.start)
            unsafe (ways + index).initialize(to: cut.way)
        }
    }

    func deallocate() {
        unsafe starts.deallocate()
        unsafe ways.deallocate()
    }

    /// The way of the longest matching prefix.
    func find(_ address: IPAddress) -> Way {
        let value = RouteTable.value(address)
        var low = 0
        var high = count
        while high - low > 1 {
            let middle = (low + high) / 2
            if unsafe starts[middle] <= value { low = middle } else { high = middle }
        }
        return unsafe ways[low]
    }

    // MARK: Building

    private struct Range {
        var start: UInt128
        var end: UInt128
        var length: Int
        var metric: UInt64
        var way: Way
    }

    private struct Cut {
        var start: UInt128
        var way: Way
    }

    private static func value(_ address: IPAddress) -> UInt128 {
        UInt128(address.high) << 64 | UInt128(address.low)
    }

    /// One rank after another: a later one decides where those before it have nothing to say.
    private static func compose(_ routes: [Route]) -> [Cut] {
        let ranks = Dictionary(grouping: routes, by: \.rank).sorted { $0.key < $1.key }
        var composed = ranks.first.map { cut($0.value) } ?? cut([])
        for (_, routes) in ranks.dropFirst() { composed = merge(composed, before: cut(routes)) }
        for index in composed.indices where composed[index].way.kind == .proceed {
            composed[index].way = Way()
        }
        return composed
    }

    /// Both lists over one another, the first on top.
    private static func merge(_ first: [Cut], before second: [Cut]) -> [Cut] {
        var merged: [Cut] = []
        var (upper, lower) = (0, 0)
        while upper < first.count || lower < second.count {
            let starts = (
                upper < first.count ? first[upper].start : .max,
                lower < second.count ? second[lower].start : .max
            )
            let start = min(starts.0, starts.1)
            if upper < first.count, starts.0 == start { upper += 1 }
            if lower < second.count, starts.1 == start { lower += 1 }
            // Both lists begin at the first address.
            let way = first[upper - 1].way
            merged.append(
                Cut(start: start, way: way.kind == .proceed ? second[lower - 1].way : way))
        }
        return merged
    }

    /// Nested ranges become neighbouring ones: a stack of open ranges, the innermost on top.
    private static func cut(_ routes: [Route]) -> [Cut] {
        let nothing = Way(kind: .proceed)
        var ranges = routes.map(range)
        ranges.append(range(prefix: .anyV4, length: 96, metric: .max, way: nothing))
        ranges.sort {
            ($0.start, $0.length, $1.metric) < ($1.start, $1.length, $0.metric)
        }
        var cuts = [Cut(start: 0, way: nothing)]
        var open = [(end: UInt128.max, way: nothing)]
        func begin(_ start: UInt128, _ way: Way) {
            if cuts[cuts.count - 1].start == start { cuts.removeLast() }
            cuts.append(Cut(start: start, way: way))
        }
        func close(before start: UInt128?) {
            while let top = open.last, open.count > 1, start.map({ top.end < $0 }) ?? true {
                open.removeLast()
                if top.end != .max { begin(top.end + 1, open[open.count - 1].way) }
            }
        }
        for range in ranges {
            close(before: range.start)
            begin(range.start, range.way)
            open.append((range.end, range.way))
        }
        close(before: nil)
        return cuts
    }

    private static func range(_ route: Route) -> Range {
        var way = Way()
        way.mtu = route.mtu
        way.preferredSource = route.preferredSource ?? .anyV6
        switch route.kind {
        case .forward(let port, let gateway):
            way.kind = .forward
            way.port = port
            way.gateway = gateway ?? .anyV6
        case .elsewhere: way.kind = .elsewhere
        case .local: way.kind = .local
        case .refused: way.kind = .noRoute
        case .proceed: way.kind = .proceed
        }
        let length = min(128, Int(route.prefixLength) + (route.prefix.isV4 ? 96 : 0))
        way.prefixLength = UInt8(length)
        return range(
            prefix: route.prefix, length: length, metric: UInt64(route.metric), way: way)
    }

    private static func range(
        prefix: IPAddress, length: Int, metric: UInt64, way: Way
    ) -> Range {
        let hostBits: UInt128 = length == 0 ? .max : length == 128 ? 0 : .max >> UInt128(length)
        let start = value(prefix) & ~hostBits
        return Range(
            start: start, end: start | hostBits, length: length, metric: metric, way: way)
    }
}
