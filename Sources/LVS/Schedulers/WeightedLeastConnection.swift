/// wlc: the server with the least connections for its weight; the newest wins a tie
/// (ipvs-semantics 2.4).
final class WeightedLeastConnection: Scheduler {
    static let name = "wlc"

    init(options: SchedulerOptions) {}

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {}

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        var chosen: (number: DestinationIndex, overhead: Int64, weight: Int64)?
        for position in 0..<servers.count {
            let server = servers[position]
            guard server.isEligible else { continue }
            let (overhead, weight) = (server.overhead, Int64(server.weight))
            // a is less loaded than b when load(a) * weight(b) < load(b) * weight(a): no division.
            if let best = chosen, overhead &* best.weight >= best.overhead &* weight { continue }
            chosen = (server.number, overhead, weight)
        }
        return chosen?.number
    }
}
