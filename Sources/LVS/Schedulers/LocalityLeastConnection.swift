/// lblc: remembers a server for each virtual address and stays with it until it is busy while
/// another one is not; new addresses get the server that wlc would choose (ipvs-semantics 2.7).
final class LocalityLeastConnection: Scheduler {
    static let name = "lblc"

    private var cache = LocalityCache<DestinationIndex>()
    private var expirationSeconds = 0

    init(options: SchedulerOptions) { take(options) }

    func take(_ options: SchedulerOptions) {
        expirationSeconds = options.settings["lblc_expiration"] ?? 0
    }

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {}

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        let known = cache.recall(request.virtual, at: request.now)
        if let number = known?.memory {
            // A full server stays the one that is remembered: its overload flag is not asked.
            let server = servers.destination(number)
            let load = server.current
            if load.weight > 0, server.isAvailable, !servers.isBusy(load) { return number }
        }
        guard let number = servers.leastLoaded() else { return nil }
        if let known {
            cache[known.position] = number
        } else {
            cache.insert(request.virtual, number, at: request.now)
        }
        return number
    }

    func remembers(_ number: DestinationIndex) -> Bool { cache.contains { $0 == number } }

    func tick(_ now: Instant) { cache.collect(now, expirationSeconds: expirationSeconds) }

    func figures(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> SchedulerFigures
    {
        let known = cache.peek(request.virtual)
        return SchedulerFigures(
            rule: "the server remembered for the virtual address unless it is busy and another is "
                + "not, else the least overhead for its weight"
        )
        .saying("remembered", servers, known)
        .saying("busy", known.map { servers.isBusy(servers.destination($0).current) ? 1 : 0 })
        .addingOverhead(servers)
    }
}
