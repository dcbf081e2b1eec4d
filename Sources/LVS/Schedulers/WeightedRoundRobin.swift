/// wrr: passes over the servers with a falling threshold; a server takes part in a pass when its
/// weight reaches it (ipvs-semantics 2.3).
///
/// A change of the servers keeps the threshold where it can, so a service built server by server
/// begins with the lowest pass; a scheduler that starts on a full list begins with the highest.
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
        var position = servers.position(after: current, guess: place)
        // A whole pass has been seen when it began at the head.
        var isWhole = position == 0
        while true {
            var found: Int?
            servers.walk(from: position) { position, server in
                // The threshold is above 0, and the ability of an overloaded server below it.
                if Int64(server.ability) >= threshold { found = position }
                return found == nil
            }
            if let found {
                (current, place) = (servers.number(found), found)
                return current
            }
            current = nil
            let wasLowest = threshold <= divisor
            if wasLowest, isWhole { return nil }
            threshold -= divisor
            if threshold <= 0 { threshold = highest }
            position = 0
            isWhole = true
        }
    }

    private static func commonDivisor(_ left: Int64, _ right: Int64) -> Int64 {
        var (a, b) = (left, right)
        while b != 0 { (a, b) = (b, a % b) }
        return a
    }
}
