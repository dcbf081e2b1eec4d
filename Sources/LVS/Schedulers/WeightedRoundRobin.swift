/// wrr: passes over the servers with a falling threshold; a server takes part in a pass when its
/// weight reaches it (ipvs-semantics 2.3).
///
/// A change of the servers keeps the threshold where it can, so a service built server by server
/// begins with the lowest pass; a scheduler that starts on a full list begins with the highest. A
/// search that finds nobody leaves its mark: one that saw a whole pass with the lowest threshold goes
/// on from the head with the highest, one that ended where it began goes on from there with the
/// lowest, as recordings with full servers show.
final class WeightedRoundRobin: Scheduler {
    static let name = "wrr"

    /// The server chosen last; nil is the head, before the newest.
    private var current: DestinationIndex?
    /// Where it stood when it was chosen.
    private var place = 0
    private var threshold: Int64 = 0
    private var highest: Int64 = 0
    private var divisor: Int64 = 1

    init(options: SchedulerOptions) {}

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {
        current = nil
        divisor = max(servers.reduceWeights(0) { Self.commonDivisor($0, $1) }, 1)
        highest = servers.reduceWeights(0) { max($0, $1) } - (divisor - 1)
        if event == .started || threshold > highest || threshold == 0 {
            threshold = highest
        } else if divisor > 1 {
            threshold = threshold / divisor * divisor + 1
        }
    }

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        guard highest > 0 else { return nil }
        let start = servers.position(after: current, guess: place)
        var position = start
        var (isLowest, hasWrapped) = (false, false)
        while true {
            // With every threshold tried, the last pass ends at the server where the search began.
            let isLast = isLowest && hasWrapped && start > 0
            if let found = first(in: servers, position..<(isLast ? start : servers.count)) {
                (current, place) = (servers.number(found), found)
                return current
            }
            if isLast { return nil }
            threshold -= divisor
            if threshold <= 0 {
                threshold = highest
                if isLowest || start == 0 {
                    current = nil
                    return nil
                }
                hasWrapped = true
            }
            isLowest = threshold <= divisor
            position = 0
        }
    }

    /// The first server whose weight reaches the threshold; that is above 0, and the ability of an
    /// overloaded server below.
    private func first(in servers: borrowing DestinationList, _ range: Range<Int>) -> Int? {
        var found: Int?
        servers.walk(range) { position, server in
            if Int64(server.ability) >= threshold { found = position }
            return found == nil
        }
        return found
    }

    func copy() -> any Scheduler {
        let copy = WeightedRoundRobin(options: SchedulerOptions())
        (copy.current, copy.place) = (current, place)
        (copy.threshold, copy.highest, copy.divisor) = (threshold, highest, divisor)
        return copy
    }

    func figures(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> SchedulerFigures
    {
        let start = servers.position(after: current, guess: place)
        return SchedulerFigures(rule: "the next in turn whose weight reaches the threshold")
            .saying("after", servers, current)
            .saying("threshold", threshold)
            .saying("step", divisor)
            .saying("highest", highest)
            .adding("turn", servers) { .number(servers.turn(of: $0, from: start)) }
    }

    private static func commonDivisor(_ left: Int64, _ right: Int64) -> Int64 {
        var (a, b) = (left, right)
        while b != 0 { (a, b) = (b, a % b) }
        return a
    }
}
