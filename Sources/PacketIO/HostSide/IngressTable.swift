internal import LVS

/// The text of the director's nft table: netdev family, one chain for each served interface, which
/// asks the common chains, which drop what the sets hold.
///
/// ```
/// in-eth0 ─┐             ┌─ block4 ─ services4 services_any4 fragments4 errors4 servers4 ...
///          ├─ block ─────┤
/// in-eth1 ─┘             └─ block6 ─ services6 ...
/// ```
/// A tap sees a frame before these chains do; the host's stack only what they let by.
enum IngressTable {
    /// Family and name; the name is how a director finds the table of the one before.
    static let name = "netdev director"

    /// One transaction that puts the whole table in the place of one that may be there.
    static func replacing(_ sets: BlockedSets, interfaces: [IngressBlock.Interface]) -> String {
        var text = "add table \(name)\ndelete table \(name)\ntable \(name) {\n"
        for family in [AddressFamily.v4, .v6] {
            for set in BlockedSets.Name.allCases {
                text += "set \(set.rawValue)\(family.rawValue) {\n\(type(set, family))\n"
                let elements = sets[set, family]
                if !elements.isEmpty {
                    let list = elements.map { element($0, of: set) }.joined(separator: ",\n")
                    text += "elements = {\n\(list)\n}\n"
                }
                text += "}\n"
            }
            let lines = [rules(family)] + sets.blocks(family).map { rules($0, family) }
            text += "chain block\(family.rawValue) {\n\(lines.joined(separator: "\n"))\n}\n"
        }
        text += "chain block {\nmeta protocol vmap { ip : jump block4, ip6 : jump block6 }\n}\n"
        for interface in interfaces {
            text += "chain \(chain(interface)) {\n"
            text +=
                "type filter hook ingress device \"\(interface.name)\" priority -500; policy accept;\n"
            if !interface.foreignVLANs.isEmpty {
                let tags = interface.foreignVLANs.sorted().map(String.init).joined(separator: ", ")
                text += "vlan id { \(tags) } accept\n"
            }
            text += "jump block\n}\n"
        }
        return text + "}\n"
    }

    /// One transaction that adds and deletes elements; nil when there is nothing to do.
    static func changing(adding: BlockedSets, deleting: BlockedSets) -> String? {
        var text = ""
        for (verb, sets) in [("add", adding), ("delete", deleting)] {
            for set in BlockedSets.Name.allCases {
                for family in [AddressFamily.v4, .v6] {
                    let list = sets[set, family]
                    guard !list.isEmpty else { continue }
                    let elements = list.map { element($0, of: set) }.joined(separator: ", ")
                    text += "\(verb) element \(name) \(set.rawValue)\(family.rawValue)"
                    text += " { \(elements) }\n"
                }
            }
        }
        return text.isEmpty ? nil : text
    }

    /// The name of the chain of an interface: what nft takes as a word, and tells people the most.
    private static func chain(_ interface: IngressBlock.Interface) -> String {
        let isWord = interface.name.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
                || byte == UInt8(ascii: "-")
        }
        return isWord ? "in-\(interface.name)" : "in-number-\(interface.index)"
    }

    static func type(_ set: BlockedSets.Name, _ family: AddressFamily) -> String {
        if set.isQuoted { return "typeof \(quoted(set, family))" }
        var type = family == .v4 ? "type ipv4_addr" : "type ipv6_addr"
        if set.hasTransport { type += " . inet_proto" }
        if set.hasPort { type += " . inet_service" }
        return type
    }

    /// What is looked up of the packet that an ICMP error quotes, as bits from the message's beginning
    /// on: destination, protocol and destination port of a header without options.
    private static func quoted(_ set: BlockedSets.Name, _ family: AddressFamily) -> String {
        var key = family == .v4 ? "@th,192,32" : "@th,256,128"
        if set.hasTransport { key += family == .v4 ? " . @th,136,8" : " . @th,112,8" }
        if set.hasPort { key += family == .v4 ? " . @th,240,16" : " . @th,400,16" }
        return key
    }

    /// What `ServedTraffic` says, cheapest for the frames that are most: requests, then replies.
    private static func rules(_ family: AddressFamily) -> String {
        let n = family.rawValue
        let (ip, transport, icmp, fragment) = words(family)
        let notHost = "\(ip) daddr != @host\(n)"
        let quotes = quotes(family).map { quote in
            quote.match + (quote.isTunnel ? " drop" : " \(notHost) drop")
        }.joined(separator: "\n")
        return """
            \(ip) daddr . \(transport) . th dport @services\(n) drop
            \(ip) saddr . \(transport) . th sport @servers\(n) \(notHost) drop
            \(ip) daddr . \(transport) @services_any\(n) drop
            \(ip) saddr . \(transport) @servers_any\(n) \(notHost) drop
            \(fragment) \(ip) daddr . \(transport) @fragments\(n) drop
            \(fragment) \(ip) saddr . \(transport) @replies\(n) \(notHost) drop
            \(icmp) \(ip) daddr @errors\(n) drop
            \(quotes)
            """
    }

    /// What matches ICMP errors by the packet that they quote, and whether that is one of a tunnel.
    static func quotes(_ family: AddressFamily) -> [(match: String, isTunnel: Bool)] {
        let n = family.rawValue
        let isV4 = family == .v4
        // Parameter problems are the host's where they are not for a virtual address.
        let about = isV4 ? "icmp type { 3, 4, 11 }" : words(family).icmp
        // Version and length of a quoted IPv4 header; the first header behind an IPv6 one.
        let plain = isV4 ? "@th,64,8 0x45" : "@th,112,8 != { 0, 43, 44, 60 }"
        let optioned = isV4 ? "@th,64,8 != 0x45" : "@th,112,8 { 0, 43, 44, 60 }"
        return BlockedSets.Name.allCases.filter(\.isQuoted).map { set in
            let header = set == .quotedAddress ? optioned : plain
            let isTunnel = set == .tunnels || set == .tunnelsWithoutPort
            return ("\(about) \(header) \(quoted(set, family)) @\(set.rawValue)\(n)", isTunnel)
        }
    }

    /// The rules for a block of addresses and ports.
    private static func rules(_ block: ServedTraffic.Block, _ family: AddressFamily) -> String {
        matches(block, family, fragment: words(family).fragment).map { "\($0) drop" }
            .joined(separator: "\n")
    }

    /// What matches a block: its ports, its fragments, and ICMP errors to it.
    static func matches(
        _ block: ServedTraffic.Block, _ family: AddressFamily, fragment: String
    ) -> [String] {
        let words = words(family)
        let length = block.network.length
        let to =
            length == 0
            ? "" : "\(words.ip) daddr \(literal(block.network.address))/\(length) "
        let transport = "\(words.transport) \(block.transport.rawValue)"
        let isEveryPort = block.ports == 0...UInt16.max
        let ports =
            isEveryPort ? "" : " th dport \(block.ports.lowerBound)-\(block.ports.upperBound)"
        return [
            "\(to)\(transport)\(ports)", "\(to)\(fragment) \(transport)", "\(to)\(words.icmp)",
        ]
    }

    /// How nft says things in a family.
    static func words(
        _ family: AddressFamily
    ) -> (ip: String, transport: String, icmp: String, fragment: String) {
        family == .v4
            ? ("ip", "ip protocol", "icmp type { 3, 4, 11, 12 }", "ip frag-off & 0x1fff != 0")
            : ("ip6", "meta l4proto", "icmpv6 type < 128", "frag frag-off != 0")
    }

    static func element(_ element: BlockedSets.Element, of set: BlockedSets.Name) -> String {
        var text = set.isQuoted ? number(element.address) : literal(element.address)
        if let transport = element.transport { text += " . \(transport)" }
        if let port = element.port { text += " . \(port)" }
        return text
    }

    /// An address as nft reads bytes that it has no type for.
    private static func number(_ address: IPAddress) -> String {
        let digits = { (value: UInt64) in
            let text = String(value, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        return address.isV4
            ? "0x" + digits(UInt64(address.v4)).suffix(8)
            : "0x" + digits(address.wireHigh) + digits(address.low)
    }

    /// An address as nft reads it; not meant for people, so zeros are not shortened.
    static func literal(_ address: IPAddress) -> String {
        guard !address.isV4 else {
            return [24, 16, 8, 0].map { String(address.v4 >> $0 & 0xff) }.joined(separator: ".")
        }
        return [address.wireHigh, address.low].flatMap { half in
            [48, 32, 16, 0].map { String(half >> $0 & 0xffff, radix: 16) }
        }.joined(separator: ":")
    }
}
