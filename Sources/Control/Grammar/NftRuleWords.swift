import LVS

/// Rules in nft's own language, as `nft list` prints them with numbers, in the words of iptables.
struct NftRuleWords {
    /// What a packet must be.
    private(set) var matches: [String] = []
    /// What is done then, one after another: `-j MARK --set-xmark ...`.
    private(set) var statements: [[String]] = []

    private var rest: ArraySlice<String>
    private var transport: String?

    /// Translates one rule; what cannot be said in iptables' words is refused by name.
    init(_ line: String) throws(CommandError) {
        rest = NftRuleWords.split(line)[...]
        while let word = rest.popFirst() {
            let tests = matches.count
            try read(word)
            guard matches.count == tests || statements.isEmpty else {
                throw .line("a test behind a statement is not supported")
            }
        }
    }

    /// What the rule does, read without understanding the rest: `MARK`, `ACCEPT`, the name of a chain.
    static func targets(_ line: String) -> [String] {
        let words = split(line)
        return words.indices.compactMap { index in
            let next = index + 1 < words.count ? words[index + 1] : ""
            switch words[index] {
            case "mark" where next == "set": return "MARK"
            case "accept", "return", "drop", "queue": return words[index].uppercased()
            case "tproxy": return "TPROXY"
            case "jump", "goto": return next
            default: return nil
            }
        }
    }

    /// Words between blanks; what stands in quotes or braces is one.
    static func split(_ line: String) -> [String] {
        var words: [String] = []
        var word = ""
        var depth = 0
        var isQuoted = false
        for character in line {
            if character == "\"" { isQuoted.toggle() }
            if !isQuoted { depth += character == "{" ? 1 : character == "}" ? -1 : 0 }
            if character == " " || character == "\t", !isQuoted, depth == 0 {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                word.append(character)
            }
        }
        if !word.isEmpty { words.append(word) }
        return words
    }

    private mutating func read(_ word: String) throws(CommandError) {
        switch word {
        case "ip", "ip6": try network(isV6: word == "ip6")
        case "tcp", "udp", "sctp", "th": try ports(word)
        case "icmp", "icmpv6":
            try expect("type", after: word)
            let (isNot, value) = try test()
            matches += ["-p", word == "icmp" ? "icmp" : "ipv6-icmp"]
            matches += isNot + [word == "icmp" ? "--icmp-type" : "--icmpv6-type", value]
        case "iifname", "iif":
            let (isNot, value) = try test()
            let name = value.filter { $0 != "\"" }
            matches += isNot + ["-i", name.hasSuffix("*") ? name.dropLast() + "+" : name]
        case "meta": try meta()
        case "ct": try connectionTracking()
        case "fib":
            let field = rest.popFirst()
            try expect("type", after: "fib")
            let (isNot, value) = try test()
            guard field == "daddr" || field == "saddr", value == "local" || value == "2" else {
                throw .line("'fib' other than type local is not supported")
            }
            matches += ["-m", "addrtype"] + isNot
            matches += [field == "daddr" ? "--dst-type" : "--src-type", "LOCAL"]
        case "counter": if rest.first == "packets" { rest = rest.dropFirst(4) }
        case "comment": _ = rest.popFirst()
        case "accept", "return": statements.append(["-j", word.uppercased()])
        case "drop": statements.append(["-j", "DROP"])
        case "jump", "goto":
            statements.append([word == "jump" ? "-j" : "-g", try next(word)])
        default: throw .line("'\(word)' is not supported")
        }
    }

    private mutating func network(isV6: Bool) throws(CommandError) {
        let field = try next("ip")
        matches.append(isV6 ? "-6" : "-4")
        switch field {
        case "saddr", "daddr":
            let option = field == "saddr" ? "-s" : "-d"
            var mask: String?
            if rest.first == "&" {
                rest = rest.dropFirst()
                mask = try next(field)
            }
            let (isNot, value) = try test()
            if value.contains("-") {
                matches += ["-m", "iprange"] + isNot
                matches += [field == "saddr" ? "--src-range" : "--dst-range", value]
            } else {
                matches += isNot + [option, mask.map { "\(value)/\($0)" } ?? value]
            }
        case "protocol" where !isV6: try proto()
        default: throw .line("'\(isV6 ? "ip6" : "ip") \(field)' is not supported")
        }
    }

    private mutating func proto() throws(CommandError) {
        let (isNot, value) = try test()
        guard !value.contains(",") else {
            throw .line("several protocols in one rule are not supported")
        }
        if isNot.isEmpty { transport = value }
        matches += isNot + ["-p", value]
    }

    private mutating func ports(_ word: String) throws(CommandError) {
        let field = try next(word)
        if word != "th" {
            transport = word
            matches += ["-p", word]
        }
        guard transport != nil else { throw .line("'th' needs a protocol before it") }
        if word == "tcp", field == "flags" { return try flags() }
        guard field == "sport" || field == "dport" else {
            throw .line("'\(word) \(field)' is not supported")
        }
        let (isNot, value) = try test()
        let list = value.split(separator: ",").map { part in
            String(part.map { $0 == "-" ? ":" : $0 })
        }.joined(separator: ",")
        matches +=
            ["-m", "multiport"] + isNot + [field == "sport" ? "--sports" : "--dports", list]
    }

    /// `tcp flags SET / MASK`, in numbers; one flag alone asks for that flag.
    private mutating func flags() throws(CommandError) {
        let (isNot, set) = try test()
        var mask = set
        if rest.first == "/" {
            rest = rest.dropFirst()
            mask = try next("flags")
        } else if set.contains(",") {
            throw .line("several 'tcp flags' without a mask are not supported")
        }
        func names(_ list: String) throws(CommandError) -> String {
            var bits: UInt32 = 0
            for part in list.split(separator: ",") {
                bits |= try MarkWordValues.number(String(part))
            }
            guard bits < 64 else { throw .line("'tcp flags \(list)' is not supported") }
            return MarkWordValues.flagNames(UInt8(bits))
        }
        matches += isNot + ["--tcp-flags", try names(mask), try names(set)]
    }

    private mutating func meta() throws(CommandError) {
        let field = try next("meta")
        switch field {
        case "l4proto": try proto()
        case "nfproto":
            let (isNot, value) = try test()
            guard isNot.isEmpty, value == "2" || value == "10" else {
                throw .line("'meta nfproto \(value)' is not supported")
            }
            matches.append(value == "2" ? "-4" : "-6")
        case "mark" where rest.first == "set":
            rest = rest.dropFirst()
            statements.append(try marking())
        case "mark": try mark("mark")
        default: throw .line("'meta \(field)' is not supported")
        }
    }

    private mutating func connectionTracking() throws(CommandError) {
        let field = try next("ct")
        switch field {
        case "state":
            let isUnequal = rest.first == "!="
            let (isNot, value) = try test()
            guard !isUnequal || !value.contains(",") else {
                throw .line("'ct state !=' with several states is not supported")
            }
            // Numbers of the kernel's bits: invalid 1, established 2, related 4, new 8, untracked 64.
            let names = [
                "0x1": "INVALID", "0x2": "ESTABLISHED", "0x4": "RELATED", "0x8": "NEW",
                "0x40": "UNTRACKED",
            ]
            let states = value.split(separator: ",").map { names[String($0)] ?? $0.uppercased() }
            matches += ["-m", "conntrack"] + isNot
            matches += ["--ctstate", states.joined(separator: ",")]
        case "mark" where rest.first == "set":
            rest = rest.dropFirst()
            if rest.starts(with: ["meta", "mark"]) {
                rest = rest.dropFirst(2)
                statements.append(["-j", "CONNMARK", "--save-mark"])
            } else {
                let number = try MarkWordValues.number(next("ct mark set"))
                statements.append(["-j", "CONNMARK", "--set-xmark", "\(number)"])
            }
            try expectPlainEnd("ct mark set")
        case "mark": try mark("connmark")
        default: throw .line("'ct \(field)' is not supported")
        }
    }

    /// A test of a mark, with or without a mask.
    private mutating func mark(_ module: String) throws(CommandError) {
        var mask = ""
        if rest.first == "&" {
            rest = rest.dropFirst()
            mask = "/" + (try next("mark"))
        }
        let (isNot, value) = try test()
        matches += ["-m", module] + isNot + ["--mark", value + mask]
    }

    /// What `meta mark set` makes of the mark: (mark & AND | OR) or (mark & AND ^ XOR).
    private mutating func marking() throws(CommandError) -> [String] {
        if rest.starts(with: ["ct", "mark"]) {
            rest = rest.dropFirst(2)
            try expectPlainEnd("meta mark set")
            return ["-j", "CONNMARK", "--restore-mark"]
        }
        guard rest.starts(with: ["meta", "mark"]) else {
            let value = try MarkWordValues.number(next("meta mark set"))
            try expectPlainEnd("meta mark set")
            return ["-j", "MARK", "--set-xmark", "\(value)"]
        }
        rest = rest.dropFirst(2)
        var kept = UInt32.max
        var value: UInt32 = 0
        var cleared: UInt32 = 0
        while let sign = rest.first, ["&", "|", "^"].contains(sign) {
            rest = rest.dropFirst()
            let number = try MarkWordValues.number(next("meta mark set"))
            switch sign {
            case "&":
                kept &= number
                value &= number
                cleared &= number
            case "|":
                // Set bits come out as 1 whatever was there.
                cleared |= number
                value |= number
            default: value ^= number
            }
        }
        return ["-j", "MARK", "--set-xmark", "\(value)/\(~kept | cleared)"]
    }

    private func expectPlainEnd(_ what: String) throws(CommandError) {
        if let sign = rest.first, ["&", "|", "^", "map", "<<", ">>"].contains(sign) {
            throw .line("'\(what)' with '\(sign)' is not supported")
        }
    }

    /// The operator and the value of a test; a set is a list with commas.
    private mutating func test() throws(CommandError) -> (isNot: [String], value: String) {
        var word = try next("a test")
        var isNot: [String] = []
        if ["!=", "==", "!"].contains(word) {
            if word != "==" { isNot = ["!"] }
            word = try next(word)
        }
        guard word != "." else { throw .line("fields joined by '.' are not supported") }
        guard !word.hasPrefix("@"), !["vmap", "map", "<", ">", "<=", ">=", "&"].contains(word)
        else { throw .line("'\(word)' is not supported") }
        if word.hasPrefix("{") {
            word = word.filter { !["{", "}", " ", "\t"].contains($0) }
        }
        return (isNot, word)
    }

    private mutating func expect(_ word: String, after: String) throws(CommandError) {
        guard rest.popFirst() == word else {
            throw .line("'\(after)' without '\(word)' is not supported")
        }
    }

    private mutating func next(_ word: String) throws(CommandError) -> String {
        guard let word = rest.popFirst() else { throw .line("nothing follows '\(word)'") }
        return word
    }
}
