/// nq: the newest server without an active connection, whatever its weight; when all have some, the
/// one that sed would choose (ipvs-semantics 2.4).
final class NeverQueue: Scheduler {
    static let name = "nq"

    init(options: SchedulerOptions) {}

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {}

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        var least = LeastLoaded()
        var idle = -1
        servers.walk { position, server in
            if server.active == 0, server.isEligible { idle = position }
            least.consider(position, server, load: server.expected)
            return idle < 0
        }
        let position = idle < 0 ? least.position : idle
        return position < 0 ? nil : servers.number(position)
    }
}
