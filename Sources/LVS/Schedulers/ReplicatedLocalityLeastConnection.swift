/// lblcr: remembers a set of servers for each virtual address and chooses the least loaded of them;
/// a set grows when that one is busy while another server is not, and shrinks when it has not
/// changed for long (ipvs-semantics 2.8).
final class ReplicatedLocalityLeastConnection: Scheduler {
    static let name = "lblcr"

    private var sets = ServerSets()

    init(options: SchedulerOptions) { take(options) }

    func take(_ options: SchedulerOptions) {
        sets.expirationSeconds = options.settings["lblcr_expiration"] ?? 0
    }

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {}

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        sets.schedule(request, among: servers)
    }

    func figures(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> SchedulerFigures
    {
        let members = sets.cache.peek(request.virtual)?.members ?? []
        return SchedulerFigures(
            rule: "the least loaded of the virtual address's set unless it is busy and another is "
                + "not, else the least overhead for its weight"
        )
        .saying("members", members.count)
        .adding("member", servers) { members.contains(servers.number($0)) ? .number(1) : .none }
        .addingOverhead(servers)
    }

    func remembers(_ number: DestinationIndex) -> Bool {
        sets.cache.contains { $0.members.contains(number) }
    }

    func tick(_ now: Instant) { sets.collect(now) }
}

/// The servers of each address, and how they are chosen from.
private struct ServerSets {
    /// The newest member first.
    struct ServerSet {
        var members: [DestinationIndex]
        var lastChange: Instant
    }

    private(set) var cache = LocalityCache<ServerSet>()
    var expirationSeconds = 0

    mutating func collect(_ now: Instant) {
        cache.collect(now, expirationSeconds: expirationSeconds)
    }

    mutating func schedule(
        _ request: ScheduleRequest, among servers: borrowing DestinationList
    ) -> DestinationIndex? {
        guard let (position, set) = cache.recall(request.virtual, at: request.now) else {
            guard let number = servers.leastLoaded() else { return nil }
            cache.insert(
                request.virtual, ServerSet(members: [number], lastChange: request.now),
                at: request.now)
            return number
        }
        let least = leastLoaded(set.members, servers)
        if set.members.count > 1 {
            let age = UInt64(max(expirationSeconds, 0))
            if request.now > set.lastChange.advanced(bySeconds: age) {
                removeMostLoaded(position, set.members, servers, now: request.now)
            }
        }
        if let least, !servers.isBusy(servers.destination(least).current) { return least }
        guard let number = servers.leastLoaded() else { return nil }
        if cache[position]?.members.contains(number) == false {
            cache[position]?.members.insert(number, at: 0)
            cache[position]?.lastChange = request.now
        }
        return number
    }

    private func leastLoaded(
        _ members: [DestinationIndex], _ servers: borrowing DestinationList
    ) -> DestinationIndex? {
        var least = LeastLoaded()
        // Positions, since an array's iterator allocates in debug builds.
        for index in members.indices {
            let server = servers.destination(members[index])
            guard server.isAvailable else { continue }
            let load = server.current
            least.consider(index, load, load: load.overhead)
        }
        return least.position < 0 ? nil : members[least.position]
    }

    /// Shrinks a set that has not changed for `lblcr_expiration`.
    private mutating func removeMostLoaded(
        _ position: Int, _ members: [DestinationIndex], _ servers: borrowing DestinationList,
        now: Instant
    ) {
        var most: (number: DestinationIndex, load: Int64, weight: Int64)?
        for number in members {
            let server = servers.destination(number).current
            let (load, weight) = (server.overhead, Int64(server.weight))
            guard weight > 0 else { continue }
            if let known = most, known.load &* weight >= load &* known.weight { continue }
            most = (number, load, weight)
        }
        guard let most else { return }
        cache[position]?.members.removeAll { $0 == most.number }
        cache[position]?.lastChange = now
    }
}
