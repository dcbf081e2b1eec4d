/// The schedulers a service can name.
package enum SchedulerRegistry {
    /// One line for each scheduler.
    private static let all: [any Scheduler.Type] = [
        RoundRobin.self,
        WeightedRoundRobin.self,
        LeastConnection.self,
        WeightedLeastConnection.self,
        ShortestExpectedDelay.self,
        NeverQueue.self,
        DestinationHashing.self,
        SourceHashing.self,
        LocalityLeastConnection.self,
        ReplicatedLocalityLeastConnection.self,
        WeightedFailover.self,
        WeightedOverflow.self,
        MaglevHashing.self,
        PowerOfTwoChoices.self,
    ]

    /// Names as an operator types them.
    package static var names: [String] { all.map { $0.name } }

    /// Most servers of a service with this scheduler; nil for a name that is not known.
    package static func mostServers(_ name: String) -> Int? {
        all.first { $0.name == name }?.mostServers
    }

    /// A new scheduler of this name; nil for a name that is not known.
    package static func make(_ name: String, options: SchedulerOptions) -> (any Scheduler)? {
        all.first { $0.name == name }?.init(options: options)
    }
}
