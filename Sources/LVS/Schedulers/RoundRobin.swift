/// rr: each server in turn, newest first, whatever its weight (ipvs-semantics 2.2).
final class RoundRobin: Scheduler {
    static let name = "rr"

    /// The server chosen last; nil is the head, before the newest.
    private var current: DestinationIndex?

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
        let count = servers.count
        let start = servers.position(after: current)
        for step in 0..<count {
            let server = servers[(start + step) % count]
            guard server.isEligible else { continue }
            current = server.number
            return server.number
        }
        return nil
    }
}
