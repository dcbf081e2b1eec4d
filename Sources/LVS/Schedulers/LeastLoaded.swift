/// The least loaded for its weight of the servers shown to it; the first wins a tie
/// (ipvs-semantics 2.1).
struct LeastLoaded {
    /// Position of the server as it was shown; -1 when none can be chosen.
    private(set) var position = -1
    /// Of the server at that position; at first, what every server that can be chosen goes below.
    private var load: Int64 = 1
    private var weight: Int64 = 0

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
    /// The least loaded server of the list, with a load of the caller's choice.
    @inline(__always)
    func leastLoaded(by load: (ServerLoad) -> Int64) -> DestinationIndex? {
        var least = LeastLoaded()
        walk { position, server in
            least.consider(position, server, load: load(server))
            return true
        }
        return least.position < 0 ? nil : number(least.position)
    }

    /// The heaviest server that can be chosen and that the caller accepts; the first wins a tie.
    @inline(__always)
    func heaviest(where accepts: (ServerLoad) -> Bool) -> DestinationIndex? {
        var (chosen, weight) = (-1, Int32(0))
        walk { position, server in
            if server.ability > weight, accepts(server) {
                (chosen, weight) = (position, server.ability)
            }
            return true
        }
        return chosen < 0 ? nil : number(chosen)
    }

    /// True when a server has more active connections than its weight while another one has room:
    /// then lblc and lblcr leave the server they remember (ipvs-semantics 2.7).
    func isBusy(_ server: Destination) -> Bool {
        let load = server.current
        guard load.active > Int64(load.weight) else { return false }
        var isRoom = false
        walk { _, other in
            isRoom = 2 &* other.active < Int64(other.weight)
            return !isRoom
        }
        return isRoom
    }
}
