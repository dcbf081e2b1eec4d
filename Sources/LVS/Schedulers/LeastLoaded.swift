/// The least loaded for its weight of the servers shown to it; the first wins a tie
/// (ipvs-semantics 2.1).
struct LeastLoaded {
    private(set) var number: DestinationIndex?
    private var load: Int64 = 0
    private var weight: Int64 = 0

    /// Takes a server into the comparison unless it cannot be chosen at all.
    mutating func consider(_ server: Destination, load newLoad: Int64) {
        guard server.isEligible else { return }
        let newWeight = Int64(server.weight)
        // a is less loaded than b when load(a) * weight(b) < load(b) * weight(a): no division.
        if number != nil, newLoad &* weight >= load &* newWeight { return }
        (number, load, weight) = (server.number, newLoad, newWeight)
    }
}

extension DestinationList {
    /// The least loaded server of the list, with a load of the caller's choice.
    func leastLoaded(by load: (Destination) -> Int64) -> DestinationIndex? {
        var least = LeastLoaded()
        for position in 0..<count {
            let server = self[position]
            least.consider(server, load: load(server))
        }
        return least.number
    }

    /// The heaviest server that can be chosen and that the caller accepts; the first wins a tie.
    func heaviest(where accepts: (Destination) -> Bool = { _ in true }) -> DestinationIndex? {
        var chosen: (number: DestinationIndex, weight: Int32)?
        for position in 0..<count {
            let server = self[position]
            let weight = server.weight
            guard server.isEligible, weight > chosen?.weight ?? 0, accepts(server) else { continue }
            chosen = (server.number, weight)
        }
        return chosen?.number
    }

    /// True when a server has more active connections than its weight while another one has room:
    /// then lblc and lblcr leave the server they remember (ipvs-semantics 2.7).
    func isBusy(_ server: Destination) -> Bool {
        guard Int64(server.active) > Int64(server.weight) else { return false }
        for position in 0..<count {
            let other = self[position]
            if 2 * Int64(other.active) < Int64(other.weight) { return true }
        }
        return false
    }
}

extension Destination {
    /// Connections that would be active if it took the next one, as sed and nq count load.
    var expectedConnections: Int64 { Int64(active) + 1 }
}
