/// Commands that ipvsadm does not have: words, not options, so that neither stands in the way.
struct DirectorWord: Sendable {
    var name: String
    var usage: String
    /// Whether it shows something, so that it can be shown for programs and again and again.
    var lists = false
    var run: @Sendable ([String], CommandSession) throws(CommandError) -> Void

    static let all: [DirectorWord] = [
        DirectorWord(name: "status", usage: "status", lists: true) {
            words, session throws(CommandError) in
            guard words.isEmpty else { throw .line("unexpected argument \(words[0])") }
            let name = session.own.json ? "status.json" : "status"
            session.print(try ask(session) { table throws(Refusal) in try table.text(name) })
        },
        DirectorWord(name: "top", usage: "top [OPTIONS]") { words, session throws(CommandError) in
            try session.top(TopOptions(words))
        },
        DirectorWord(name: "get", usage: "get [NAME]", lists: true) {
            words, session throws(CommandError) in
            guard words.count <= 1 else { throw .line("get takes the name of one setting") }
            guard let word = words.first else {
                let text = try ask(session) { table throws(Refusal) in try table.text("settings") }
                return session.print(
                    session.own.json ? ListingJSON.settings(text).document : text)
            }
            let name = settingName(word)
            let value = try ask(session) { table throws(Refusal) in try table.setting(name) }
            session.print(
                session.own.json
                    ? ListingJSON.settings("\(name) = \(value)\n").document : "\(value)\n")
        },
        DirectorWord(name: "set", usage: "set NAME=VALUE") { words, session throws(CommandError) in
            guard words.count == 1, let equals = words[0].firstIndex(of: "=") else {
                throw .line("set needs one NAME=VALUE")
            }
            let name = settingName(String(words[0][..<equals]))
            let value = String(words[0][equals...].dropFirst())
            try ask(session) { table throws(Refusal) in
                try table.changeSetting(name, to: value)
            }
        },
        DirectorWord(name: "save-state", usage: "save-state") {
            words, session throws(CommandError) in
            guard words.isEmpty else { throw .line("unexpected argument \(words[0])") }
            try ask(session) { table throws(Refusal) in try table.saveState() }
        },
        DirectorWord(
            name: "explain",
            usage: "explain 'PROTOCOL SOURCE:PORT -> DESTINATION:PORT' | --next [FILTER]",
            lists: true, run: explain),
        DirectorWord(
            name: "capture", usage: "capture [FILTER] --write FILE [--packets N] [--bytes N[K|M|G]]"
        ) { words, session throws(CommandError) in
            try session.capture(CaptureOptions(words))
        },
        DirectorWord(
            name: "mark", usage: "mark -A|-D RULE | -F | -L | -S", lists: true, run: changeMarks),
    ]

    /// Seconds that `explain --next` waits unless told otherwise.
    private static let patienceSeconds = 60.0
    /// Seconds between two questions for the packet that is waited for.
    private static let askingSeconds = 0.2

    /// What would become of a packet, or what becomes of the next one that a filter wants.
    @Sendable private static func explain(
        _ words: [String], _ session: CommandSession
    ) throws(CommandError) {
        let isJSON = session.own.json
        guard words.first == "--next" else {
            let packet = words.joined(separator: " ")
            return session.print(
                try ask(session) { table throws(Refusal) in
                    try table.explanation(of: packet, forPrograms: isJSON)
                })
        }
        var words = Array(words.dropFirst())
        var seconds = patienceSeconds
        if words.first == "--wait" {
            guard words.count > 1, let given = Double(words[1]), (0.1...86_400).contains(given)
            else { throw .line("--wait: accepted are 0.1 to 86400 seconds") }
            seconds = given
            words.removeFirst(2)
        }
        let filter = words.joined(separator: " ")
        try ask(session) { table throws(Refusal) in try table.expectPacket("start", filter) }
        for _ in 0..<Int((seconds / askingSeconds).rounded(.up)) {
            let text = try ask(session) { table throws(Refusal) in
                try table.text(isJSON ? "next.json" : "next")
            }
            guard text.isEmpty else { return session.print(text) }
            session.wait(seconds: askingSeconds)
        }
        try ask(session) { table throws(Refusal) in try table.expectPacket("stop", "") }
        throw CommandError(
            status: 1, text: "no such packet has come in \(seconds) seconds", endsRestore: false)
    }

    /// Marking rules in the words of iptables, with or without `-t mangle` and the chain.
    @Sendable private static func changeMarks(
        _ words: [String], _ session: CommandSession
    ) throws(CommandError) {
        var words = words
        if words.starts(with: ["-t", "mangle"]) { words.removeFirst(2) }
        let command = words.isEmpty ? "-L" : words.removeFirst()
        if words.first == "PREROUTING" { words.removeFirst() }
        switch command {
        case "-A", "--append", "-D", "--delete":
            let rules = try MarkRuleWords.rules(words).map(MarkRuleWords.text)
            try ask(session) { table throws(Refusal) in
                for rule in rules {
                    try table.changeMarks(["-A", "--append"].contains(command) ? "-A" : "-D", rule)
                }
            }
        case "-S", "--list-rules":
            guard words.isEmpty else { throw .line("unexpected argument \(words[0])") }
            let text = try ask(session) { table throws(Refusal) in try table.text("marks") }
            session.print(saved(text))
        case "-F", "--flush", "-L", "--list":
            guard words.allSatisfy({ $0 == "-n" }) else {
                throw .line("unexpected argument \(words[0])")
            }
            if command == "-F" || command == "--flush" {
                try ask(session) { table throws(Refusal) in try table.changeMarks("-F", "all") }
            } else {
                let name = session.own.json ? "marks.json" : "marks"
                session.print(try ask(session) { table throws(Refusal) in try table.text(name) })
            }
        default: throw .line("mark: '\(command)' is not supported here; \(MarkRuleWords.usage)")
        }
    }

    /// The director's own rules among those that `-L` lists, as iptables-save writes rules.
    private static func saved(_ listing: String) -> String {
        let lines = listing.split(separator: "\n").filter { $0.hasPrefix("mark -A ") }.map {
            "-A PREROUTING \($0.dropFirst("mark -A ".count))\n"
        }
        return "*mangle\n:PREROUTING ACCEPT [0:0]\n\(lines.joined())COMMIT\n"
    }

    /// Settings may be named as the kernel's sysctls are.
    private static func settingName(_ word: String) -> String {
        for prefix in ["net.ipv4.vs.", "net/ipv4/vs/"] where word.hasPrefix(prefix) {
            return String(word.dropFirst(prefix.count))
        }
        return word
    }

    private static func ask<Answer>(
        _ session: CommandSession, _ request: (any DirectorTable) throws(Refusal) -> Answer
    ) throws(CommandError) -> Answer {
        let table = try session.table()
        do throws(Refusal) {
            return try request(table)
        } catch {
            throw CommandError(status: 255, text: error.ownWords, endsRestore: false)
        }
    }
}
