import ArgumentParser
import Instruments
import LVS
import Posix

/// `director simulate`: schedulers side by side on the same made-up connections.
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "director simulate",
        abstract: "Try schedulers side by side on the same made-up connections.",
        discussion: """
            Each server's share beside its weight, the worst imbalance, how many clients meet another \
            server when one is added or removed, and what a connection costs on this machine. Everything \
            but the cost is the same in every run with the same words.
            """)

    @Option(
        name: .long,
        help: ArgumentHelp("Schedulers, separated by commas; all of them.", valueName: "rr,wlc"))
    var schedulers: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Weights of the real servers: 3,2,1 or 10x1.", valueName: "weights"))
    var weights = "1,1,1"

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Weight of the server that is added; the first one's.", valueName: "weight"))
    var addedWeight: Int32?

    @Option(name: .long, help: ArgumentHelp("New connections a second.", valueName: "number"))
    var rate = 500.0

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How long connections come, in each of the three parts: as it is, one server more, one less.",
            valueName: "seconds"))
    var duration = 20.0

    @Option(name: .long, help: ArgumentHelp("How many clients there are.", valueName: "number"))
    var clients = 10_000

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How long connections last: \(SimulatedLoad.Sessions.usage).", valueName: "sessions"))
    var sessions = "2"

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Whether all clients connect alike (even), or some far more often (harmonic).",
            valueName: "even|harmonic"))
    var popularity = "even"

    @Option(
        name: .long,
        help: ArgumentHelp("Persistence of the service; 0 for none.", valueName: "seconds"))
    var persistent: UInt32 = 0

    @Option(name: .long, help: ArgumentHelp("What chance begins with.", valueName: "number"))
    var seed: UInt64 = 1

    func run() throws {
        do throws(SimulatedLoad.Mistake) {
            let result = try Simulator.run(try load()) { name in
                if Program.isErrorTerminal { Program.complain("\r\(name)\u{1b}[K") }
            }
            if Program.isErrorTerminal { Program.complain("\r\u{1b}[K") }
            Program.output(result.table)
        } catch {
            Program.complain("director simulate: \(error)\n")
            throw ExitCode.failure
        }
    }

    private func load() throws(SimulatedLoad.Mistake) -> SimulatedLoad {
        var load = SimulatedLoad()
        if let schedulers { load.schedulers = schedulers.split(separator: ",").map(String.init) }
        load.weights = try SimulatedLoad.weights(weights)
        load.addedWeight = addedWeight
        load.connectionsPerSecond = rate
        load.seconds = duration
        load.clients = clients
        load.sessions = try SimulatedLoad.Sessions(sessions)
        load.popularity = try SimulatedLoad.Popularity(popularity)
        load.persistenceSeconds = persistent
        load.seed = seed
        return load
    }
}
