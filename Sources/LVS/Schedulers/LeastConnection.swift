/// lc: the server with the least connections, of whatever weight but 0; the newest wins a tie
/// (ipvs-semantics 2.4).
final class LeastConnection: Scheduler {
    static let name = "lc"

    init(options: SchedulerOptions) {}

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {}

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        var chosen: (number: DestinationIndex, overhead: Int64)?
        for position in 0..<servers.count {
            let server = servers[position]
            guard server.isEligible else { continue }
            let overhead = server.overhead
            if let best = chosen, best.overhead <= overhead { continue }
            chosen = (server.number, overhead)
        }
        return chosen?.number
    }
}
