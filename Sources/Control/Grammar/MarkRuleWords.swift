import LVS

/// Marking rules in the words of iptables: `-p tcp -d 192.168.10.101 --dport 80 -j MARK --set-mark 10`.
enum MarkRuleWords {
    /// Reads a rule; what iptables knows and this director does not is refused by name.
    static func rule(_ words: [String]) throws(CommandError) -> MarkRule {
        var rest = words[...]
        var rule = MarkRule(mark: 0)
        var mark: UInt32?
        while let word = rest.popFirst() {
            switch word {
            case "-p", "--protocol", "--proto":
                rule.transport = try transport(try next(&rest, word))
            case "-s", "--source", "--src": rule.source = try prefix(try next(&rest, word))
            case "-d", "--destination", "--dst":
                rule.destination = try prefix(try next(&rest, word))
            case "-i", "--in-interface": rule.interface = try next(&rest, word)
            case "-m", "--match": try match(try next(&rest, word))
            case "--sport", "--source-port": rule.sourcePorts = [try range(try next(&rest, word))]
            case "--dport", "--destination-port":
                rule.destinationPorts = [try range(try next(&rest, word))]
            case "--sports", "--source-ports": rule.sourcePorts = try ranges(try next(&rest, word))
            case "--dports", "--destination-ports":
                rule.destinationPorts = try ranges(try next(&rest, word))
            case "-j", "--jump":
                guard try next(&rest, word) == "MARK" else { throw .line("expected -j MARK") }
            case "--set-mark", "--set-xmark": mark = try number(try next(&rest, word))
            // The only place there is.
            case "-t", "--table":
                guard try next(&rest, word) == "mangle" else { throw .line("expected -t mangle") }
            case "PREROUTING": break
            default: throw .line("mark: '\(word)' is not supported here; \(usage)")
            }
        }
        guard let mark, mark != 0 else { throw .line("mark: --set-mark needs a mark; \(usage)") }
        rule.mark = mark
        let hasPorts = !rule.sourcePorts.isEmpty || !rule.destinationPorts.isEmpty
        guard !hasPorts || rule.transport != nil else {
            throw .line("mark: ports need -p tcp or -p udp")
        }
        return rule
    }

    static let usage =
        "-A|-D [-p tcp|udp] -d ADDRESS[/LENGTH] [-s ADDRESS[/LENGTH]] [-i INTERFACE] "
        + "[--sport|--dport PORT[:PORT]] [-m multiport --sports|--dports LIST] "
        + "-j MARK --set-mark N"

    /// The rule as `mark -L` prints it and `mark -A` reads it.
    static func text(_ rule: MarkRule) -> String {
        var words: [String] = []
        if let source = rule.source { words.append("-s \(text(source))") }
        if let destination = rule.destination { words.append("-d \(text(destination))") }
        if let interface = rule.interface { words.append("-i \(interface)") }
        if let name = rule.transport?.serviceName { words.append("-p \(name)") }
        let ways = [
            ("--sport", "--sports", rule.sourcePorts),
            ("--dport", "--dports", rule.destinationPorts),
        ]
        if ways.contains(where: { $0.2.count > 1 }) { words.append("-m multiport") }
        for (one, several, ports) in ways where !ports.isEmpty {
            words.append("\(ports.count == 1 ? one : several) \(text(ports))")
        }
        words.append("-j MARK --set-mark \(rule.mark)")
        return words.joined(separator: " ")
    }

    private static func text(_ prefix: MarkRule.Prefix) -> String {
        "\(AddressNames.ipv4(prefix.address.v4))/\(prefix.length)"
    }

    private static func text(_ ports: [ClosedRange<UInt16>]) -> String {
        ports.map { range in
            range.count == 1
                ? "\(range.lowerBound)" : "\(range.lowerBound):\(range.upperBound)"
        }.joined(separator: ",")
    }

    // MARK: Words

    private static func next(
        _ rest: inout ArraySlice<String>, _ option: String
    ) throws(CommandError) -> String {
        guard let word = rest.popFirst() else { throw .option(option, "missing argument") }
        return word
    }

    private static func transport(_ word: String) throws(CommandError) -> TransportProtocol? {
        switch word {
        case "tcp", "6": return .tcp
        case "udp", "17": return .udp
        case "all", "0": return nil
        default: throw .line("mark: protocol '\(word)' is not supported, only tcp and udp")
        }
    }

    private static func match(_ word: String) throws(CommandError) {
        guard ["tcp", "udp", "multiport"].contains(word) else {
            throw .line("mark: match '\(word)' is not supported, only tcp, udp and multiport")
        }
    }

    private static func prefix(_ word: String) throws(CommandError) -> MarkRule.Prefix {
        let parts = word.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, let address = ValueWords.ipv4(parts[0]) else {
            throw .line("mark: '\(word)' is no IPv4 address with or without /LENGTH")
        }
        var length: UInt8 = 32
        if parts.count == 2 {
            guard let number = ValueWords.number(parts[1], in: 0...32) else {
                throw .line("mark: '/\(parts[1])' is no prefix length from 0 to 32")
            }
            length = UInt8(number)
        }
        return MarkRule.Prefix(address: IPAddress(v4: address), length: length)
    }

    private static func ranges(
        _ word: String
    ) throws(CommandError) -> [ClosedRange<UInt16>] {
        var ranges: [ClosedRange<UInt16>] = []
        for part in word.split(separator: ",", omittingEmptySubsequences: false) {
            ranges.append(try range(String(part)))
        }
        return ranges
    }

    private static func range(_ word: String) throws(CommandError) -> ClosedRange<UInt16> {
        let ends = word.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        // As with iptables a missing end is the first or the last port.
        let first = ends[0].isEmpty && ends.count == 2 ? 0 : port(ends[0])
        let last = ends.count == 1 ? first : ends[1].isEmpty ? UInt16.max : port(ends[1])
        guard ends.count <= 2, let first, let last, first <= last else {
            throw .line("mark: '\(word)' is no port and no range of ports")
        }
        return first...last
    }

    private static func port(_ word: String) -> UInt16? {
        ValueWords.number(word, in: 0...65535).map { UInt16($0) }
    }

    /// `N`, `0xN`, or either with the mask that means all bits.
    private static func number(_ word: String) throws(CommandError) -> UInt32 {
        let parts = word.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let values = parts.map { part in
            part.hasPrefix("0x") ? UInt32(part.dropFirst(2), radix: 16) : UInt32(part)
        }
        guard (1...2).contains(parts.count), let value = values[0] else {
            throw .line("invalid fwmark value `\(word)' specified")
        }
        guard parts.count == 1 || values[1] == .max else {
            throw .line("mark: masks other than 0xffffffff are not supported")
        }
        return value
    }
}
