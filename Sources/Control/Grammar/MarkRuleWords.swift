import LVS

/// Marking rules in the words of iptables: `-p tcp -d 192.168.10.101 --dport 80 -j MARK --set-mark 10`.
enum MarkRuleWords {
    /// Reads a rule of the director's own.
    ///
    /// Several addresses in one word make several rules, as with iptables. What iptables knows and this director does not is refused by name.
    static func rules(_ words: [String]) throws(CommandError) -> [MarkRule] {
        var reader = MarkRuleReader(words)
        try reader.readAll()
        guard reader.applies != false else {
            throw .line("mark: this never applies to the first packet of a connection")
        }
        switch reader.target {
        case .action(let action): return reader.rules(action).map(ofOneFamily)
        // There is one chain: the way back out of it ends it.
        case .leave: return reader.rules(.accept).map(ofOneFamily)
        case .chain(let name, _):
            throw .line(
                "mark: target '\(name)' is not supported, only MARK, CONNMARK, ACCEPT and RETURN")
        case .other(let name):
            throw .line(
                "mark: target '\(name)' is not supported, only MARK, CONNMARK, ACCEPT and RETURN")
        case nil: throw .line("mark: -j MARK --set-mark N is missing; \(usage)")
        }
    }

    /// A rule that does not say its family otherwise is for IPv4, as those of iptables are.
    private static func ofOneFamily(_ rule: MarkRule) -> MarkRule {
        var plain = rule
        plain.family = nil
        guard let told = plain.onlyFamily else {
            plain.family = rule.family ?? .v4
            return plain
        }
        // A contradiction stays one, for the engine to refuse.
        return rule.family ?? told == told ? plain : rule
    }

    /// Reads a line that must make one rule.
    static func rule(_ words: [String]) throws(CommandError) -> MarkRule {
        let all = try rules(words)
        guard all.count == 1 else { throw .line("mark: one address a rule is expected here") }
        return all[0]
    }

    static let usage =
        "-A|-D [!] [-p PROTOCOL] [-s ADDRESS[/LENGTH]] [-d ADDRESS[/LENGTH]] [-i INTERFACE] "
        + "[--sport|--dport PORT[:PORT]] [-m multiport --sports|--dports|--ports LIST] "
        + "[-m mark --mark N[/MASK]] -j MARK --set-mark N[/MASK]"

    /// The rule as `mark -L` prints it and `mark -A` reads it.
    static func text(_ rule: MarkRule) -> String {
        var words: [String] = []
        func add(_ part: MarkRule.Parts, _ text: String?, module: String? = nil) {
            guard let text else { return }
            if let module { words.append("-m \(module)") }
            words.append(rule.inverted.contains(part) ? "! \(text)" : text)
        }
        if rule.family == .v6 { words.append("-6") }
        add(.source, rule.source.map { "-s \(text($0))" })
        add(.destination, rule.destination.map { "-d \(text($0))" })
        add(.interface, rule.interface.map { "-i \($0)" })
        add(.transport, rule.transport.map { "-p \(MarkWordValues.name($0))" })
        let isMany =
            rule.sourcePorts.count > 1 || rule.destinationPorts.count > 1
            || !rule.eitherPorts.isEmpty
        if isMany { words.append("-m multiport") }
        for (part, one, several, ports) in [
            (MarkRule.Parts.sourcePorts, "--sport", "--sports", rule.sourcePorts),
            (.destinationPorts, "--dport", "--dports", rule.destinationPorts),
            (.eitherPorts, "--ports", "--ports", rule.eitherPorts),
        ] where !ports.isEmpty {
            add(part, "\(ports.count == 1 ? one : several) \(text(ports))")
        }
        add(.flags, rule.flags.map { "--tcp-flags \(text($0))" })
        add(.icmp, rule.icmp.map { text($0, rule.transport) })
        if rule.sourceSpan != nil || rule.destinationSpan != nil { words.append("-m iprange") }
        add(.sourceSpan, rule.sourceSpan.map { "--src-range \($0.first)-\($0.last)" })
        add(.destinationSpan, rule.destinationSpan.map { "--dst-range \($0.first)-\($0.last)" })
        for (isHost, option) in [(rule.isFromHost, "--src-type"), (rule.isToHost, "--dst-type")] {
            guard let isHost else { continue }
            words.append("-m addrtype \(isHost ? "" : "! ")\(option) LOCAL")
        }
        add(.carried, rule.carried.map { "--mark \(text($0))" }, module: "mark")
        add(.connection, rule.connection.map { "--mark \(text($0))" }, module: "connmark")
        words.append(text(rule.action))
        return words.joined(separator: " ")
    }

    private static func text(_ action: MarkRule.Action) -> String {
        switch action {
        case .set(let bits): "-j MARK \(setting(bits))"
        case .setConnection(let bits): "-j CONNMARK \(setting(bits))"
        case .save(let packet, let connection):
            "-j CONNMARK --save-mark --nfmask \(hexadecimal(packet)) --ctmask \(hexadecimal(connection))"
        case .restore(let packet, let connection):
            "-j CONNMARK --restore-mark --nfmask \(hexadecimal(packet))"
                + " --ctmask \(hexadecimal(connection))"
        case .accept: "-j ACCEPT"
        // Chains exist among the host's rules only, which are shown in their own words.
        case .skip, .unless: "-j RETURN"
        }
    }

    private static func setting(_ bits: MarkRule.Bits) -> String {
        bits.mask == .max
            ? "--set-mark \(bits.value)"
            : "--set-xmark \(hexadecimal(bits.value))/\(hexadecimal(bits.mask))"
    }

    private static func text(_ bits: MarkRule.Bits) -> String {
        bits.mask == .max
            ? hexadecimal(bits.value) : "\(hexadecimal(bits.value))/\(hexadecimal(bits.mask))"
    }

    private static func hexadecimal(_ number: UInt32) -> String {
        "0x" + String(number, radix: 16)
    }

    private static func text(_ prefix: MarkRule.Prefix) -> String {
        guard prefix.isContiguous else {
            let mask = prefix.address.isV4 ? IPAddress(v4: prefix.mask.v4) : prefix.mask
            return "\(prefix.address)/\(mask)"
        }
        return "\(prefix.address)/\(prefix.length)"
    }

    private static func text(_ ports: [ClosedRange<UInt16>]) -> String {
        ports.map { range in
            range.count == 1
                ? "\(range.lowerBound)" : "\(range.lowerBound):\(range.upperBound)"
        }.joined(separator: ",")
    }

    private static func text(_ flags: MarkRule.Flags) -> String {
        "\(MarkWordValues.flagNames(flags.mask)) \(MarkWordValues.flagNames(flags.set))"
    }

    private static func text(_ icmp: MarkRule.ICMP, _ transport: TransportProtocol?) -> String {
        let option = transport == .icmpV6 ? "--icmpv6-type" : "--icmp-type"
        return icmp.codes == 0...255
            ? "\(option) \(icmp.type)" : "\(option) \(icmp.type)/\(icmp.codes.lowerBound)"
    }
}
