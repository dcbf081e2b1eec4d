package import LVS

/// One line of the host's mangle table that concerns marks.
package struct FollowedMark: Hashable, Sendable {
    /// Who has the rule: `iptables`, `ip6tables-legacy` and the like.
    package var origin: String
    /// The line as it was saved.
    package var text: String
    /// Why the director does not do as the line says; nil when it does.
    package var trouble: String?

    package init(origin: String, text: String, trouble: String? = nil) {
        self.origin = origin
        self.text = text
        self.trouble = trouble
    }
}

/// The marking rules in what `iptables-save -t mangle` prints: PREROUTING and the chains it leads to,
/// as one list without chains.
///
/// A line that cannot be expressed is left out, as if it applied to nothing, and named with the
/// reason. A table that marks nothing gives nothing.
package struct NetfilterMarks: Sendable {
    package private(set) var rules: [MarkRule] = []
    package private(set) var lines: [FollowedMark] = []

    /// Rules that a table may grow to when chains that several rules lead to are written out.
    private static let mostRules = 4096
    /// Chains within chains; the kernel itself takes 16.
    private static let deepest = 32

    /// One rule of a chain.
    struct Line {
        var text: String
        /// What packets must be, in the words of iptables; of iptables' rules with the target.
        var words: [String]
        /// Targets, as far as they are not among the words; done one after another.
        var statements: [[String]] = [[]]
        /// Where the rule leads, as far as it can be told without understanding it.
        var targets: [String]
        /// Why the rule cannot be expressed, when that is known already.
        var trouble: String?
    }

    private let origin: String
    /// Nil when the rules are for both.
    private let family: AddressFamily?
    private var chains: [String: [Line]] = [:]
    /// Lines that have been told already: a chain may be written out more than once.
    private var told: Set<String> = []

    /// Reads what was saved; `origin` stands beside each line in listings.
    package init(_ saved: String, _ family: AddressFamily, origin: String) {
        self.origin = origin
        self.family = family
        read(saved)
        follow("PREROUTING")
    }

    /// Follows a chain and those that it leads to.
    init(
        _ chains: [String: [Line]], from start: String, _ family: AddressFamily?, origin: String
    ) {
        self.origin = origin
        self.family = family
        self.chains = chains
        follow(start)
    }

    private mutating func follow(_ start: String) {
        guard marks(start) else { return }
        do throws(CommandError) {
            try write(start, depth: 0)
        } catch {
            rules = []
            lines = [FollowedMark(origin: origin, text: start, trouble: error.text)]
        }
    }

    /// The rules of several tables as one list; what ends the rules of one does not end those of the
    /// next.
    package static func joined(_ tables: [NetfilterMarks]) -> [MarkRule] {
        tables.flatMap { table in
            table.rules.enumerated().map { index, rule in
                guard rule.action == .accept else { return rule }
                var rule = rule
                rule.action = .skip(table.rules.count - 1 - index)
                return rule
            }
        }
    }

    private mutating func read(_ saved: String) {
        var isMangle = false
        for line in saved.split(whereSeparator: \.isNewline) {
            if line.hasPrefix("*") { isMangle = line == "*mangle" }
            guard isMangle, line.hasPrefix("-A ") || line.hasPrefix("[") else { continue }
            var words = SavedWords.split(line)
            // Counters of iptables-save -c.
            if words.first?.hasPrefix("[") == true { words.removeFirst() }
            guard words.count >= 2, words[0] == "-A" else { continue }
            let jump = words.lastIndex { ["-j", "--jump", "-g", "--goto"].contains($0) }
            let target = jump.flatMap { words[($0 + 1)...].first }
            chains[words[1], default: []].append(
                Line(
                    text: String(line), words: Array(words.dropFirst(2)),
                    targets: target.map { [$0] } ?? []))
        }
    }

    /// Whether a chain, or one that it leads to, changes marks.
    private func marks(_ name: String) -> Bool {
        leads(from: name, to: ["MARK", "CONNMARK"])
    }

    private func leads(from name: String, to targets: Set<String>) -> Bool {
        var seen: Set<String> = []
        var next = [name]
        while let chain = next.popLast() {
            guard seen.insert(chain).inserted else { continue }
            for target in (chains[chain] ?? []).flatMap(\.targets) {
                if targets.contains(target) { return true }
                next.append(target)
            }
        }
        return false
    }

    /// Whether a line could matter for marks at all.
    private func concernsMarks(_ line: Line) -> Bool {
        let ends: Set<String> = [
            "MARK", "CONNMARK", "ACCEPT", "RETURN", "TPROXY", "DROP", "QUEUE", "NFQUEUE",
        ]
        return line.targets.contains { target in
            ends.contains(target) || leads(from: target, to: ends.subtracting(["RETURN"]))
        }
    }

    /// Appends the rules of a chain.
    private mutating func write(_ name: String, depth: Int) throws(CommandError) {
        guard depth < NetfilterMarks.deepest else {
            throw .line("chains lead to chains too deeply")
        }
        var returns: [Int] = []
        for line in chains[name] ?? [] where concernsMarks(line) {
            guard rules.count < NetfilterMarks.mostRules else {
                throw .line("more than \(NetfilterMarks.mostRules) rules with chains written out")
            }
            do throws(CommandError) {
                try check(line)
            } catch {
                tell(line, trouble: NetfilterMarks.reason(error))
                continue
            }
            try write(line, isTop: depth == 0, depth: depth, &returns)
        }
        for index in returns { rules[index].action = .skip(rules.count - 1 - index) }
    }

    /// Finds out whether a line can be expressed.
    private func check(_ line: Line) throws(CommandError) {
        if let trouble = line.trouble { throw .line(trouble) }
        for statement in line.statements {
            var reader = MarkRuleReader(line.words + statement)
            try reader.readAll()
            for rule in reader.rules(.accept) {
                do throws(CommandRefusal) {
                    try rule.check()
                } catch {
                    throw .line("the rule contradicts itself")
                }
            }
            if case .other(let name) = reader.target {
                throw .line(
                    "target '\(name)' ends the way of packets that the director has taken before")
            }
        }
    }

    private mutating func write(
        _ line: Line, isTop: Bool, depth: Int, _ returns: inout [Int]
    ) throws(CommandError) {
        tell(line)
        guard line.statements.count != 1 else {
            return try write(
                line.words + line.statements[0], isTop: isTop, depth: depth, &returns)
        }
        // The test is made once, before the first statement can change what it asks about.
        var reader = MarkRuleReader(line.words)
        try reader.readAll()
        guard reader.applies != false else { return }
        for rule in made(reader, .unless(0)) {
            let start = rules.count
            rules.append(rule)
            for statement in line.statements {
                try write(statement, isTop: isTop, depth: depth, &returns)
            }
            rules[start].action = .unless(rules.count - 1 - start)
        }
    }

    /// The rules that words make, for the family of the table.
    private func made(_ reader: MarkRuleReader, _ action: MarkRule.Action) -> [MarkRule] {
        reader.rules(action).map { rule in
            var rule = rule
            rule.family = family ?? rule.family
            return rule
        }
    }

    private mutating func write(
        _ words: [String], isTop: Bool, depth: Int, _ returns: inout [Int]
    ) throws(CommandError) {
        var reader = MarkRuleReader(words)
        try reader.readAll()
        guard reader.applies != false, let target = reader.target else { return }
        switch target {
        case .action(let action): rules += made(reader, action)
        case .leave where isTop: rules += made(reader, .accept)
        case .leave:
            for rule in made(reader, .skip(0)) {
                returns.append(rules.count)
                rules.append(rule)
            }
        case .chain(let name, let isForGood):
            for rule in made(reader, .unless(0)) {
                let start = rules.count
                rules.append(rule)
                try write(name, depth: depth + 1)
                if isForGood {
                    // What comes back from there goes on where this chain was called from.
                    var back = MarkRule(isTop ? .accept : .skip(0))
                    back.family = family
                    if !isTop { returns.append(rules.count) }
                    rules.append(back)
                }
                rules[start].action = .unless(rules.count - 1 - start)
            }
        case .other: break
        }
    }

    private mutating func tell(_ line: Line, trouble: String? = nil) {
        guard told.insert(line.text).inserted else { return }
        lines.append(FollowedMark(origin: origin, text: line.text, trouble: trouble))
    }

    /// The complaint without the command line's own beginning and usage.
    private static func reason(_ error: CommandError) -> String {
        let text = error.text.hasPrefix("mark: ") ? String(error.text.dropFirst(6)) : error.text
        return text.split(separator: ";").first.map(String.init) ?? text
    }
}

/// Splits the lines that iptables-save writes.
enum SavedWords {
    /// Words between blanks; what stands in double quotes is one word, with \ before a quote in it.
    static func split(_ line: some StringProtocol) -> [String] {
        var words: [String] = []
        var word: String?
        var isQuoted = false
        var isEscaped = false
        for character in line {
            if isEscaped {
                word = (word ?? "") + String(character)
                isEscaped = false
            } else if isQuoted, character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
                word = word ?? ""
            } else if !isQuoted, character == " " || character == "\t" || character == "\r" {
                if let done = word { words.append(done) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        if let word { words.append(word) }
        return words
    }
}
