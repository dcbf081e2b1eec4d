/// rr: each server in turn, newest first, whatever its weight (ipvs-semantics 2.2).
final class RoundRobin: Scheduler {
    static let name = "rr"

    /// The server chosen last; nil is the head, before the newest.
    private var current: DestinationIndex?
    /// Where it stood when it was chosen.
    private var place = 0

    init(options: SchedulerOptions) {}

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {
        switch event {
        case .started:
            current = nil
        case .removed(let number, let position) where number == current:
            current = position > 0 ? servers[position - 1].number : nil
        case .added, .edited, .removed:
            break
        }
    }

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        let start = servers.position(after: current, guess: place)
        guard
            let found = first(in: servers, start..<servers.count)
                ?? first(in: servers, 0..<start)
        else { return nil }
        (current, place) = (servers.number(found), found)
        return current
    }

    private func first(in servers: borrowing DestinationList, _ range: Range<Int>) -> Int? {
        var found: Int?
        servers.walk(range) { position, server in
            if server.isEligible { found = position }
            return found == nil
        }
        return found
    }

    func figures(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> SchedulerFigures
    {
        let start = servers.position(after: current, guess: place)
        return SchedulerFigures(rule: "the next in turn that has weight")
            .saying("after", servers, current)
            .adding("turn", servers) { .number(servers.turn(of: $0, from: start)) }
    }
}
