internal import LVS

/// Connections that a simulation makes up: who comes, how often, and how long each stays; or those of
/// a capture.
///
/// A simulation has three parts of the same length: with the servers as they are, with one more, and
/// then without the first one. A capture is played once in each, and twice in the first: so the same
/// clients are asked after whether nothing changes, a server comes or a server goes.
package struct SimulatedLoad: Hashable, Sendable {
    /// How long connections stay open.
    package enum Sessions: Hashable, Sendable {
        case fixed(seconds: Double)
        /// Without memory: the mean says all.
        case exponential(meanSeconds: Double)
        /// A part of them, 0 to 1, is long.
        case mixed(shortSeconds: Double, longSeconds: Double, longShare: Double)
    }

    /// Which clients come.
    package enum Popularity: Hashable, Sendable {
        /// Each as often as any other.
        case even
        /// The n-th comes as often as the first divided by n.
        case harmonic
    }

    /// What is wrong with a load, and what is accepted.
    package struct Mistake: Error, Hashable, Sendable, CustomStringConvertible {
        package var description: String

        package init(description: String) { self.description = description }
    }

    /// Connections of a capture; nil for connections that are made up.
    ///
    /// Only the schedulers, weights, persistence and seed are looked at beside a capture.
    package var captured: CapturedLoad?
    /// Names of the schedulers that are tried.
    package var schedulers = SchedulerRegistry.names
    /// A weight for each server.
    package var weights: [Int32] = [1, 1, 1]
    /// Weight of the server that is added; nil for that of the first.
    package var addedWeight: Int32?
    /// On average: they come by chance (a Poisson process).
    package var connectionsPerSecond = 500.0
    /// Length of each of the three parts.
    package var seconds = 20.0
    package var clients = 10_000
    package var sessions = Sessions.exponential(meanSeconds: 2)
    package var popularity = Popularity.even
    /// Seconds that a client is kept on its server; 0 for no persistence.
    package var persistenceSeconds: UInt32 = 0
    /// The same seed gives the same connections on every machine.
    package var seed: UInt64 = 1
    /// Bursts of 64 new connections whose cost is measured at the end; 0 measures none.
    package var measuredBursts = 200

    package init() {}

    /// Most connections of a simulation.
    package static let mostConnections = 20_000_000.0
    /// Most clients: one for each address of 10.0.0.0/8.
    package static let mostClients = 16_000_000

    /// Throws what keeps the load from being simulated.
    package func check() throws(Mistake) {
        try expect((1...1000).contains(weights.count), "servers", "1 to 1000")
        try expect(
            (weights + [added]).allSatisfy { (0...65535).contains($0) }, "weights", "0 to 65535")
        try expect(weights.contains { $0 > 0 }, "weights", "at least one above 0")
        try expect(persistenceSeconds <= 86_400 * 31, "persistence", "0 to 2678400 seconds")
        try expect((0...1000).contains(measuredBursts), "measured bursts", "0 to 1000")
        try expect(!schedulers.isEmpty, "schedulers", known)
        for name in schedulers {
            try expect(SchedulerRegistry.names.contains(name), "scheduler \(name)", known)
        }
        if captured == nil { try checkMadeUp() }
    }

    private func checkMadeUp() throws(Mistake) {
        try expect(
            (0.01...1_000_000).contains(connectionsPerSecond), "connections a second",
            "0.01 to 1000000")
        try expect((0.1...86_400).contains(seconds), "seconds", "0.1 to 86400")
        try expect(
            connectionsPerSecond * seconds * 3 <= Self.mostConnections, "connections",
            "at most \(Int(Self.mostConnections)) in all three parts")
        try expect(
            (1...Self.mostClients).contains(clients), "clients", "1 to \(Self.mostClients)")
        let lengths: [Double] =
            switch sessions {
            case .fixed(let seconds): [seconds]
            case .exponential(let mean): [mean]
            case .mixed(let short, let long, _): [short, long]
            }
        try expect(
            lengths.allSatisfy { (0.001...1_000_000).contains($0) }, "session lengths",
            "0.001 to 1000000 seconds")
        if case .mixed(_, _, let share) = sessions {
            try expect((0...1).contains(share), "the share of long sessions", "0 to 1")
        }
    }

    var added: Int32 { addedWeight ?? weights.first ?? 1 }

    /// How many clients there are.
    var clientCount: Int { captured?.clients.count ?? clients }

    /// About how many connections a whole run has.
    var mostLikely: Double {
        captured.map { Double($0.connections.count * Course.plays) }
            ?? connectionsPerSecond * seconds * 3.3
    }

    private var known: String { SchedulerRegistry.names.joined(separator: ", ") }

    private func expect(
        _ holds: Bool, _ what: String, _ accepted: @autoclosure () -> String
    ) throws(Mistake) {
        guard !holds else { return }
        throw Mistake(description: "\(what): accepted are \(accepted())")
    }
}
