/// twos: draws two servers, heavier ones more often, and takes the less loaded for its weight
/// (ipvs-semantics 2.10).
final class PowerOfTwoChoices: Scheduler {
    static let name = "twos"

    private var sums = WeightSums()

    init(options: SchedulerOptions) {}

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {
        sums.makeRoom(for: servers.count)
    }

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        let total = sums.sumUp(servers)
        guard total > 0 else { return nil }
        var random = SeededGenerator(seed: request.random)
        let draws = (
            Self.draw(upTo: total, random.next()), Self.draw(upTo: total, random.next())
        )
        // A server that became overloaded since the weights were summed up leaves a draw open.
        let found = (sums.reach(draws.0, in: servers), sums.reach(draws.1, in: servers))
        guard let first = found.0 ?? found.1 else { return nil }
        let second = found.1 ?? first
        let (a, b) = (servers.load(first), servers.load(second))
        let isSecondLess = Int64(b.weight) &* a.overhead > Int64(a.weight) &* b.overhead
        return servers.number(isSecondLess ? second : first)
    }

    /// A number from 0 to `total`, without a division.
    private static func draw(upTo total: Int64, _ word: UInt64) -> Int64 {
        Int64(word.multipliedFullWidth(by: UInt64(total) + 1).high)
    }
}

/// Weights of the servers that can be chosen, summed up in blocks for one decision, so that a draw
/// is found without a second walk over all servers.
private struct WeightSums {
    private static let blockLength = 16
    private var blocks: [Int64] = []

    /// Prepares for a number of servers, so that decisions allocate nothing.
    mutating func makeRoom(for servers: Int) {
        let count = (servers + Self.blockLength - 1) / Self.blockLength
        if count != blocks.count { blocks = [Int64](repeating: 0, count: count) }
    }

    /// Sums the weights up; returns the sum of all.
    mutating func sumUp(_ servers: borrowing DestinationList) -> Int64 {
        var total: Int64 = 0
        for block in blocks.indices {
            let sum = servers.sumWeights(Self.range(block, servers.count))
            blocks[block] = sum
            total &+= sum
        }
        return total
    }

    /// Position of the server at which the weights reach a draw.
    func reach(_ draw: Int64, in servers: borrowing DestinationList) -> Int? {
        var left = draw
        for block in blocks.indices {
            if left &- blocks[block] <= 0 {
                var found: Int?
                servers.walk(Self.range(block, servers.count)) { position, server in
                    left &-= Int64(max(server.ability, 0))
                    if left <= 0, server.isEligible { found = position }
                    return found == nil
                }
                if let found { return found }
            } else {
                left &-= blocks[block]
            }
        }
        return nil
    }

    private static func range(_ block: Int, _ count: Int) -> Range<Int> {
        block * blockLength..<min((block + 1) * blockLength, count)
    }
}
