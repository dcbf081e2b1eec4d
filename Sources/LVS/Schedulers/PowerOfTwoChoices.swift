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
        var random = SeededGenerator(seed: request.random)
        guard let (first, second) = sums.draw(random.next(), random.next(), from: servers) else {
            return nil
        }
        let (a, b) = (servers.load(first), servers.load(second))
        // One that became overloaded since the weights were summed up leaves the choice to the other.
        guard a.isEligible, b.isEligible else {
            return a.isEligible
                ? servers.number(first) : b.isEligible ? servers.number(second) : nil
        }
        let isSecondLess = Int64(b.weight) &* a.overhead > Int64(a.weight) &* b.overhead
        return servers.number(isSecondLess ? second : first)
    }

    func figures(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> SchedulerFigures
    {
        var (sums, random) = (sums, SeededGenerator(seed: request.random))
        let drawn = sums.draw(random.next(), random.next(), from: servers)
        return SchedulerFigures(rule: "of two drawn by weight, the least overhead for its weight")
            .saying("first", servers, drawn.map { servers.number($0.0) })
            .saying("second", servers, drawn.map { servers.number($0.1) })
            .addingOverhead(servers)
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

    /// Positions of two servers, each drawn by its weight with one random word; nil when none can be
    /// chosen.
    mutating func draw(
        _ first: UInt64, _ second: UInt64, from servers: borrowing DestinationList
    ) -> (Int, Int)? {
        var total: Int64 = 0
        for block in blocks.indices {
            let sum = servers.sumWeights(Self.range(block, servers.count))
            blocks[block] = sum
            total &+= sum
        }
        guard total > 0 else { return nil }
        return (position(first, total, servers), position(second, total, servers))
    }

    /// Position of the server at which the weights reach a number drawn from 0 to `total`.
    private func position(
        _ word: UInt64, _ total: Int64, _ servers: borrowing DestinationList
    ) -> Int {
        // By multiplication, without a division. The first server with weight reaches 0 and 1 alike.
        var left = max(Int64(word.multipliedFullWidth(by: UInt64(total) + 1).high), 1)
        var block = 0
        while block + 1 < blocks.count, left > blocks[block] {
            left &-= blocks[block]
            block += 1
        }
        // Counted, not searched for: where a search would end cannot be predicted.
        let range = Self.range(block, servers.count)
        var position = range.lowerBound
        servers.walk(range) { _, server in
            left &-= Int64(max(server.ability, 0))
            position &+= left > 0 ? 1 : 0
            return true
        }
        // Behind the end only when a server became overloaded since the weights were summed up.
        return min(position, servers.count - 1)
    }

    private static func range(_ block: Int, _ count: Int) -> Range<Int> {
        block * blockLength..<min((block + 1) * blockLength, count)
    }
}
