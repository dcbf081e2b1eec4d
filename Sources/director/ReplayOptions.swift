import ArgumentParser
import Control
import Instruments
import LVS
import Posix

/// What replay, explain and diff have in common: captures, and the network around the director.
struct ReplayOptions: ParsableArguments {
    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp(
            "Capture to read: pcap or pcapng; repeat it for several interfaces.",
            discussion: """
                NAME=FILE says which interface of the network it was captured on; - is standard input. \
                Several captures are merged in the order of time.
                """, valueName: "[name=]file"))
    var read: [String] = []

    @Option(
        name: .long, parsing: .singleValue,
        help: ArgumentHelp(
            "Addresses, routes and neighbours of the director, as 'ip -batch' reads them.",
            discussion: """
                Lines such as 'address add 10.1.0.1/24 dev cli'. They may stand in the rules file as \
                well. Without any, clients are behind a gateway and real servers on the link.
                """, valueName: "file"))
    var network: [String] = []

    @Option(
        name: .long,
        help: ArgumentHelp("Connections the table has room for.", valueName: "number"))
    var connections = 1 << 20

    @Option(
        name: .long,
        help: ArgumentHelp(
            "What the director's random choices begin with; the same gives the same.",
            valueName: "number"))
    var seed: UInt64 = 1

    func validate() throws {
        guard (1...ConnectionTable.mostConnections).contains(connections) else {
            throw ValidationError(
                "--connections \(connections): 1 to \(ConnectionTable.mostConnections) are accepted"
            )
        }
        for file in read + network where NamedFile(file).path.isEmpty {
            throw ValidationError("'\(file)' names no file; FILE or NAME=FILE is accepted")
        }
    }

    /// The captures, opened.
    func open() throws -> MergedCapture {
        guard !read.isEmpty else {
            throw ValidationError("--read FILE is missing: the capture to play")
        }
        do throws(CaptureError) {
            return try Self.open(read)
        } catch {
            throw StartFailure("\(error)")
        }
    }

    /// Captures, each a FILE or NAME=FILE.
    static func open(_ files: [String]) throws(CaptureError) -> MergedCapture {
        var sources: [MergedCapture.Source] = []
        for text in files {
            let file = NamedFile(text)
            let reader = try CaptureReader(path: file.path)
            sources.append(MergedCapture.Source(name: file.name, reader: reader))
        }
        return MergedCapture(sources)
    }
}

/// `NAME=FILE` or `FILE`; a name has no slash, so that ./a=b.pcap is a file.
struct NamedFile {
    var name: String?
    var path: String

    init(_ text: String) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, !parts[0].isEmpty, !parts[0].contains("/") {
            name = String(parts[0])
            path = String(parts[1])
        } else {
            path = text
        }
    }
}

/// A replayed director, set up with the rules of a file.
struct Stage {
    let replay: Replay
    let run: ReplayRun
    let target: DirectorTarget

    /// Makes the director; `interface` is one that a packet comes by beside those of the capture.
    init(
        rules path: String, _ options: ReplayOptions, _ capture: MergedCapture,
        also interface: String? = nil
    ) throws {
        var sheet = Sheet()
        for file in options.network {
            try Stage.read(file, into: &sheet)
            guard sheet.rules.allSatisfy(\.isWhitespace) else {
                throw StartFailure(
                    "network file \(file): has rules in it; --rules takes files with both")
            }
        }
        try Stage.read(path, into: &sheet)
        let rules: [Rule]
        do throws(RulesFile.Mistake) {
            rules = try RulesFile.parse(sheet.rules)
        } catch {
            throw StartFailure("rules file \(path), \(error.description)")
        }
        do {
            let names = try ReplayRun.names(of: capture.interfaces, in: sheet.network)
            // Without any interface there is one, that of a capture without a name.
            let all = names + (interface.map { [$0] } ?? [])
            let isAlone = all.isEmpty && sheet.network.links.isEmpty
            let network = try ReplayNetwork(
                sheet.network, names: isAlone ? ["in"] : all, services: rules.services,
                servers: rules.serverAddresses)
            var made = Replay.Options()
            made.connections = options.connections
            made.seed = options.seed
            replay = try Replay(network, made)
            run = ReplayRun(capture, replay, names: names)
            target = DirectorTarget(replay.director)
            for setting in sheet.settings {
                try replay.director.set(name: setting.name, value: setting.value)
            }
            try replay.director.setTimeouts(sheet.timeouts)
            let target = target
            try replay.director.changeTogether { () throws(CommandRefusal) in
                try target.apply(rules)
            }
            replay.begin()
        } catch let error as NetworkSheet.Mistake {
            throw StartFailure("network: \(error)")
        } catch let error as SystemError {
            throw StartFailure("\(options.connections) connections: \(error)")
        } catch let error as CommandRefusal {
            throw StartFailure("rules file \(path): \(error.text)")
        }
    }

    private static func read(_ path: String, into sheet: inout Sheet) throws {
        do {
            try sheet.read(try Files.read(path))
        } catch let error as SystemError {
            throw StartFailure("\(error)")
        } catch let mistake as Sheet.Mistake {
            throw StartFailure("\(path), \(mistake)")
        }
    }
}
