import ArgumentParser
import Control
import Instruments
import Posix

/// `director diff`: one capture through two sets of rules.
struct DiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "director diff",
        abstract: "Play a capture through two sets of rules and say what differs.",
        discussion: """
            Which connections go to another real server, which clients lose theirs, what is dropped, and \
            each server's load over time. Exit status: 0 nothing differs, 1 something does, 2 trouble.
            """)

    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp(
            "Rules; to be given twice, the present ones and those to compare.", valueName: "file"))
    var rules: [String]

    @OptionGroup var options: ReplayOptions

    @Flag(name: .long, help: "For programs.")
    var json = false

    func validate() throws {
        guard rules.count == 2 else {
            throw ValidationError(
                "--rules is needed twice, for the two sets of rules; \(rules.count) given")
        }
        if options.read.contains(where: { NamedFile($0).path == "-" }) {
            throw ValidationError("--read -: the capture is read twice, so it must be a file")
        }
    }

    func run() throws {
        Signals.ignoreBrokenPipes()
        do {
            let interruption = try Interruption()
            let stages = try rules.map { try Stage(rules: $0, options, try options.open()) }
            let diff = ReplayDiff(stages[0].run, stages[1].run)
            var progress = ReplayProgress(stages[0].run.capture)
            while diff.step() {
                guard diff.number & 0x3ff == 0 else { continue }
                progress.show(stages[0].run.number)
                if interruption.hasCome { throw ExitCode(130) }
            }
            diff.finish()
            progress.end()
            let remarks = stages[0].run.remarks
            if json {
                Program.output(diff.json(rules: rules, remarks: remarks))
            } else {
                let lines = remarks.map { "capture      \($0)\n" }.joined()
                Program.output(
                    "first        \(rules[0])\nsecond       \(rules[1])\n\(lines)\(diff.text)")
            }
            throw diff.isSame ? ExitCode.success : ExitCode(1)
        } catch let failure as StartFailure {
            Program.complain("director diff: \(failure)\n")
            throw ExitCode(2)
        }
    }
}
