import Control
import LVS
import Testing

@Suite("What nft's own language says of marks")
struct NftRulesetTests {
    private func chains(_ rules: String, family: String = "inet") -> [NftRuleset.Chain] {
        let lines = rules.split(separator: "\n").map { "\t\t\($0)" }.joined(separator: "\n")
        return NftRuleset.chains(
            """
            table \(family) web {
            \tset web {
            \t\ttype ipv4_addr
            \t\telements = { 1.1.1.1, 1.1.1.2,
            \t\t\t     1.1.1.3 }
            \t}

            \tchain pre {
            \t\ttype filter hook prerouting priority -150; policy accept;
            \(lines)
            \t}

            \tchain other {
            \t\ttcp flags 0x2 / 0x2,0x10 meta mark set 0x00000009 return
            \t\tmeta mark set 0x00000008
            \t}
            }
            table ip mangle {
            \tchain PREROUTING {
            \t\ttype filter hook prerouting priority -150; policy accept;
            \t\tmeta mark set 0x00000001
            \t}
            }

            """, isForeign: { $1 == "mangle" })
    }

    private static func rule(
        _ mark: UInt32, mask: UInt32 = .max, _ change: (inout MarkRule) -> Void
    ) -> MarkRule {
        var rule = MarkRule(.set(.init(mark, mask: mask)))
        change(&rule)
        return rule
    }

    private static func prefix(_ address: UInt32, _ length: UInt8) -> MarkRule.Prefix {
        .init(address: IPAddress(v4: address), length: length)
    }

    @Test(
        "A rule becomes the rule that iptables would have",
        arguments: [
            (
                "ip daddr 1.2.3.4 tcp dport { 80, 443-444 } counter packets 1 bytes 2 "
                    + "meta mark set 0x00000001 comment \"hi { there\"",
                rule(1) {
                    $0.family = .v4
                    $0.transport = .tcp
                    $0.destination = prefix(0x0102_0304, 32)
                    $0.destinationPorts = [80...80, 443...444]
                }
            ),
            (
                "ip saddr != 10.0.0.0/8 udp sport != 5000-5010 "
                    + "meta mark set meta mark & 0xfffffff3 | 0x00000003",
                rule(3, mask: 0xf) {
                    $0.family = .v4
                    $0.transport = .udp
                    $0.source = prefix(0x0a00_0000, 8)
                    $0.sourcePorts = [5000...5010]
                    $0.inverted = [.source, .sourcePorts]
                }
            ),
            (
                "iifname \"eth*\" meta mark & 0x000000ff == 0x00000003 ct state 0x4,0x8 "
                    + "meta mark set meta mark ^ 0x00000005",
                rule(5, mask: 0) {
                    $0.interface = "eth+"
                    $0.carried = .init(3, mask: 0xff)
                }
            ),
            (
                "meta l4proto 6 th dport 53 tcp flags 0x2 fib daddr type 2 ct mark != 0x1 "
                    + "meta mark set 7",
                rule(7) {
                    $0.transport = .tcp
                    $0.destinationPorts = [53...53]
                    $0.flags = .init(mask: 2, set: 2)
                    $0.isToHost = true
                    $0.connection = .init(1)
                    $0.inverted = .connection
                }
            ),
            (
                "ip6 daddr 2001:db8::/32 icmpv6 type 128 meta mark set 7",
                rule(7) {
                    $0.family = .v6
                    $0.transport = .icmpV6
                    $0.icmp = .init(type: 128)
                    $0.destination = .init(
                        address: IPAddress(high: 0x2001_0db8_0000_0000, low: 0), length: 32)
                }
            ),
            (
                "ip daddr 10.0.0.1-10.0.0.9 ip saddr & 255.0.255.0 == 10.0.7.0 meta mark set 7",
                rule(7) {
                    $0.family = .v4
                    $0.source = .init(
                        address: IPAddress(v4: 0x0a00_0700), mask: IPAddress(v4: 0xff00_ff00))
                    $0.destinationSpan = .init(
                        IPAddress(v4: 0x0a00_0001), IPAddress(v4: 0x0a00_0009))
                }
            ),
        ])
    func translated(_ text: String, _ rule: MarkRule) throws {
        let chain = try #require(chains(text).first)
        #expect(chain.priority == -150)
        #expect(chain.marks.rules == [rule])
        #expect(chain.marks.lines == [FollowedMark(origin: "nft inet web pre", text: text)])
    }

    @Test("Several statements are done where one test held before the first of them")
    func statements() {
        let marks = chains(
            """
            meta mark 0x00000000 meta mark set 0x00000002 ct mark set meta mark goto other
            meta mark set ct mark
            """, family: "ip")[0].marks
        #expect(marks.rules.allSatisfy { $0.family == .v4 })
        #expect(
            marks.rules.map(\.action)
                == [
                    .unless(8), .set(.init(2)), .save(packet: .max, connection: .max),
                    .unless(5), .unless(2), .set(.init(9)), .skip(1), .set(.init(8)), .accept,
                    .restore(packet: .max, connection: .max),
                ])
    }

    @Test(
        "What cannot be expressed is named",
        arguments: [
            ("ip daddr @web meta mark set 0x1", "@web"),
            ("meta mark set tcp dport map { 80 : 0x1, 443 : 0x2 }", "tcp"),
            ("limit rate 10/second meta mark set 0x1", "limit"),
            ("ip daddr . tcp dport { 1.1.1.1 . 80 } meta mark set 0x1", "'.'"),
            ("meta l4proto { 6, 17 } meta mark set 0x1", "several protocols"),
            ("meta mark set 0x1 ip daddr 1.1.1.1 accept", "behind a statement"),
            ("ip daddr 1.1.1.1 drop", "DROP"),
        ])
    func named(_ text: String, _ reason: String) {
        let marks = chains(text + "\nmeta mark set 0x00000007")[0].marks
        #expect(marks.rules.map(\.mark) == [7])
        #expect(marks.lines.first?.trouble?.contains(reason) == true, "\(marks.lines)")
    }

    @Test("A chain that marks nothing says nothing")
    func silent() {
        let marks = chains("limit rate 10/second accept\nip daddr @web drop").map(\.marks)
        #expect(marks.allSatisfy { $0.rules.isEmpty && $0.lines.isEmpty })
    }
}
