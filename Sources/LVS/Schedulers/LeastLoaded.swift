import CIntrinsics

/// The least loaded for its weight of the servers shown to it; the first wins a tie
/// (ipvs-semantics 2.1).
struct LeastLoaded {
    /// Position of the server as it was shown; -1 when none can be chosen.
    private(set) var position = -1
    /// Of the server at that position; at first, what every server that can be chosen goes below.
    private var load: Int64 = 1
    private var weight: Int64 = 0

    /// The first server from a position on that may be less loaded.
    @inline(__always)
    func next(
        _ question: lvs_question, of servers: borrowing DestinationList, from position: Int
    ) -> Int {
        // A load that does not fit shows every server that has weight.
        load > Int64(UInt32.max)
            ? servers.next(question, from: position, load: 1, weight: 0)
            : servers.next(question, from: position, load: load, weight: weight)
    }

    /// Takes a server into the comparison.
    @inline(__always)
    mutating func consider(_ position: Int, _ server: ServerLoad, load newLoad: Int64) {
        let ability = Int64(server.ability)
        // a is less loaded than b when load(a) * weight(b) < load(b) * weight(a): no division. A
        // server without ability never is, since its right side is not above 0.
        if newLoad &* weight < load &* ability {
            (self.position, self.load, self.weight) = (position, newLoad, ability)
        }
    }
}

extension DestinationList {
    /// The server with the least connections for its weight.
    func leastLoaded() -> DestinationIndex? {
        var least = LeastLoaded()
        var position = 0
        while true {
            position = least.next(LVS_OVERHEAD, of: self, from: position)
            guard position < count else { break }
            let server = load(position)
            least.consider(position, server, load: server.overhead)
            position += 1
        }
        return least.position < 0 ? nil : number(least.position)
    }

    /// The server with the least active connections for its weight, the next one included; with
    /// `takesIdle` the first one without an active connection comes before that.
    @inline(__always)
    func leastExpected(takesIdle: Bool) -> DestinationIndex? {
        var least = LeastLoaded()
        var position = 0
        while true {
            position = least.next(
                takesIdle ? LVS_EXPECTED_OR_IDLE : LVS_EXPECTED, of: self, from: position)
            guard position < count else { break }
            let server = load(position)
            if takesIdle, server.active == 0, server.isEligible { return number(position) }
            least.consider(position, server, load: server.expected)
            position += 1
        }
        return least.position < 0 ? nil : number(least.position)
    }

    /// The heaviest server that can be chosen; the first wins a tie.
    ///
    /// With `withRoom` it must not have more active connections than its weight.
    @inline(__always)
    func heaviest(withRoom: Bool) -> DestinationIndex? {
        var (chosen, weight, position) = (-1, Int32(0), 0)
        while true {
            position = next(
                withRoom ? LVS_HEAVIER_WITH_ROOM : LVS_HEAVIER, from: position,
                weight: Int64(weight))
            guard position < count else { break }
            let server = load(position)
            if server.ability > weight, !withRoom || server.active <= Int64(server.ability) {
                (chosen, weight) = (position, server.ability)
            }
            position += 1
        }
        return chosen < 0 ? nil : number(chosen)
    }

    /// True when a server has more active connections than its weight while another one has room:
    /// then lblc and lblcr leave the server they remember (ipvs-semantics 2.7).
    func isBusy(_ server: ServerLoad) -> Bool {
        server.active > Int64(server.weight) && next(LVS_HAS_ROOM, from: 0) < count
    }
}
