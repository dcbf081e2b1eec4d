/// What a scheduler compares to choose a server, for people who want to know why.
package struct SchedulerFigures: Hashable, Sendable {
    /// A number of one server.
    package enum Figure: Hashable, Sendable {
        case none
        case number(Int)
        /// A load for its weight, as it is compared: without a division.
        case ratio(Int64, Int64)
    }

    /// Something about the scheduler itself.
    package enum Fact: Hashable, Sendable {
        case none
        case number(Int)
        case server(IPAddress, port: UInt16)
    }

    /// A number of each server, in the order of the list: newest first.
    package struct Column: Hashable, Sendable {
        package var name: String
        package var figures: [Figure]
    }

    /// A fact with its name.
    package struct Saying: Hashable, Sendable {
        package var name: String
        package var fact: Fact
    }

    /// How it chooses, in a few words.
    package var rule: String
    package var facts: [Saying] = []
    package var columns: [Column] = []

    package init(rule: String) { self.rule = rule }

    /// The same with one more fact; nil says that there is none.
    func saying(_ name: String, _ number: (some BinaryInteger)?) -> SchedulerFigures {
        saying(name, number.map { .number(Int($0)) } ?? .none)
    }

    /// The same with a server that the scheduler has in mind; nil, and no destination, is none.
    func saying(
        _ name: String, _ servers: borrowing DestinationList, _ number: DestinationIndex?
    ) -> SchedulerFigures {
        guard let number, number != Destination.none else { return saying(name, .none) }
        let server = servers.destination(number)
        return saying(name, .server(server.address, port: server.port))
    }

    private func saying(_ name: String, _ fact: Fact) -> SchedulerFigures {
        var new = self
        new.facts.append(Saying(name: name, fact: fact))
        return new
    }

    /// The same with a number of each server.
    func adding(
        _ name: String, _ servers: borrowing DestinationList, _ figure: (Int) -> Figure
    ) -> SchedulerFigures {
        var new = self
        new.columns.append(Column(name: name, figures: (0..<servers.count).map(figure)))
        return new
    }

    /// What lc and wlc compare: 256 x active + inactive connections, and for the weight.
    func addingOverhead(_ servers: borrowing DestinationList) -> SchedulerFigures {
        var (overhead, ratio): ([Figure], [Figure]) = ([], [])
        for position in 0..<servers.count {
            let load = servers.load(position)
            overhead.append(.number(Int(load.overhead)))
            ratio.append(.ratio(load.overhead, Int64(load.weight)))
        }
        return adding("overhead", overhead).adding("per weight", ratio)
    }

    /// What sed and nq compare: active connections and one more, for the weight.
    func addingDelay(_ servers: borrowing DestinationList) -> SchedulerFigures {
        var delays: [Figure] = []
        for position in 0..<servers.count {
            let load = servers.load(position)
            delays.append(.ratio(load.expected, Int64(load.weight)))
        }
        return adding("delay", delays)
    }

    /// How many places of a table each server has.
    func addingShares(
        _ name: String, _ places: [DestinationIndex], _ servers: borrowing DestinationList
    ) -> SchedulerFigures {
        var shares: [DestinationIndex: Int] = [:]
        for number in places { shares[number, default: 0] += 1 }
        var figures: [Figure] = []
        for position in 0..<servers.count {
            figures.append(.number(shares[servers.number(position)] ?? 0))
        }
        return adding(name, figures)
    }

    private func adding(_ name: String, _ figures: [Figure]) -> SchedulerFigures {
        var new = self
        new.columns.append(Column(name: name, figures: figures))
        return new
    }
}

/// One decision of a service's scheduler.
package struct Scheduling: Sendable {
    /// A server as the scheduler met it.
    package struct Candidate: Hashable, Sendable {
        package var number: DestinationIndex
        package var address: IPAddress
        /// 0 keeps the packet's port.
        package var port: UInt16
        package var method: ForwardingMethod
        package var weight: Int32
        package var active: UInt32
        package var inactive: UInt32
        package var isOverloaded: Bool
        /// 0 is no threshold.
        package var upperThreshold: UInt32
        package var lowerThreshold: UInt32

        init(_ server: Destination) {
            number = server.number
            address = server.address
            port = server.port
            method = server.method
            weight = server.weight
            active = server.active
            inactive = server.inactive
            isOverloaded = server.isOverloaded
            upperThreshold = server.upperThreshold
            lowerThreshold = server.lowerThreshold
        }
    }

    package var service: ServiceKey
    /// The operator's name; nil for `none`.
    package var scheduler: String?
    package var figures: SchedulerFigures
    /// Newest first, as schedulers walk them.
    package var candidates: [Candidate]
    /// nil when none can take the connection.
    package var chosen: DestinationIndex?

    /// What is there before the scheduler is asked.
    init(
        of service: ServiceKey, _ request: ScheduleRequest, by scheduler: (any Scheduler)?,
        among servers: borrowing DestinationList
    ) {
        self.service = service
        self.scheduler = scheduler.map { type(of: $0).name }
        figures =
            scheduler?.figures(request, among: servers)
            ?? SchedulerFigures(rule: "no scheduler: new connections are refused")
        candidates = []
        for position in 0..<servers.count { candidates.append(Candidate(servers[position])) }
    }

    /// The same with the chosen server alone, which takes little memory however many there are.
    var withoutComparison: Scheduling {
        var other = self
        other.figures = SchedulerFigures(rule: figures.rule)
        other.candidates = candidates.filter { $0.number == chosen }
        return other
    }
}

extension DestinationList {
    /// Which place a position has when servers are looked at from another one on, from 1.
    func turn(of position: Int, from start: Int) -> Int {
        position >= start ? position - start + 1 : count - start + position + 1
    }
}
