/// ovf: the server with the largest weight that has not more active connections than its weight, so
/// that each takes one more than that before the next one overflows to; the newest wins a tie
/// (ipvs-semantics 2.6).
final class WeightedOverflow: Scheduler {
    static let name = "ovf"

    init(options: SchedulerOptions) {}

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {}

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        servers.heaviest(withRoom: true)
    }

    func figures(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> SchedulerFigures
    {
        SchedulerFigures(rule: "the largest weight that has room")
            .adding("room", servers) { position in
                let load = servers.load(position)
                return .number(max(Int(load.weight) - Int(load.active) + 1, 0))
            }
    }
}
