/// Carries out command lines against one director and prints what they say.
package final class CommandSession {
    /// How the program calls itself in messages.
    let program: String
    private let output: (String) -> Void
    /// The options of the line that ipvsadm does not have.
    private(set) var own = OwnOptions()
    /// The table of `--watch`, which remembers what it showed last.
    var live: LiveTable?
    /// Takes what a listing that is shown again and again prints.
    private var listing: ((String) -> Void)?
    private let complain: (String) -> Void
    private let readLine: () -> String?
    private let surface: Surface
    /// Shows a director on the terminal until its reader has enough; nil where there is none.
    private let showTop: ((TopOptions) throws(CommandError) -> Void)?
    /// Makes waits that the user can end; nil where only time ends them.
    private let makePause: (() throws(CommandError) -> UserPause)?
    private let connect: () throws(DirectorUnreachable) -> any DirectorTable
    private var connected: (any DirectorTable)?
    private var isRestoring = false

    /// A session; the director is reached when the first line needs it.
    package convenience init(
        program: String, output: @escaping (String) -> Void,
        complain: @escaping (String) -> Void, readLine: @escaping () -> String?,
        surface: Surface = .standard,
        connect: @escaping () throws(DirectorUnreachable) -> any DirectorTable
    ) {
        self.init(
            program: program, output: output, complain: complain, readLine: readLine,
            surface: surface, showTop: nil, makePause: nil, connect: connect)
    }

    init(
        program: String, output: @escaping (String) -> Void,
        complain: @escaping (String) -> Void, readLine: @escaping () -> String?,
        surface: Surface, showTop: ((TopOptions) throws(CommandError) -> Void)?,
        makePause: (() throws(CommandError) -> UserPause)?,
        connect: @escaping () throws(DirectorUnreachable) -> any DirectorTable
    ) {
        self.program = program
        self.output = output
        self.complain = complain
        self.readLine = readLine
        self.surface = surface
        self.showTop = showTop
        self.makePause = makePause
        self.connect = connect
    }

    /// Carries out one line, given as words without the program's name; the exit status.
    package func run(_ words: [String]) -> Int32 {
        do throws(CommandError) {
            try execute(words)
            return 0
        } catch {
            report(error, words)
            return error.status
        }
    }

    fileprivate func report(_ error: CommandError, _ words: [String]) {
        guard !error.text.isEmpty else { return }
        complain(error.text + "\n")
        if let hint = HyphenHint.hint(words) { complain(hint + "\n") }
    }

    private func execute(_ words: [String]) throws(CommandError) {
        var words = words
        own = try OwnOptions(from: &words)
        guard let seconds = own.watchSeconds else { return try perform(words) }
        let watch = Watch(surface: surface, seconds: seconds, count: own.count)
        let title = "\(program) \(words.joined(separator: " ")), every \(seconds) s"
        live = nil
        try watch.run(title, output: output, forget: { connected = nil }) {
            () throws(CommandError) in
            var text = ""
            listing = { text += $0 }
            defer { listing = nil }
            try perform(words)
            return text
        }
    }

    private func perform(_ words: [String]) throws(CommandError) {
        if let first = words.first, let word = DirectorWord.all.first(where: { $0.name == first }) {
            return try word.run(Array(words.dropFirst()), self)
        }
        let line = try LineParser.parse(words, program: program)
        try line.entry.run(line.values, self)
    }

    /// Prints.
    func print(_ text: String) { (listing ?? output)(text) }

    /// Lets time pass.
    func wait(seconds: Double) { surface.wait(seconds) }

    /// The time that rates are reckoned by.
    var nanoseconds: UInt64 { surface.nanoseconds() }

    /// The director's table; the two lines of ipvsadm when there is none to be reached.
    func table() throws(CommandError) -> any DirectorTable {
        if let connected { return connected }
        do throws(DirectorUnreachable) {
            let table = try connect()
            connected = table
            return table
        } catch {
            throw .line(
                """
                Can't initialize ipvs: \(error.reason)
                Are you sure that IP Virtual Server is built in the kernel or as module?
                \(error.advice)
                """)
        }
    }

    /// Shows what the director does, again and again: on the terminal, or as text.
    func top(_ options: TopOptions) throws(CommandError) {
        if !options.isBatch, surface.size() != nil, let showTop { return try showTop(options) }
        let below = Surface(
            size: { nil }, wait: surface.wait, nanoseconds: surface.nanoseconds)
        var last: (feed: TopFeed, nanoseconds: UInt64)?
        var watch = Watch(surface: below, seconds: options.intervalSeconds, count: options.count)
        if options.isJSON {
            watch.separator = ""
            watch.complaint = { JSONValue.members(["error": .text($0)]).line + "\n" }
        }
        try watch.run("", output: output, forget: { connected = nil }) {
            () throws(CommandError) in
            let feed = try feed()
            let now = surface.nanoseconds()
            let reading = TopReading(
                feed, after: last?.feed, seconds: Double(now - (last?.nanoseconds ?? now)) / 1e9)
            last = (feed, now)
            guard !options.isJSON else { return reading.json(options.view).line + "\n" }
            return TopScreen(reading: reading, view: options.view).batch
        }
    }

    /// Stores packets of the director in a file until that is long enough, or the user has enough.
    func capture(_ options: CaptureOptions) throws(CommandError) {
        let pause = try makePause?()
        let session = CaptureSession(
            options: options, table: try table(),
            pause: { seconds in
                if let pause { return pause.wait(seconds: seconds) }
                self.surface.wait(seconds)
                return true
            }, nanoseconds: surface.nanoseconds)
        // Standard output may be the capture's.
        (options.path == "-" ? complain : output)(try session.run())
    }

    private func feed() throws(CommandError) -> TopFeed {
        let table = try table()
        do throws(Refusal) {
            let text = try table.text("live")
            do throws(TopFeed.Garbled) {
                return try TopFeed(text)
            } catch {
                throw Refusal(.badMessage, error.sentence)
            }
        } catch {
            throw CommandError(status: 1, text: error.ownWords, endsRestore: false)
        }
    }

    /// Carries out every line of standard input (ipvsadm-cli section 6).
    func restore() throws(CommandError) {
        guard !isRestoring else { throw .tryHelp(program: program) }
        isRestoring = true
        defer { isRestoring = false }
        var lines = RestoredLines(session: self)
        while let text = readLine() {
            let words = RestoreWords.split(text)
            if words.isEmpty { continue }
            do throws(CommandError) {
                if try lines.begin(words) { continue }
                lines.finishAll()
                try execute(words)
                lines.last = nil
                if RestoreWords.endsRestore(words) { return }
            } catch {
                lines.finishAll()
                lines.fail(error, words)
                if error.endsRestore { break }
            }
        }
        lines.finishAll()
        // The last line alone decides the exit status.
        if let last = lines.last { throw last }
    }
}

/// The lines of a restore that the director has been asked for and not answered yet.
///
/// Requests go ahead of their answers, so that neither side waits for the other; complaints come in
/// the order of the lines all the same.
private struct RestoredLines {
    let session: CommandSession
    /// What became of the last line that was finished; nil when all was well.
    var last: CommandError?
    private var begun: [(command: Command, words: [String])] = []

    /// So many requests wait in sockets without either side blocking.
    private static let most = 64

    init(session: CommandSession) { self.session = session }

    /// Asks for the change that a line is; false when it is something else.
    mutating func begin(_ words: [String]) throws(CommandError) -> Bool {
        guard let command = CommandEntry.starting(with: words[0])?.command, command.isChange
        else { return false }
        let values = try LineParser.parse(words, program: session.program).values
        guard let change = TableChange(values) else { return false }
        if begun.count >= Self.most { finish(Self.most / 2) }
        let table = try session.table()
        do throws(Refusal) {
            try table.begin(change)
        } catch {
            throw .refused(error, by: command)
        }
        begun.append((command, words))
        return true
    }

    mutating func finishAll() { finish(begun.count) }

    private mutating func finish(_ count: Int) {
        for (command, words) in begun.prefix(count) {
            do throws(CommandError) {
                let table = try session.table()
                do throws(Refusal) {
                    try table.finish()
                    last = nil
                } catch {
                    throw CommandError.refused(error, by: command)
                }
            } catch {
                fail(error, words)
            }
        }
        begun.removeFirst(count)
    }

    mutating func fail(_ error: CommandError, _ words: [String]) {
        session.report(error, words)
        last = CommandError(status: error.status, text: "", endsRestore: false)
    }
}

extension Command {
    /// Whether it changes one service, server or list of local addresses.
    fileprivate var isChange: Bool {
        switch self {
        case .addService, .editService, .deleteService, .addServer, .editServer, .deleteServer,
            .addLocals, .deleteLocals:
            true
        default: false
        }
    }
}

/// Why no director answers, and what to do about it.
package struct DirectorUnreachable: Error, Hashable, Sendable {
    package var reason: String
    package var advice: String

    package init(reason: String, advice: String) {
        self.reason = reason
        self.advice = advice
    }
}

/// Words of a line of saved rules.
enum RestoreWords {
    /// Splits at blanks, tabs and carriage returns; the program's own name is dropped anywhere.
    static func split(_ line: String) -> [String] {
        line.utf8.split { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d || $0 == 0x0a }
            .map { String(Substring($0)) }.filter { $0 != "ipvsadm" }
    }

    /// The lines that end a program wherever they stand.
    static func endsRestore(_ words: [String]) -> Bool {
        guard let entry = CommandEntry.starting(with: words[0]) else { return false }
        return entry.command == .help || entry.command == .version
    }
}

/// Notices dashes that a word processor made of hyphens.
enum HyphenHint {
    static func hint(_ words: [String]) -> String? {
        let dashes: Set<Unicode.Scalar> = [
            "\u{2010}", "\u{2011}", "\u{2012}", "\u{2013}", "\u{2014}", "\u{2212}",
        ]
        for word in words {
            let scalars = word.unicodeScalars
            guard let first = scalars.first, dashes.contains(first) else { continue }
            let rest = String(scalars.drop { dashes.contains($0) })
            // Short options may be glued, as in -Ln; only what is a long option had two hyphens.
            let name = String(rest.prefix { $0 != "=" })
            let hyphens = OptionRow.all.contains { $0.long == name } ? "--" : "-"
            return "'\(word)' begins with a dash, not with a hyphen; write '\(hyphens)\(rest)'"
        }
        return nil
    }
}
