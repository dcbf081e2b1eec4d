import LVS
internal import Posix

/// Reads single words of marking rules as values, as iptables takes them.
enum MarkWordValues {
    // MARK: Protocols

    private static let names: [(String, UInt8)] = [
        ("icmp", 1), ("igmp", 2), ("ipencap", 4), ("tcp", 6), ("udp", 17), ("dccp", 33),
        ("ipv6", 41),
        ("gre", 47), ("esp", 50), ("ah", 51), ("ipv6-icmp", 58), ("ospf", 89), ("ipip", 94),
        ("pim", 103), ("vrrp", 112), ("l2tp", 115), ("sctp", 132), ("mh", 135), ("udplite", 136),
    ]

    /// A protocol by name or number; nil is all of them.
    static func transport(_ word: String) throws(CommandError) -> TransportProtocol? {
        let name = word.lowercased()
        if name == "all" || name == "0" { return nil }
        if name == "icmpv6" { return .icmpV6 }
        if let known = names.first(where: { $0.0 == name }) {
            return TransportProtocol(rawValue: known.1)
        }
        guard let number = ValueWords.number(word, in: 1...255) else {
            throw .line("mark: unknown protocol '\(word)'")
        }
        return TransportProtocol(rawValue: UInt8(number))
    }

    static func name(_ transport: TransportProtocol) -> String {
        names.first { $0.1 == transport.rawValue }?.0 ?? String(transport.rawValue)
    }

    // MARK: Addresses

    static func prefixes(_ word: String) throws(CommandError) -> [MarkRule.Prefix] {
        var all: [MarkRule.Prefix] = []
        for part in word.split(separator: ",", omittingEmptySubsequences: false) {
            all.append(try prefix(String(part)))
        }
        return all
    }

    private static func prefix(_ word: String) throws(CommandError) -> MarkRule.Prefix {
        let parts = word.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, let address = address(parts[0]) else {
            throw .line("mark: '\(word)' is no address with or without /LENGTH")
        }
        let most: Int64 = address.isV4 ? 32 : 128
        guard parts.count == 2 else {
            return MarkRule.Prefix(address: address, length: UInt8(most))
        }
        if let number = ValueWords.number(parts[1], in: 0...most) {
            return MarkRule.Prefix(address: address, length: UInt8(number))
        }
        guard let mask = IPAddress(parsing: parts[1]), mask.isV4 == address.isV4 else {
            throw .line("mark: '/\(parts[1])' is no mask and no prefix length from 0 to \(most)")
        }
        return MarkRule.Prefix(address: address, mask: mask)
    }

    private static func address(_ word: String) -> IPAddress? {
        if word.contains(":") {
            return IPAddress(parsing: word).flatMap { $0.isV4 ? nil : $0 }
        }
        return ValueWords.ipv4(word).map { IPAddress(v4: $0) }
    }

    /// `FIRST-LAST`, or one address.
    static func span(_ word: String) throws(CommandError) -> MarkRule.Span {
        let ends = word.split(separator: "-", omittingEmptySubsequences: false).map(String.init)
        guard ends.count <= 2, let first = address(ends[0]),
            let last = address(ends[ends.count - 1]),
            first.isV4 == last.isV4, (first.high, first.low) <= (last.high, last.low)
        else { throw .line("mark: '\(word)' is no range of addresses") }
        return MarkRule.Span(first, last)
    }

    // MARK: Ports

    static func ports(
        _ word: String, isList: Bool, _ transport: TransportProtocol?
    ) throws(CommandError) -> [ClosedRange<UInt16>] {
        let parts =
            isList ? word.split(separator: ",", omittingEmptySubsequences: false) : [word[...]]
        guard parts.count <= 15 else { throw .line("mark: more than 15 ports in one list") }
        var all: [ClosedRange<UInt16>] = []
        for part in parts { all.append(try range(String(part), transport)) }
        return all
    }

    private static func range(
        _ word: String, _ transport: TransportProtocol?
    ) throws(CommandError) -> ClosedRange<UInt16> {
        let ends = word.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        func port(_ word: String) -> UInt16? {
            if let number = ValueWords.number(word, in: 0...65535) { return UInt16(number) }
            guard let name = transport?.serviceName else { return nil }
            return Names.port(ofService: word, transport: name)
        }
        // As with iptables a missing end is the first or the last port.
        let first = ends[0].isEmpty && ends.count == 2 ? 0 : port(ends[0])
        let last = ends.count == 1 ? first : ends[1].isEmpty ? UInt16.max : port(ends[1])
        guard ends.count <= 2, let first, let last, first <= last else {
            throw .line("mark: '\(word)' is no port and no range of ports")
        }
        return first...last
    }

    // MARK: Marks

    /// `N` or `N/MASK`, each decimal, hexadecimal (0x) or octal (0).
    static func bits(_ word: String) throws(CommandError) -> MarkRule.Bits {
        let parts = word.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2 else { throw .line("invalid fwmark value `\(word)' specified") }
        let value = try number(parts[0])
        return MarkRule.Bits(value, mask: parts.count == 2 ? try number(parts[1]) : .max)
    }

    static func number(_ word: String) throws(CommandError) -> UInt32 {
        let isHexadecimal = word.hasPrefix("0x") || word.hasPrefix("0X")
        let isOctal = !isHexadecimal && word.hasPrefix("0") && word.count > 1
        let value =
            isHexadecimal
            ? UInt32(word.dropFirst(2), radix: 16) : UInt32(word, radix: isOctal ? 8 : 10)
        guard let value, word.first != "+" else {
            throw .line("invalid fwmark value `\(word)' specified")
        }
        return value
    }

    // MARK: Flags and types

    private static let flagBits: [(String, UInt8)] = [
        ("FIN", 1), ("SYN", 2), ("RST", 4), ("PSH", 8), ("ACK", 16), ("URG", 32),
    ]

    static func flags(_ word: String) throws(CommandError) -> UInt8 {
        if word == "ALL" { return 63 }
        if word == "NONE" { return 0 }
        var bits: UInt8 = 0
        for name in word.split(separator: ",") {
            guard let known = flagBits.first(where: { $0.0 == name }) else {
                throw .line("mark: unknown TCP flag '\(name)'")
            }
            bits |= known.1
        }
        return bits
    }

    static func flagNames(_ bits: UInt8) -> String {
        let names = flagBits.filter { bits & $0.1 != 0 }.map(\.0)
        return names.isEmpty ? "NONE" : names.joined(separator: ",")
    }

    /// A type by number or name, with or without a code; nil is any.
    static func icmp(_ word: String, isV6: Bool) throws(CommandError) -> MarkRule.ICMP? {
        if word == "any" || word == "255" { return nil }
        let names: [String: UInt8] =
            isV6
            ? [
                "destination-unreachable": 1, "packet-too-big": 2, "time-exceeded": 3,
                "parameter-problem": 4, "echo-request": 128, "echo-reply": 129,
            ]
            : [
                "echo-reply": 0, "destination-unreachable": 3, "source-quench": 4, "redirect": 5,
                "echo-request": 8, "time-exceeded": 11, "parameter-problem": 12,
            ]
        if let type = names[word] { return MarkRule.ICMP(type: type) }
        let parts = word.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, let type = ValueWords.number(parts[0], in: 0...255) else {
            throw .line("mark: unknown ICMP type '\(word)'")
        }
        guard parts.count == 2 else { return MarkRule.ICMP(type: UInt8(type)) }
        guard let code = ValueWords.number(parts[1], in: 0...255) else {
            throw .line("mark: unknown ICMP code in '\(word)'")
        }
        return MarkRule.ICMP(type: UInt8(type), codes: UInt8(code)...UInt8(code))
    }
}

/// Lists of ranges of ports, taken as sets.
enum PortLists {
    /// All ports that the list does not hold.
    static func others(_ list: [ClosedRange<UInt16>]) -> [ClosedRange<UInt16>] {
        var rest: [ClosedRange<UInt16>] = [0...UInt16.max]
        for taken in list {
            rest = rest.flatMap { range -> [ClosedRange<UInt16>] in
                guard range.overlaps(taken) else { return [range] }
                var parts: [ClosedRange<UInt16>] = []
                if range.lowerBound < taken.lowerBound {
                    parts.append(range.lowerBound...taken.lowerBound - 1)
                }
                if range.upperBound > taken.upperBound {
                    parts.append(taken.upperBound + 1...range.upperBound)
                }
                return parts
            }
        }
        return rest
    }

    /// The ports that both lists hold.
    static func both(
        _ one: [ClosedRange<UInt16>], _ other: [ClosedRange<UInt16>]
    ) -> [ClosedRange<UInt16>] {
        one.flatMap { range in
            other.compactMap { range.overlaps($0) ? range.clamped(to: $0) : nil }
        }
    }
}
