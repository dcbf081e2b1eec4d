import ArgumentParser
import Control
import Instruments
import Posix

/// `director replay`: a capture through a set of rules.
struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "director replay",
        abstract: "Play a capture through a set of rules, without a network.",
        discussion: """
            Time is the capture's. What the director would have sent is written to --write; the summary \
            says what each real server got, and why packets were dropped. The same input gives the same \
            output, byte for byte.
            """)

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Rules as 'ipvsadm -Sn' writes them, with settings and the network if you like.",
            valueName: "file"))
    var rules: String?

    @OptionGroup var options: ReplayOptions
    @OptionGroup var sending: ReplaySending

    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp(
            "File for what is sent: pcapng if it ends in .pcapng, else pcap.",
            discussion: "NAME=FILE takes one interface's frames only; - is standard output.",
            valueName: "[name=]file"))
    var write: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Stop after packet N and show the table and its connections.", valueName: "N"))
    var at: UInt64?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Seconds to let pass after the last packet.", valueName: "seconds"))
    var wait: UInt64 = 0

    @Option(
        name: .long,
        help: ArgumentHelp(
            "File for a report with curves and ladder diagrams, one page of HTML.",
            valueName: "file.html"))
    var report: String?

    @Flag(name: .long, help: "The summary for programs.")
    var json = false

    func validate() throws {
        guard (rules == nil) != (sending.interface == nil) else {
            throw ValidationError(
                "--rules FILE plays the capture through rules, --interface NAME sends it as it is; "
                    + "one of them is needed")
        }
        guard
            sending.interface == nil
                || (write.isEmpty && at == nil && wait == 0 && report == nil && !json)
        else {
            throw ValidationError("--write, --report, --json, --at and --wait go with --rules")
        }
        for file in write where NamedFile(file).path.isEmpty {
            throw ValidationError("'\(file)' names no file; FILE or NAME=FILE is accepted")
        }
        guard wait <= 10 * 366 * 86_400 else {
            throw ValidationError("--wait \(wait): at most ten years are accepted")
        }
    }

    func run() throws {
        Signals.ignoreBrokenPipes()
        do {
            try play()
        } catch let failure as StartFailure {
            Program.complain("director replay: \(failure)\n")
            throw ExitCode.failure
        }
    }

    private func play() throws {
        let interruption = try Interruption()
        let capture = try options.open()
        if let interface = sending.interface {
            guard try sending.send(capture, on: interface, interruption) else {
                throw ExitCode(130)
            }
            return
        }
        guard let rules else { throw StartFailure("--rules FILE is missing") }
        let stage = try Stage(rules: rules, options, capture)
        let output = try output(stage, capture)
        stage.replay.sink = output
        let recorder = report.map { _ in ReplayRecorder(stage.run, before: output) }
        var progress = ReplayProgress(capture)
        var wasInterrupted = false
        let end = at ?? .max
        while stage.run.number < end,
            stage.run.play(to: min(end, (stage.run.number | 0xfff) + 1))
        {
            progress.show(stage.run.number)
            wasInterrupted = interruption.hasCome
            if wasInterrupted || output.failure != nil { break }
        }
        stage.replay.finish(afterSeconds: wasInterrupted ? 0 : wait)
        output.close()
        progress.end()
        recorder?.finish()
        if let report, let recorder {
            try ReportFile(path: report).write(ReplayReport(recorder, title: title).html)
        }
        tell(stage, output, wasInterrupted)
        if let failure = output.failure { throw StartFailure("\(failure)") }
        if wasInterrupted { throw ExitCode(130) }
    }

    /// Whether standard output is the capture.
    private var isOutputTaken: Bool { write.contains { NamedFile($0).path == "-" } }

    private var title: String {
        let captures = ReportFile.names(options.read.map { NamedFile($0).path })
        return "Replay of \(captures) by \(ReportFile.names([rules ?? ""]))"
    }

    private func output(_ stage: Stage, _ capture: MergedCapture) throws -> ReplayOutput {
        let files = write.map { NamedFile($0) }.map { (name: $0.name, path: $0.path) }
        do throws(CaptureError) {
            return try ReplayOutput(
                files, ports: stage.replay.network.ports,
                sparing: capture.sources.compactMap(\.reader.identity))
        } catch {
            throw StartFailure("\(error)")
        }
    }

    private func tell(_ stage: Stage, _ output: ReplayOutput, _ wasInterrupted: Bool) {
        guard !json else {
            let text = ReplaySummary(of: stage.run).json
            return isOutputTaken ? Program.complain(text) : Program.output(text)
        }
        var text = ""
        if at != nil {
            let table = StillTable(stage.target, reason: "the table of a replay is only shown")
            text += "after packet \(stage.run.number):\n"
            text += table.listing(["-Ln"]) + table.listing(["-Lnc"]) + "\n"
        }
        if wasInterrupted { text += "stopped      at packet \(stage.run.number)\n" }
        text += ReplaySummary(of: stage.run).text
        text += output.lines.map { "written    \($0)\n" }.joined()
        if isOutputTaken { Program.complain(text) } else { Program.output(text) }
    }
}

/// Whether somebody wants the program to end.
struct Interruption: ~Copyable {
    private let signals: Signals

    init() throws {
        do throws(SystemError) {
            signals = try Signals([Signals.terminate, Signals.interrupt])
        } catch {
            throw StartFailure("\(error)")
        }
    }

    var hasCome: Bool { signals.next() != nil }
}
