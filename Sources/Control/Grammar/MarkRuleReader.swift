import LVS

/// Reads one rule of a mangle table, whatever its target.
struct MarkRuleReader {
    /// What a rule leads to.
    enum Target: Equatable {
        /// It concerns marks, or ends all rules.
        case action(MarkRule.Action)
        /// Back to the chain before.
        case leave
        /// Into a chain of the user's; `isForGood` (goto) does not come back to this one.
        case chain(String, isForGood: Bool)
        /// Any other.
        case other(String)
    }

    /// Targets that netfilter's own modules bring and that are no chains.
    private static let foreign: Set<String> = [
        "AUDIT", "CHECKSUM", "CLASSIFY", "CT", "DNAT", "DROP", "DSCP", "ECN", "HL", "HMARK",
        "IDLETIMER",
        "LED", "LOG", "MASQUERADE", "NETMAP", "NFLOG", "NFQUEUE", "NOTRACK", "QUEUE", "RATEEST",
        "REDIRECT", "REJECT", "SECMARK", "CONNSECMARK", "SET", "SNAT", "SYNPROXY", "TCPMSS",
        "TCPOPTSTRIP", "TEE", "TOS", "TPROXY", "TRACE", "TTL", "ULOG", "DNPT", "SNPT",
    ]

    private var rest: ArraySlice<String>
    private var rule = MarkRule(mark: 0)
    private var sources: [MarkRule.Prefix] = []
    private var destinations: [MarkRule.Prefix] = []
    private var module = ""
    private var isInverted = false
    private(set) var target: Target?
    /// False when the rule says of itself that it is not for the first packet of a connection.
    private(set) var applies: Bool?

    init(_ words: [String]) { rest = words[...] }

    /// The rules that the words make, each with this action.
    func rules(_ action: MarkRule.Action) -> [MarkRule] {
        let from: [MarkRule.Prefix?] = sources.isEmpty ? [nil] : sources
        let to: [MarkRule.Prefix?] = destinations.isEmpty ? [nil] : destinations
        return from.flatMap { source in
            to.map { destination in
                var rule = rule
                rule.source = source
                rule.destination = destination
                rule.action = action
                return rule
            }
        }
    }

    mutating func readAll() throws(CommandError) {
        while let word = rest.popFirst() {
            if word == "!" {
                guard !isInverted else { throw .line("mark: '!' twice") }
                isInverted = true
                continue
            }
            try read(word)
            guard !isInverted else {
                throw .line("mark: '!' before '\(word)' is not supported here")
            }
        }
        guard !isInverted else { throw .line("mark: nothing follows '!'") }
        let isListInverted =
            (sources.count > 1 && rule.inverted.contains(.source))
            || (destinations.count > 1 && rule.inverted.contains(.destination))
        guard !isListInverted else { throw .line("mark: '!' before several addresses") }
    }

    /// Reads one option with its arguments.
    private mutating func read(_ word: String) throws(CommandError) {
        switch word {
        case "-p", "--protocol", "--proto":
            let transport = try MarkWordValues.transport(next(word))
            let isSame = rule.transport == transport && !rule.inverted.contains(.transport)
            if !isSame || isInverted { try expectNone(rule.transport, word) }
            rule.transport = transport
            invert(.transport)
        case "-s", "--source", "--src":
            try expectNone(sources.first, word)
            sources = try MarkWordValues.prefixes(next(word))
            invert(.source)
        case "-d", "--destination", "--dst":
            try expectNone(destinations.first, word)
            destinations = try MarkWordValues.prefixes(next(word))
            invert(.destination)
        case "-i", "--in-interface":
            try expectNone(rule.interface, word)
            rule.interface = try next(word)
            invert(.interface)
        case "-4", "--ipv4": rule.family = .v4
        case "-6", "--ipv6": rule.family = .v6
        // Fragments are put together before marks are looked for.
        case "-f", "--fragment":
            if !isInverted { applies = false }
            isInverted = false
        case "-m", "--match": try match(next(word))
        case "-j", "--jump": try jump(next(word))
        case "-g", "--goto": target = .chain(try next(word), isForGood: true)
        // The only place there is.
        case "-t", "--table":
            guard try next(word) == "mangle" else { throw .line("expected -t mangle") }
        case "PREROUTING": break
        // Counters of iptables-save -c.
        case "-c", "--set-counters": for _ in 0..<2 { _ = try next(word) }
        case "--sport", "--source-port", "--dport", "--destination-port", "--sports",
            "--source-ports", "--dports", "--destination-ports", "--ports":
            try ports(word)
        default: try readModule(word)
        }
    }

    private mutating func readModule(_ word: String) throws(CommandError) {
        switch word {
        case "--syn":
            try expectNone(rule.flags, word)
            rule.flags = MarkRule.Flags(mask: 0x17, set: 0x02)
            invert(.flags)
        case "--tcp-flags":
            try expectNone(rule.flags, word)
            let mask = try MarkWordValues.flags(next(word))
            rule.flags = MarkRule.Flags(mask: mask, set: try MarkWordValues.flags(next(word)))
            invert(.flags)
        case "--icmp-type", "--icmpv6-type":
            try expectNone(rule.icmp, word)
            rule.icmp = try MarkWordValues.icmp(next(word), isV6: word == "--icmpv6-type")
            invert(.icmp)
        case "--mark" where module == "connmark":
            try expectNone(rule.connection, word)
            rule.connection = try MarkWordValues.bits(next(word))
            invert(.connection)
        case "--mark":
            try expectNone(rule.carried, word)
            rule.carried = try MarkWordValues.bits(next(word))
            invert(.carried)
        case "--src-range":
            try expectNone(rule.sourceSpan, word)
            rule.sourceSpan = try MarkWordValues.span(next(word))
            invert(.sourceSpan)
        case "--dst-range":
            try expectNone(rule.destinationSpan, word)
            rule.destinationSpan = try MarkWordValues.span(next(word))
            invert(.destinationSpan)
        case "--src-type", "--dst-type":
            let type = try next(word)
            guard type == "LOCAL" else {
                throw .line("mark: address type '\(type)' is not supported")
            }
            if word == "--src-type" {
                try expectNone(rule.isFromHost, word)
                rule.isFromHost = !isInverted
            } else {
                try expectNone(rule.isToHost, word)
                rule.isToHost = !isInverted
            }
            isInverted = false
        case "--ctstate", "--state":
            let states = try next(word).split(separator: ",").map(String.init)
            let known: Set<String> = ["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"]
            if let odd = states.first(where: { !known.contains($0) }) {
                throw .line("mark: state '\(odd)' is not supported")
            }
            // Marks are looked for while a packet has no connection.
            if states.contains("NEW") == isInverted { applies = false }
            isInverted = false
        case "--comment": _ = try next(word)
        default: throw .line("mark: '\(word)' is not supported here; \(MarkRuleWords.usage)")
        }
    }

    private mutating func match(_ name: String) throws(CommandError) {
        let known = [
            "tcp", "udp", "sctp", "multiport", "mark", "connmark", "iprange", "icmp", "icmp6",
            "icmpv6", "addrtype", "comment", "conntrack", "state",
        ]
        guard known.contains(name) else { throw .line("mark: match '\(name)' is not supported") }
        module = name
    }

    private mutating func jump(_ name: String) throws(CommandError) {
        switch name {
        case "MARK": target = .action(try marking())
        case "CONNMARK": target = .action(try connectionMarking())
        case "ACCEPT": target = .action(.accept)
        case "RETURN": target = .leave
        case _ where MarkRuleReader.foreign.contains(name):
            target = .other(name)
            // Its own options follow to the end of the line, save -m.
            rest = rest.drop { $0 != "-m" && $0 != "--match" }
        default: target = .chain(name, isForGood: false)
        }
    }

    private mutating func marking() throws(CommandError) -> MarkRule.Action {
        guard let bits = try setting() else {
            throw .line(
                "mark: -j MARK needs --set-mark N[/MASK], --set-xmark, --and-mark, --or-mark or --xor-mark"
            )
        }
        return .set(bits)
    }

    private mutating func connectionMarking() throws(CommandError) -> MarkRule.Action {
        if let bits = try setting() { return .setConnection(bits) }
        guard let option = rest.popFirst(), option == "--save-mark" || option == "--restore-mark"
        else {
            throw .line(
                "mark: -j CONNMARK needs --save-mark, --restore-mark or --set-mark N[/MASK]")
        }
        var packet = UInt32.max
        var connection = UInt32.max
        while let word = rest.first, ["--nfmask", "--ctmask", "--mask"].contains(word) {
            rest = rest.dropFirst()
            let mask = try MarkWordValues.number(next(word))
            if word != "--ctmask" { packet = mask }
            if word != "--nfmask" { connection = mask }
        }
        return option == "--save-mark"
            ? .save(packet: packet, connection: connection)
            : .restore(packet: packet, connection: connection)
    }

    /// One of the ways to say what becomes of a mark; nil when another word comes.
    private mutating func setting() throws(CommandError) -> MarkRule.Bits? {
        guard let option = rest.first else { return nil }
        switch option {
        case "--set-mark", "--set-xmark":
            rest = rest.dropFirst()
            let bits = try MarkWordValues.bits(next(option))
            // Of set-mark the bits of the value are replaced too, of set-xmark they are turned.
            return option == "--set-mark"
                ? MarkRule.Bits(bits.value, mask: bits.mask | bits.value) : bits
        case "--and-mark", "--or-mark", "--xor-mark":
            rest = rest.dropFirst()
            let number = try MarkWordValues.number(next(option))
            switch option {
            case "--and-mark": return MarkRule.Bits(0, mask: ~number)
            case "--or-mark": return MarkRule.Bits(number, mask: number)
            default: return MarkRule.Bits(number, mask: 0)
            }
        default: return nil
        }
    }

    private mutating func ports(_ word: String) throws(CommandError) {
        let isList = word.hasSuffix("s")
        let list = try MarkWordValues.ports(next(word), isList: isList, rule.transport)
        switch word {
        case "--ports":
            try expectNone(rule.eitherPorts.first, word)
            rule.eitherPorts = list
            invert(.eitherPorts)
        case "--sport", "--source-port", "--sports", "--source-ports":
            take(list, \.sourcePorts, .sourcePorts)
        default: take(list, \.destinationPorts, .destinationPorts)
        }
        guard rule.transport != nil, !rule.inverted.contains(.transport) else {
            throw .line("mark: ports need -p tcp, -p udp or -p sctp before them")
        }
    }

    /// Takes a list of ports; of two lists for the same ports both must hold.
    private mutating func take(
        _ list: [ClosedRange<UInt16>], _ ports: WritableKeyPath<MarkRule, [ClosedRange<UInt16>]>,
        _ part: MarkRule.Parts
    ) {
        let earlier = rule[keyPath: ports]
        guard !earlier.isEmpty else {
            rule[keyPath: ports] = list
            return invert(part)
        }
        let plain = { (list: [ClosedRange<UInt16>], isInverted: Bool) in
            isInverted ? PortLists.others(list) : list
        }
        let both = PortLists.both(
            plain(earlier, rule.inverted.contains(part)), plain(list, isInverted))
        isInverted = false
        rule.inverted.remove(part)
        rule[keyPath: ports] = both.isEmpty ? earlier : both
        if both.isEmpty { applies = false }
    }

    /// Two tests of the same thing in one rule are more than a rule can hold.
    private func expectNone(_ earlier: Any?, _ word: String) throws(CommandError) {
        guard earlier == nil else { throw .line("mark: two tests by '\(word)' in one rule") }
    }

    private mutating func invert(_ part: MarkRule.Parts) {
        if isInverted { rule.inverted.insert(part) } else { rule.inverted.remove(part) }
        isInverted = false
    }

    private mutating func next(_ option: String) throws(CommandError) -> String {
        guard let word = rest.popFirst() else { throw .option(option, "missing argument") }
        return word
    }
}
