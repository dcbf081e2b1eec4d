/// nq: the newest server without an active connection, whatever its weight; when all have some, the
/// one that sed would choose (ipvs-semantics 2.4).
final class NeverQueue: Scheduler {
    static let name = "nq"

    init(options: SchedulerOptions) {}

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {}

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        servers.leastExpected(takesIdle: true)
    }

    func figures(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> SchedulerFigures
    {
        SchedulerFigures(
            rule: "the first without an active connection, else the least active + 1 for its weight"
        ).addingDelay(servers)
    }
}
