import ArgumentParser
import Logging
import PacketIO
import Posix

/// The program: the daemon, or one of the commands that need none.
///
/// They are no subcommands of the daemon's, since both have options of the same names.
@main
enum DirectorProgram {
    /// By the word that the command line begins with.
    static let commands: [(word: String, command: any ParsableCommand.Type)] = [
        ("replay", ReplayCommand.self), ("explain", ExplainCommand.self),
        ("diff", DiffCommand.self), ("simulate", SimulateCommand.self),
    ]

    static func main() {
        let words = Array(CommandLine.arguments.dropFirst())
        if let found = commands.first(where: { $0.word == words.first }) {
            found.command.main(Array(words.dropFirst()))
        } else {
            DirectorCommand.main(words)
        }
    }
}

/// The daemon.
struct DirectorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "director",
        abstract: "A Linux Virtual Server director in user space.",
        discussion: """
            Takes frames from the interfaces it serves, balances virtual services over real servers \
            as IPVS does (NAT, DR, TUN), and is configured with directorctl, which takes ipvsadm's \
            commands.

            'director replay' plays a capture through a set of rules instead, 'director explain' says \
            why a packet goes where it goes, 'director diff' compares two sets of rules, and 'director \
            simulate' tries schedulers; each has a help of its own (director replay --help).

            SIGTERM ends it and leaves the host as it was; SIGHUP reads the rules file again. Needs \
            CAP_NET_RAW and CAP_NET_ADMIN.
            """,
        version: director.version)

    @OptionGroup var options: Options

    func run() throws {
        var logger = Logger(label: "director") { StreamLogHandler.standardError(label: $0) }
        guard let level = Logger.Level(rawValue: options.logLevel) else {
            let levels = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--log-level \(options.logLevel): accepted are \(levels)")
        }
        logger.logLevel = level
        Signals.ignoreBrokenPipes()
        if options.check {
            let (text, isReady) = Check.run(options)
            Program.output(text)
            throw isReady ? ExitCode.success : ExitCode.failure
        }
        do {
            if options.clean {
                try clean(logger)
            } else {
                try serve(options, logger)
            }
        } catch let failure as StartFailure {
            logger.error("\(failure)")
            throw ExitCode.failure
        }
    }
}

/// Version of the director and its tools.
let version = "0.1.0"

/// What keeps a director from starting: a sentence for the operator.
struct StartFailure: Error, CustomStringConvertible {
    var description: String

    init(_ description: String) { self.description = description }
}

/// Removes what a director that is no more has left on this host.
private func clean(_ logger: Logger) throws {
    do {
        var found = try IngressBlock.clean() + QueueRules.clean()
        if let place = TablePlace.default(isLooking: true), place.clean() {
            found.append("the table \(place.path)")
        }
        try HostRules.clean()
        let what = found.isEmpty ? "nothing was left" : "removed \(found.joined(separator: ", "))"
        logger.info("\(what)")
    } catch {
        throw StartFailure("\(error)")
    }
}

/// Serves until a signal ends it.
private func serve(_ options: Options, _ logger: Logger) throws {
    let signals: Signals
    do throws(SystemError) {
        signals = try Signals([Signals.terminate, Signals.interrupt, Signals.hangUp])
    } catch {
        throw StartFailure("\(error)")
    }
    let housekeeper = try Wiring.assemble(options, logger)
    try housekeeper.run(signals)
}
