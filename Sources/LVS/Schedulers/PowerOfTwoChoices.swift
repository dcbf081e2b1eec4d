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
        for position in 0..<servers.count where servers[position].isEligible {
            total += Int64(servers[position].weight)
        }
        guard total > 0 else { return nil }
        var random = SeededGenerator(seed: request.random)
        var left = (
            Int64.random(in: 0...total, using: &random), Int64.random(in: 0...total, using: &random)
        )
        var choices: (first: Destination?, second: Destination?)
        for position in 0..<servers.count {
            let server = servers[position]
            guard server.isEligible else { continue }
            left.0 -= Int64(server.weight)
            left.1 -= Int64(server.weight)
            if left.0 <= 0, choices.first == nil { choices.first = server }
            if left.1 <= 0, choices.second == nil { choices.second = server }
            if choices.first != nil, choices.second != nil { break }
        }
        // A server that became overloaded since the weights were summed up leaves a draw open.
        guard let first = choices.first ?? choices.second else { return nil }
        let second = choices.second ?? first
        let isSecondLess =
            Int64(second.weight) &* first.overhead > Int64(first.weight) &* second.overhead
        return isSecondLess ? second.number : first.number
    }
}
