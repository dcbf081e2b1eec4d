/// twos: draws two servers, heavier ones more often, and takes the less loaded for its weight
/// (ipvs-semantics 2.10).
final class PowerOfTwoChoices: Scheduler {
    static let name = "twos"

    init(options: SchedulerOptions) {}

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {}

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        var total: Int64 = 0
        servers.walk { _, server in
            total &+= Int64(max(server.ability, 0))
            return true
        }
        guard total > 0 else { return nil }
        var random = SeededGenerator(seed: request.random)
        let draws = (
            Int64.random(in: 0...total, using: &random), Int64.random(in: 0...total, using: &random)
        )
        // The smaller draw is reached first, whichever of the two it is.
        let nearer = reach(min(draws.0, draws.1), in: servers, from: 0, passed: 0)
        // A server that became overloaded since the weights were summed up leaves a draw open.
        guard nearer.position >= 0 else { return nil }
        let farther = reach(
            max(draws.0, draws.1), in: servers, from: nearer.position, passed: nearer.passed)
        let other = farther.position < 0 ? nearer.position : farther.position
        let (first, second) =
            draws.0 <= draws.1 ? (nearer.position, other) : (other, nearer.position)
        let (a, b) = (servers[first].current, servers[second].current)
        let isSecondLess = Int64(b.weight) &* a.overhead > Int64(a.weight) &* b.overhead
        return servers.number(isSecondLess ? second : first)
    }

    /// The server at which the weights from a position on reach a draw, and what those before it
    /// weigh; -1 when they do not.
    @inline(__always)
    private func reach(
        _ draw: Int64, in servers: borrowing DestinationList, from start: Int, passed: Int64
    ) -> (position: Int, passed: Int64) {
        var (found, left) = (-1, draw &- passed)
        servers.walk(from: start) { position, server in
            let rest = left &- Int64(max(server.ability, 0))
            if rest <= 0, server.isEligible {
                found = position
                return false
            }
            left = rest
            return true
        }
        return (found, draw &- left)
    }
}
