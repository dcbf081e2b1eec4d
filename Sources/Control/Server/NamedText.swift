import LVS

/// Text that the private family hands out by name, piece by piece, and what writing to it does.
///
/// A further name is one more entry of `all`.
struct NamedText {
    /// The next piece of a text, at most 4,096 bytes; nil at the end.
    typealias Pieces = () -> ArraySlice<UInt8>?

    var name: String
    var read: (_ key: String?, _ from: CommandExecutor) throws(Refusal) -> Pieces
    /// Nil when the text cannot be written to.
    var write: ((_ key: String, _ value: String, _ to: CommandExecutor) throws(Refusal) -> Void)?

    static func named(_ name: String) throws(Refusal) -> NamedText {
        guard let entry = all.first(where: { $0.name == name }) else {
            let known = all.map(\.name).joined(separator: ", ")
            throw Refusal(.noSuchEntry, "there is no text '\(name)'; known: \(known)")
        }
        return entry
    }

    static var all: [NamedText] {
        [
            NamedText(name: "ip_vs_conn") { _, executor throws(Refusal) in
                connections(
                    of: executor.target, ProcText.connectionHeader, ProcText.append)
            },
            NamedText(name: "ip_vs_conn_sync") { _, executor throws(Refusal) in
                connections(
                    of: executor.target, ProcText.originHeader, ProcText.appendWithOrigin)
            },
            NamedText(name: "connections") { _, executor throws(Refusal) in
                connections(
                    of: executor.target, ProcText.localHeader, ProcText.appendWithLocal)
            },
            NamedText(name: "ip_vs") { _, executor throws(Refusal) in
                pieces(ProcText.services(executor.target))
            },
            NamedText(name: "ip_vs_stats") { _, executor throws(Refusal) in
                pieces(ProcText.statistics(executor.target.total))
            },
            NamedText(name: "sysctl") { key, executor throws(Refusal) in
                pieces(try SysctlText.read(executor.target, key))
            } write: { key, value, executor throws(Refusal) in
                try SysctlText.write(executor.target, key, value)
            },
            NamedText(name: "status") { _, executor throws(Refusal) in
                pieces(executor.daemon.status())
            },
            NamedText(name: "state") { _, _ throws(Refusal) in
                throw Refusal(.notSupported, "'state' can only be written to, with the key 'save'")
            } write: { key, _, executor throws(Refusal) in
                guard key == "save" else {
                    throw Refusal(.invalid, "state knows 'save', not '\(key)'")
                }
                try command { () throws(CommandRefusal) in try executor.daemon.saveState() }
            },
            NamedText(name: "status.json") { _, executor throws(Refusal) in
                pieces(executor.daemon.statusForPrograms().document)
            },
            NamedText(name: "live") { _, executor throws(Refusal) in
                pieces(TopFeed.text(of: executor.target, executor.daemon.activity()))
            },
            NamedText(name: "explain") { key, executor throws(Refusal) in
                pieces(try explanation(of: key, executor, forPrograms: false))
            },
            NamedText(name: "explain.json") { key, executor throws(Refusal) in
                pieces(try explanation(of: key, executor, forPrograms: true))
            },
            NamedText(name: "next") { _, executor throws(Refusal) in
                pieces(try nextPacket(executor, forPrograms: false))
            } write: { key, value, executor throws(Refusal) in
                try expectPacket(executor, key, value)
            },
            NamedText(name: "next.json") { _, executor throws(Refusal) in
                pieces(try nextPacket(executor, forPrograms: true))
            },
            NamedText(name: "capture") { _, executor throws(Refusal) in
                try captured(executor)
            } write: { key, value, executor throws(Refusal) in
                try changeCapture(executor, key, value)
            },
            NamedText(name: "capture.state") { _, executor throws(Refusal) in
                pieces(
                    try command { () throws(CommandRefusal) in
                        try executor.daemon.captureState(of: executor.client).text
                    })
            },
            NamedText(name: "marks.json") { _, executor throws(Refusal) in
                pieces(marksForPrograms(executor.target).document)
            },
            NamedText(name: "marks") { _, executor throws(Refusal) in
                pieces(marks(executor.target))
            } write: { key, value, executor throws(Refusal) in
                try changeMarks(executor.target, key, value)
            },
            NamedText(name: "settings") { key, executor throws(Refusal) in
                pieces(try settings(executor.target, key))
            } write: { key, value, executor throws(Refusal) in
                try command { () throws(CommandRefusal) in
                    try executor.target.set(key, to: value)
                }
            },
        ]
    }

    /// What would become of the packet that the key says in words.
    private static func explanation(
        of packet: String?, _ executor: CommandExecutor, forPrograms: Bool
    ) throws(Refusal) -> String {
        guard let packet else { throw Refusal(.invalid, "'explain' needs a packet as its key") }
        return try command { () throws(CommandRefusal) in
            try executor.daemon.explain(packet, forPrograms: forPrograms)
        }
    }

    /// What became of the packet that is waited for; nothing as long as it has not come.
    private static func nextPacket(
        _ executor: CommandExecutor, forPrograms: Bool
    ) throws(Refusal) -> String {
        try command { () throws(CommandRefusal) in
            try executor.daemon.expectedPacket(forPrograms: forPrograms) ?? ""
        }
    }

    /// `start` waits for a packet that a filter wants, `stop` waits no more.
    private static func expectPacket(
        _ executor: CommandExecutor, _ key: String, _ filter: String
    ) throws(Refusal) {
        switch key {
        case "start":
            try command { () throws(CommandRefusal) in try executor.daemon.expectPacket(filter) }
        case "stop": executor.daemon.stopExpecting()
        default: throw Refusal(.invalid, "next knows 'start' and 'stop', not '\(key)'")
        }
    }

    /// What the client's capture has now, block by block as they are sent.
    private static func captured(_ executor: CommandExecutor) throws(Refusal) -> Pieces {
        let client = executor.client
        let next = try command { () throws(CommandRefusal) in
            try executor.daemon.captured(by: client)
        }
        var blocks: ArraySlice<UInt8> = []
        return {
            if blocks.isEmpty { blocks = next()?[...] ?? [] }
            guard !blocks.isEmpty else { return nil }
            defer { blocks = blocks.dropFirst(4096) }
            return blocks.prefix(4096)
        }
    }

    /// `start` begins a capture, `stop` ends it; what has come until then can still be read.
    private static func changeCapture(
        _ executor: CommandExecutor, _ key: String, _ value: String
    ) throws(Refusal) {
        switch key {
        case "start":
            let request = try CaptureRequest(value)
            try command { () throws(CommandRefusal) in
                try executor.daemon.beginCapture(request, by: executor.client)
            }
        case "stop":
            try command { () throws(CommandRefusal) in
                try executor.daemon.stopCapture(of: executor.client)
            }
        default: throw Refusal(.invalid, "capture knows 'start' and 'stop', not '\(key)'")
        }
    }

    /// One `name = value` line each, or the value of `key` alone, which may be a full sysctl name.
    private static func settings(
        _ target: any ControlTarget, _ key: String?
    ) throws(Refusal) -> String {
        let settings = target.settings()
        guard let key else {
            return settings.map { "\($0.name) = \($0.value)\n" }.joined()
        }
        let prefix = "net.ipv4.vs."
        let name = key.hasPrefix(prefix) ? String(key.dropFirst(prefix.count)) : key
        guard let setting = settings.first(where: { $0.name == name }) else {
            throw Refusal(.noSuchEntry, "there is no setting '\(key)'")
        }
        return setting.value + "\n"
    }

    /// The marking rules in the order in which they apply: the host's as remarks, then the director's
    /// as the commands that make them.
    private static func marks(_ target: any ControlTarget) -> String {
        let followed = target.followedMarks.map { mark in
            let trouble = mark.trouble.map { ", not followed (\($0))" } ?? ""
            return "# \(mark.origin)\(trouble): \(mark.text)\n"
        }
        let own = target.markRules.map { "mark -A \(MarkRuleWords.text($0))\n" }
        return (followed + own).joined()
    }

    private static func marksForPrograms(_ target: any ControlTarget) -> JSONValue {
        let followed = target.followedMarks.map { mark in
            JSONValue.members([
                "origin": .text(mark.origin), "rule": .text(mark.text),
                "followed": .boolean(mark.trouble == nil),
                "trouble": mark.trouble.map { .text($0) },
            ])
        }
        let own = target.markRules.map { mark in
            JSONValue.members([
                "origin": .text("director"), "rule": .text(MarkRuleWords.text(mark)),
                "followed": .boolean(true),
            ])
        }
        return .members(["marks": .list(followed + own)])
    }

    /// `-A` adds the rule at the end, `-D` removes the first that is equal, `-F` removes all; the
    /// host's own rules stay.
    private static func changeMarks(
        _ target: any ControlTarget, _ change: String, _ text: String
    ) throws(Refusal) {
        var rules = target.markRules
        switch change {
        case "-A": rules.append(try markRule(text))
        case "-D":
            let rule = try markRule(text)
            guard let position = rules.firstIndex(of: rule) else {
                throw Refusal(.noSuchEntry, missing(rule, text, target.followedMarks))
            }
            rules.remove(at: position)
        case "-F": rules = []
        default: throw Refusal(.invalid, "marks know -A, -D and -F, not '\(change)'")
        }
        try command { () throws(CommandRefusal) in try target.setMarkRules(rules) }
    }

    /// Why there is nothing to remove: the host's rules are the host's.
    private static func missing(
        _ rule: MarkRule, _ text: String, _ followed: [FollowedMark]
    ) -> String {
        let same = followed.first { mark in
            let family = mark.origin.hasPrefix("ip6") ? ["-6"] : []
            let words = Array(SavedWords.split(mark.text).drop { $0.hasPrefix("[") }.dropFirst())
            guard let other = try? MarkRuleWords.rule(family + words.dropFirst()) else {
                return false
            }
            return other == rule
        }
        guard let same else { return "there is no mark rule '\(text)'" }
        let tool = same.origin
        return "that rule is the host's own; remove it where it is: "
            + "\(tool) -t mangle -D\(same.text.split(separator: "-A", maxSplits: 1).last ?? "")"
    }

    private static func markRule(_ text: String) throws(Refusal) -> MarkRule {
        do throws(CommandError) {
            return try MarkRuleWords.rule(RestoreWords.split(text))
        } catch {
            throw Refusal(.invalid, error.text)
        }
    }

    /// The pieces of a text that is there as a whole.
    private static func pieces(_ text: String) -> Pieces {
        var rest = ArraySlice(Array(text.utf8))
        return {
            guard !rest.isEmpty else { return nil }
            defer { rest = rest.dropFirst(4096) }
            return rest.prefix(4096)
        }
    }

    /// The connection table, rendered while it is being read: it may be far larger than memory for
    /// its text should be.
    private static func connections(
        of target: any ControlTarget, _ header: String,
        _ append: @escaping (ConnectionRecord, inout [UInt8]) -> Void
    ) -> Pieces {
        var position: Int? = 0
        var text = Array(header.utf8)
        var told = 0
        return { [unowned target] in
            while text.count - told < 4096, let start = position {
                // What has been told is let go of.
                text.removeFirst(told)
                told = 0
                position = target.connections(from: start) { append($0, &text) }
            }
            guard told < text.count else { return nil }
            let piece = text[told..<min(told + 4096, text.count)]
            told = piece.endIndex
            return piece
        }
    }
}
