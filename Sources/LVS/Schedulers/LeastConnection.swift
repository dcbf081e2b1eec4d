import CIntrinsics

/// lc: the server with the least connections, of whatever weight but 0; the newest wins a tie
/// (ipvs-semantics 2.4).
final class LeastConnection: Scheduler {
    static let name = "lc"

    init(options: SchedulerOptions) {}

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {}

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        var (chosen, least, position) = (-1, Int64.max, 0)
        while true {
            position = servers.next(LVS_UNWEIGHTED, from: position, load: least)
            guard position < servers.count else { break }
            let server = servers.load(position)
            if server.isEligible, server.overhead < least {
                (chosen, least) = (position, server.overhead)
            }
            position += 1
        }
        return chosen < 0 ? nil : servers.number(chosen)
    }

    func figures(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> SchedulerFigures
    {
        SchedulerFigures(rule: "the least overhead, whatever the weight")
            .adding("overhead", servers) { .number(Int(servers.load($0).overhead)) }
    }
}
