/// sed: the server that would have the least active connections for its weight with one more; the
/// newest wins a tie (ipvs-semantics 2.4).
final class ShortestExpectedDelay: Scheduler {
    static let name = "sed"

    init(options: SchedulerOptions) {}

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {}

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        servers.leastExpected(takesIdle: false)
    }

    func figures(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> SchedulerFigures
    {
        SchedulerFigures(rule: "the least active + 1 for its weight").addingDelay(servers)
    }
}
