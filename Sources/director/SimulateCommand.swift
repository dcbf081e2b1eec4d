import ArgumentParser
import Instruments
import LVS
import Posix

/// `director simulate`: schedulers side by side on the same connections, made up or captured.
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "director simulate",
        abstract: "Try schedulers side by side on the same connections, made up or captured.",
        discussion: """
            Each server's share beside its weight, the worst imbalance, how many clients meet another \
            server when one is added or removed, and what a connection costs on this machine. Everything \
            but the cost is the same in every run with the same words.

            With --read the connections are those of a capture, which is played four times: twice with \
            the servers as they are, then with one more, then without the first one.
            """)

    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp(
            "Take the connections of this capture, pcap or pcapng; may be repeated.",
            valueName: "file"))
    var read: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "With --read: connections to this address and port only; else to any.",
            valueName: "vip:port"))
    var to: String?

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

    @Option(name: .long, help: ArgumentHelp("New connections a second; 500.", valueName: "number"))
    var rate: Double?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How long connections come, in each of the three parts: as it is, one server more, one less; 20.",
            valueName: "seconds"))
    var duration: Double?

    @Option(
        name: .long, help: ArgumentHelp("How many clients there are; 10000.", valueName: "number"))
    var clients: Int?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "How long connections last: \(SimulatedLoad.Sessions.usage); 2.",
            valueName: "sessions"))
    var sessions: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Whether all clients connect alike (even, as without it), or some far more often (harmonic).",
            valueName: "even|harmonic"))
    var popularity: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Persistence of the service; 0 for none.", valueName: "seconds"))
    var persistent: UInt32 = 0

    @Option(name: .long, help: ArgumentHelp("What chance begins with.", valueName: "number"))
    var seed: UInt64 = 1

    @Flag(name: .long, help: "Show every server's share, also where there are many servers.")
    var shares = false

    @Option(
        name: .long,
        help: ArgumentHelp(
            "File for a report with plots, one page of HTML.", valueName: "file.html"))
    var report: String?

    @Flag(name: .long, help: "The result for programs.")
    var json = false

    func validate() throws {
        let madeUp: [(String, Bool)] = [
            ("--rate", rate != nil), ("--duration", duration != nil),
            ("--clients", clients != nil), ("--sessions", sessions != nil),
            ("--popularity", popularity != nil),
        ]
        if !read.isEmpty, let other = madeUp.first(where: { $0.1 }) {
            throw ValidationError("\(other.0) is for connections that are made up, not for --read")
        }
        guard to == nil || !read.isEmpty else {
            throw ValidationError("--to needs --read FILE")
        }
    }

    func run() throws {
        Signals.ignoreBrokenPipes()
        do {
            let load = try load()
            let result = try Simulator.run(load) { name in
                if Program.isErrorTerminal { Program.complain("\r\(name)\u{1b}[K") }
            }
            if Program.isErrorTerminal { Program.complain("\r\u{1b}[K") }
            if let report {
                try ReportFile(path: report).write(SimulationReport(result, title: title).html)
            }
            Program.output(json ? result.json : result.text(shares: shares))
        } catch {
            Program.complain("director simulate: \(error)\n")
            throw ExitCode.failure
        }
    }

    private var title: String {
        read.isEmpty
            ? "Simulation of schedulers"
            : "Simulation of schedulers with "
                + ReportFile.names(read.map { NamedFile($0).path })
    }

    private func load() throws(SimulatedLoad.Mistake) -> SimulatedLoad {
        var load = SimulatedLoad()
        if let schedulers { load.schedulers = schedulers.split(separator: ",").map(String.init) }
        load.weights = try SimulatedLoad.weights(weights)
        load.addedWeight = addedWeight
        load.persistenceSeconds = persistent
        load.seed = seed
        if let rate { load.connectionsPerSecond = rate }
        if let duration { load.seconds = duration }
        if let clients { load.clients = clients }
        if let sessions { load.sessions = try SimulatedLoad.Sessions(sessions) }
        if let popularity { load.popularity = try SimulatedLoad.Popularity(popularity) }
        // What is wrong with the words is said before a long capture is read.
        try load.check()
        if !read.isEmpty { load.captured = try captured() }
        return load
    }

    private func captured() throws(SimulatedLoad.Mistake) -> CapturedLoad {
        let service: CapturedLoad.Service?
        if let to { service = try CapturedLoad.Service(to) } else { service = nil }
        let capture: MergedCapture
        do throws(CaptureError) {
            capture = try ReplayOptions.open(read)
        } catch {
            throw SimulatedLoad.Mistake(description: "\(error)")
        }
        var progress = ReplayProgress(capture)
        defer { progress.end() }
        return try CapturedLoad(capture, to: service) { progress.show($0) }
    }
}
