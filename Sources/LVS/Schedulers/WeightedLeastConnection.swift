/// wlc: the server with the least connections for its weight; the newest wins a tie
/// (ipvs-semantics 2.4).
final class WeightedLeastConnection: Scheduler {
    static let name = "wlc"

    init(options: SchedulerOptions) {}

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {}

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        servers.leastLoaded()
    }

    func figures(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> SchedulerFigures
    {
        SchedulerFigures(rule: "the least overhead for its weight").addingOverhead(servers)
    }
}
