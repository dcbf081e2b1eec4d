/// Carries out command lines against one director and prints what they say.
package final class CommandSession {
    /// How the program calls itself in messages.
    let program: String
    let output: (String) -> Void
    private let complain: (String) -> Void
    private let readLine: () -> String?
    private let connect: () throws(DirectorUnreachable) -> any DirectorTable
    private var connected: (any DirectorTable)?
    private var isRestoring = false

    /// A session; the director is reached when the first line needs it.
    package init(
        program: String, output: @escaping (String) -> Void,
        complain: @escaping (String) -> Void, readLine: @escaping () -> String?,
        connect: @escaping () throws(DirectorUnreachable) -> any DirectorTable
    ) {
        self.program = program
        self.output = output
        self.complain = complain
        self.readLine = readLine
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

    private func report(_ error: CommandError, _ words: [String]) {
        guard !error.text.isEmpty else { return }
        complain(error.text + "\n")
        if let hint = HyphenHint.hint(words) { complain(hint + "\n") }
    }

    private func execute(_ words: [String]) throws(CommandError) {
        if let first = words.first, let word = DirectorWord.all.first(where: { $0.name == first }) {
            return try word.run(Array(words.dropFirst()), self)
        }
        let line = try LineParser.parse(words, program: program)
        try line.entry.run(line.values, self)
    }

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

    /// Carries out every line of standard input (ipvsadm-cli section 6).
    func restore() throws(CommandError) {
        guard !isRestoring else { throw .tryHelp(program: program) }
        isRestoring = true
        defer { isRestoring = false }
        var last: CommandError?
        while let text = readLine() {
            let words = RestoreWords.split(text)
            if words.isEmpty { continue }
            last = nil
            do throws(CommandError) {
                try execute(words)
                if RestoreWords.endsRestore(words) { return }
            } catch {
                report(error, words)
                last = CommandError(status: error.status, text: "", endsRestore: false)
                if error.endsRestore { break }
            }
        }
        // The last line alone decides the exit status.
        if let last { throw last }
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
        line.unicodeScalars.split { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\n" }
            .map(String.init).filter { $0 != "ipvsadm" }
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
