/// fo: the server with the largest weight, whatever its load; the newest wins a tie
/// (ipvs-semantics 2.6).
final class WeightedFailover: Scheduler {
    static let name = "fo"

    init(options: SchedulerOptions) {}

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {}

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        var chosen: (number: DestinationIndex, weight: Int32)?
        for position in 0..<servers.count {
            let server = servers[position]
            let weight = server.weight
            guard server.isEligible, weight > chosen?.weight ?? 0 else { continue }
            chosen = (server.number, weight)
        }
        return chosen?.number
    }
}
