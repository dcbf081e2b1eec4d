internal import LVS

/// The text of the director's nft tables `ip director` and `ip6 director`, which lead what is served
/// to the queues.
///
/// ```
/// prerouting ── requests ─┐                      ┌─ queue0 ─ NFQUEUE 0
/// forward ───┐            ├─ spread_requests ────┤
/// output ────┴─ replies ──┴─ spread_replies ─────┴─ queue1 ─ NFQUEUE 1
/// ```
/// Requests are taken before the host routes them; replies of NAT servers where it forwards them, as
/// IPVS does, or before that on a host that does not forward and at local addresses of FULLNAT, which
/// the host would keep for itself or seek on a wire. The chains stand right behind
/// iptables' mangle, so that its marks are there whenever they were added. The rule in the last
/// chains is an xtables target, which nft has no word for (`lvs_nft_add_queue_rule`).
struct QueueTable: Equatable {
    /// Name of the tables; how a director finds those of the one before.
    static let name = "director"
    /// Behind iptables' mangle, which has -150.
    static let priority = -149

    var queues: QueueRange
    /// Whether replies are taken where the host forwards them.
    var forwardsV4 = false
    var forwardsV6 = false
    var sets = BlockedSets()
    var marks: Set<ServedTraffic.Mark> = []

    static func table(_ family: AddressFamily) -> String {
        "\(family == .v4 ? "ip" : "ip6") \(name)"
    }

    /// The chain whose rule leads to a queue.
    static func chain(_ queue: UInt16) -> String { "queue\(queue)" }

    /// Commands that make the tables and the last chains, and leave alone what is there of them.
    var foundation: String {
        [AddressFamily.v4, .v6].map { family in
            let table = Self.table(family)
            let chains = numbers.map { "add chain \(table) \(Self.chain($0))\n" }
            return "add table \(table)\n" + chains.joined()
        }.joined()
    }

    /// One transaction that makes the tables say just this, over a foundation that is there.
    var replacing: String {
        [AddressFamily.v4, .v6].map(replacing).joined()
    }

    /// One transaction that adds and deletes elements; nil when there is nothing to do.
    static func changing(from old: QueueTable, to new: QueueTable) -> String? {
        var text = ""
        for (verb, sets, marks) in [
            ("add", new.sets.subtracting(old.sets), new.marks.subtracting(old.marks)),
            ("delete", old.sets.subtracting(new.sets), old.marks.subtracting(new.marks)),
        ] {
            for family in [AddressFamily.v4, .v6] {
                for set in BlockedSets.Name.allCases {
                    text += elements(
                        verb, set.rawValue, family,
                        sets[set, family].map { IngressTable.element($0, of: set) })
                }
                text += elements(verb, "marks", family, list(marks, family))
            }
        }
        return text.isEmpty ? nil : text
    }

    var numbers: [UInt16] { (0..<queues.count).map { queues.first + UInt16($0) } }

    private func replacing(_ family: AddressFamily) -> String {
        let table = Self.table(family)
        let n = family.rawValue
        var text = ""
        // Rules go first: what they name cannot be emptied before.
        for (chain, hook) in [
            ("prerouting", "prerouting"), ("forward", "forward"), ("output", "output"),
        ] {
            text += "add chain \(table) \(chain) "
            text += "{ type filter hook \(hook) priority \(Self.priority); policy accept; }\n"
            text += "flush chain \(table) \(chain)\n"
        }
        for chain in ["requests", "replies", "spread_requests", "spread_replies"] {
            text += "add chain \(table) \(chain)\nflush chain \(table) \(chain)\n"
        }
        for set in BlockedSets.Name.allCases {
            let name = "\(set.rawValue)\(n)"
            text += "add set \(table) \(name) { \(IngressTable.type(set, family)); }\n"
            text += "flush set \(table) \(name)\n"
            text += Self.elements(
                "add", set.rawValue, family,
                sets[set, family].map { IngressTable.element($0, of: set) })
        }
        text += "add set \(table) marks\(n) { type mark; }\nflush set \(table) marks\(n)\n"
        text += Self.elements("add", "marks", family, Self.list(marks, family))
        let forwards = family == .v4 ? forwardsV4 : forwardsV6
        var rules = [
            // What the host sends to itself has its route already.
            ("prerouting", "iifname \"lo\" return"),
            // Broadcasts and what is for other stations; IPVS leaves them alone, too.
            ("prerouting", "meta pkttype != host return"), ("prerouting", "jump requests"),
            ("output", "oifname != \"lo\" jump replies"),
        ]
        if forwards {
            let isLocal = "\(IngressTable.words(family).ip) daddr @locals\(n)"
            rules.append(("prerouting", "\(isLocal) jump replies"))
            rules += [("forward", "\(isLocal) return"), ("forward", "jump replies")]
        } else {
            rules.append(("prerouting", "jump replies"))
        }
        rules += requests(family).map { ("requests", $0) }
        rules += replies(family).map { ("replies", $0) }
        rules += [
            ("spread_requests", spread("saddr", "sport", family)),
            ("spread_replies", spread("daddr", "dport", family)),
        ]
        for (chain, rule) in rules { text += "add rule \(table) \(chain) \(rule)\n" }
        return text
    }

    /// A flow's requests and replies have the client's address and port in common, which name the
    /// queue of both.
    private func spread(_ address: String, _ port: String, _ family: AddressFamily) -> String {
        guard numbers.count > 1 else { return "goto \(Self.chain(queues.first))" }
        let ip = family == .v4 ? "ip" : "ip6"
        let ways = numbers.enumerated().map { "\($0.offset) : goto \(Self.chain($0.element))" }
        return "jhash \(ip) \(address) . th \(port) mod \(numbers.count) seed 0x1b873593"
            + " vmap { \(ways.joined(separator: ", ")) }"
    }

    /// What `ServedTraffic` says of packets to the director, most frequent ones first.
    private func requests(_ family: AddressFamily) -> [String] {
        let n = family.rawValue
        let (ip, transport, icmp, _) = IngressTable.words(family)
        let fragment = Self.fragment(family)
        let whole = "goto \(Self.chain(queues.first))"
        let spread = "goto spread_requests"
        var rules = [
            "\(fragment) \(ip) daddr . \(transport) @fragments\(n) \(whole)",
            "\(ip) daddr . \(transport) . th dport @services\(n) \(spread)",
            "meta mark @marks\(n) \(spread)",
            "\(ip) daddr . \(transport) @services_any\(n) \(spread)",
            "\(icmp) \(ip) daddr @errors\(n) \(whole)",
        ]
        rules += IngressTable.quotes(family).filter(\.isTunnel).map { "\($0.match) \(whole)" }
        for block in sets.blocks(family) {
            rules += IngressTable.matches(block, family, fragment: fragment).map {
                "\($0) \(whole)"
            }
        }
        return rules
    }

    /// The same of what NAT servers send, and of errors about packets to them.
    private func replies(_ family: AddressFamily) -> [String] {
        let n = family.rawValue
        let (ip, transport, _, _) = IngressTable.words(family)
        let fragment = Self.fragment(family)
        let whole = "goto \(Self.chain(queues.first))"
        let notHost = "\(ip) daddr != @host\(n)"
        return [
            "\(fragment) \(ip) saddr . \(transport) @replies\(n) \(notHost) \(whole)",
            "\(ip) saddr . \(transport) . th sport @servers\(n) \(notHost) goto spread_replies",
            "\(ip) saddr . \(transport) @servers_any\(n) \(notHost) goto spread_replies",
        ]
            + IngressTable.quotes(family).filter { !$0.isTunnel }.map {
                "\($0.match) \(notHost) \(whole)"
            }
    }

    /// Fragments go to one queue, the first of a datagram with the others: one worker puts them
    /// together.
    private static func fragment(_ family: AddressFamily) -> String {
        family == .v4 ? "ip frag-off & 0x3fff != 0" : "exthdr frag exists"
    }

    private static func list(_ marks: Set<ServedTraffic.Mark>, _ family: AddressFamily) -> [String]
    {
        marks.filter { $0.family == family }.map { String($0.value) }
    }

    private static func elements(
        _ verb: String, _ set: String, _ family: AddressFamily, _ list: [String]
    ) -> String {
        guard !list.isEmpty else { return "" }
        return "\(verb) element \(table(family)) \(set)\(family.rawValue)"
            + " { \(list.joined(separator: ", ")) }\n"
    }
}
