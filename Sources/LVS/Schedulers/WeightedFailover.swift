/// fo: the server with the largest weight, whatever its load; the newest wins a tie
/// (ipvs-semantics 2.6).
final class WeightedFailover: Scheduler {
    static let name = "fo"

    init(options: SchedulerOptions) {}

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {}

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        servers.heaviest(withRoom: false)
    }

    func figures(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> SchedulerFigures
    {
        SchedulerFigures(rule: "the largest weight")
    }
}
