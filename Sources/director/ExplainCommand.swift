import ArgumentParser
import Control
import Instruments
import Posix

/// `director explain`: why a packet went where it went, or would go.
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "director explain",
        abstract: "Say why a packet goes where it goes, step by step.",
        discussion: """
            Either packet N of a capture (--read FILE --packet N), or one that nobody has sent:

              director explain --rules FILE tcp 198.51.100.7:4321 to 192.0.2.1:80

            An arrow may stand for 'to', in quotes, since > is the shell's. With both, the packet comes \
            after packet N of the capture. 'directorctl explain' asks a director that runs.
            """)

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Rules as 'ipvsadm -Sn' writes them, with settings and the network if you like.",
            valueName: "file"))
    var rules: String

    @OptionGroup var options: ReplayOptions

    @Option(name: .long, help: ArgumentHelp("Number of the packet in the capture, from 1."))
    var packet: UInt64?

    @Flag(name: .long, help: "For programs.")
    var json = false

    @Argument(
        help: ArgumentHelp(
            "A packet: PROTOCOL SOURCE to DESTINATION.",
            discussion: "\(Hypothesis.usage)", valueName: "packet"))
    var words: [String] = []

    func validate() throws {
        guard !words.isEmpty || packet != nil else {
            throw ValidationError(
                "say which packet: --read FILE --packet N, or words such as "
                    + "tcp 198.51.100.7:4321 to 192.0.2.1:80")
        }
        guard packet == nil || !options.read.isEmpty else {
            throw ValidationError("--packet needs --read FILE")
        }
        guard packet != 0 else { throw ValidationError("--packet 0: packets count from 1") }
        guard packet != nil || options.read.isEmpty else {
            throw ValidationError("--read needs --packet N, which says how far to play it")
        }
    }

    func run() throws {
        Signals.ignoreBrokenPipes()
        do {
            let explanation = try explain()
            Program.output(json ? explanation.json : explanation.text)
        } catch let failure as StartFailure {
            Program.complain("director explain: \(failure)\n")
            throw ExitCode.failure
        }
    }

    private func explain() throws -> Explanation {
        let hypothesis: Hypothesis?
        do throws(HypothesisError) {
            hypothesis = words.isEmpty ? nil : try Hypothesis(words)
        } catch {
            throw StartFailure("\(error)")
        }
        var options = options
        // What nobody captured needs no room for a million connections.
        if options.read.isEmpty { options.connections = min(options.connections, 1 << 12) }
        let capture = options.read.isEmpty ? MergedCapture([]) : try options.open()
        let stage = try Stage(rules: rules, options, capture, also: hypothesis?.interface)
        if let hypothesis {
            if let packet { while stage.run.number < packet, stage.run.step() {} }
            do throws(HypothesisError) {
                return try stage.replay.explanation(of: hypothesis)
            } catch {
                throw StartFailure("\(error)")
            }
        }
        guard let packet else { throw StartFailure("no packet was named") }
        let before = stage.replay.counts
        guard let explanation = stage.run.explanation(ofPacket: packet) else {
            let why = stage.run.absence(ofPacket: packet, before: before)
            throw StartFailure("packet \(packet) never came to the director: \(why)")
        }
        return explanation
    }
}
