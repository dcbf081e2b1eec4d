/// lc: the server with the least connections, of whatever weight but 0; the newest wins a tie
/// (ipvs-semantics 2.4).
final class LeastConnection: Scheduler {
    static let name = "lc"

    init(options: SchedulerOptions) {}

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {}

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        var (chosen, least) = (-1, Int64.max)
        servers.walk { position, server in
            if server.overhead < least, server.isEligible {
                (chosen, least) = (position, server.overhead)
            }
            return true
        }
        return chosen < 0 ? nil : servers.number(chosen)
    }
}
