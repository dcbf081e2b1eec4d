import Foundation
import Instruments
import LVS
import TestKit
import Testing

/// What people and programs read of a packet's story.
@Suite struct ExplanationTests {
    private static let rules = [
        "-A -t 10.1.0.100:80 -s wlc -p 300 -M 255.255.255.0",
        "-a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m -w 3",
        "-a -t 10.1.0.100:80 -r 10.2.0.12:8080 -m -w 1", "-A -u 10.1.0.100:53 -s rr",
        "-a -u 10.1.0.100:53 -r 10.2.0.13:53 -i", "-A -t 10.1.0.100:443 -s sed",
        "-a -t 10.1.0.100:443 -r 10.2.0.13:443 -m -w 0", "-A -f 5 -s rr",
        "-a -f 5 -r 10.2.0.14:0 -g",
    ]

    private func rig() throws -> DirectorRig {
        let rig = DirectorRig.twoLegged()
        for line in ExplanationTests.rules {
            try RuleLine.run(line.split(separator: " ").map(String.init), on: rig.director)
        }
        var rule = MarkRule(mark: 5)
        rule.transport = .tcp
        rule.destinationPorts = [81...81]
        try rig.director.setMarkRules([rule])
        return rig
    }

    /// Tells of packets one after the other, with a second and a half between them.
    private func explanations(_ packets: [String]) throws -> [Explanation] {
        let rig = try rig()
        return try packets.map { words in
            defer { rig.advance(milliseconds: 1500) }
            return try Hypothesis([words]).explanation(on: rig.director, now: rig.clock.now)
        }
    }

    @Test func `A first packet is told from the table to the wire`() throws {
        let text = try explanations(["tcp 198.51.100.7:4321 -> 10.1.0.100:80"])[0].text
        #expect(
            text == """
                tcp 198.51.100.7:4321 -> 10.1.0.100:80 [S], 40 bytes, TTL 64, in by cli
                 1. connection table: no entry, tcp 198.51.100.7:4321 -> 10.1.0.100:80
                 2. no marking rule gives it a mark
                 3. service tcp 10.1.0.100:80: found
                 4. template of 198.51.100.0 for 10.1.0.100, port 80: none
                 5. scheduler wlc of tcp 10.1.0.100:80: the least overhead for its weight
                       real server     method  weight  active  inactive  overhead  per weight
                    *  10.2.0.12:8080  Masq         1       0         0         0        0.00
                       10.2.0.11:8080  Masq         3       0         0         0        0.00
                    chosen: 10.2.0.12:8080
                 6. template of 198.51.100.0 for 10.1.0.100, port 80: made, \
                leads to 10.2.0.12:8080, 300 seconds of 300 left
                 7. new connection to 10.2.0.12:8080 (Masq), NONE
                 8. state NONE -> SYN_RECV, times out after 60 seconds, was 3, counts as active
                 9. next hop to the server 10.2.0.12: on link by srv, MAC 02:00:0a:02:00:0c, MTU 1500
                10. headers, 7 fields changed:
                    *  Ethernet  destination       02:00:0a:01:00:01 -> 02:00:0a:02:00:0c
                    *            source            02:00:00:00:00:01 -> 02:00:0a:02:00:01
                       IPv4      source            198.51.100.7
                    *            destination       10.1.0.100 -> 10.2.0.12
                    *            TTL               64 -> 63
                                 length            40
                                 identification    0x0000
                                 fragment          DF
                    *            checksum          0x0631 -> 0x0788
                       TCP       source port       4321
                    *            destination port  80 -> 8080
                                 sequence          0
                                 flags             [S]
                                 window            64240
                    *            checksum          0x6f21 -> 0x5038
                => sent by srv

                """)
    }

    /// Packets in their order, and lines that the story of the last one has.
    @Test(arguments: [
        (
            [
                "tcp 198.51.100.7:1 to 10.1.0.100:80",
                "tcp 198.51.100.7:1 to 10.1.0.100:80 flags ack",
            ],
            [
                "hit from the client, 10.2.0.12:8080 (Masq), SYN_RECV, 58 seconds left",
                "state SYN_RECV -> ESTABLISHED, times out after 900 seconds, was 60",
            ]
        ),
        (
            [
                "tcp 198.51.100.7:1 to 10.1.0.100:80",
                "tcp 10.2.0.12:8080 to 198.51.100.7:1 flags syn,ack",
            ],
            [
                "hit from the server, 10.2.0.12:8080 (Masq), SYN_RECV",
                "next hop to the client 198.51.100.7: gateway 10.1.0.254 by cli",
                "*  IPv4      source            10.2.0.12 -> 10.1.0.100", "=> sent by cli",
            ]
        ),
        (
            ["tcp 198.51.100.7:1 to 10.1.0.100:80", "tcp 198.51.100.9:1 to 10.1.0.100:80"],
            [
                "template of 198.51.100.0 for 10.1.0.100, port 80: "
                    + "leads to 10.2.0.12:8080, 298 seconds of 300 left"
            ]
        ),
        (
            ["udp 198.51.100.7:1 to 10.1.0.100:53"],
            [
                "after none", "*  outer IPv4  source            (none) -> 10.2.0.1",
                "new connection to 10.2.0.13:53 (Tunnel), UDP",
            ]
        ),
        (
            ["tcp 198.51.100.7:1 to 10.1.0.100:443"],
            [
                "no server can take it: all have weight 0", "the sender is told: port unreachable",
                "made a frame of 82 bytes, sent by cli:", "quoted TCP   source port       1",
                "=> dropped, no-server: no real server could take a connection",
            ]
        ),
        (
            ["tcp 198.51.100.7:1 to 10.1.0.100:81"],
            [
                "marking rule 1 applies: mark 0 -> 5", "looked up with fwmark 5",
                "service by fwmark 5, IPv4: found", "scheduler rr of fwmark 5 of IPv4",
                "new connection to 10.2.0.14:81 (Route), NONE",
            ]
        ),
        (
            ["tcp 198.51.100.7:1 to 10.1.0.100:99"],
            [
                "service tcp 10.1.0.100:99: none",
                "opens no connection: no service has this address, port and protocol",
                "=> left to the host, which has it already",
            ]
        ),
        (
            ["tcp 198.51.100.7:1 to 10.1.0.100:80 flags ack"],
            [
                "opens no connection: no connection has it, and only a SYN (TCP) or INIT (SCTP)",
                "=> handed to the host, from which it was kept, by the host door",
            ]
        ),
        (
            ["tcp 198.51.100.7:1 to 10.1.0.100:80 ttl 1"],
            ["the sender is told: time exceeded", "=> dropped, ttl-exceeded"]
        ),
        (
            ["icmp 198.51.100.7 to 10.1.0.100"],
            [
                "icmp 198.51.100.7 -> 10.1.0.100 echo request (type 8, code 0), 28 bytes",
                "=> left to the host",
            ]
        ),
        (
            ["udp [2001:db8::7]:1 to [2001:db8::1]:53"],
            ["opens no connection: there is no service of its address family"]
        ),
    ])
    func `A story says what decided`(packets: [String], lines: [String]) throws {
        let explanation = try #require(try explanations(packets).last)
        let text = explanation.text
        for line in lines { #expect(text.contains(line), "\(line) in\n\(text)") }
        try check(explanation.json, of: explanation)
    }

    /// The document is one, and says the same in keys that do not change.
    private func check(_ json: String, of explanation: Explanation) throws {
        let parsed = try JSONSerialization.jsonObject(with: Data(json.utf8))
        let document = try #require(parsed as? [String: Any])
        #expect(Set(document.keys) == ["packet", "steps", "headers", "made", "verdict"])
        let verdict = try #require(document["verdict"] as? [String: Any])
        #expect(verdict["outcome"] as? String == explanation.outcome)
        let steps = try #require(document["steps"] as? [[String: Any]])
        #expect(!steps.isEmpty)
        for step in steps {
            let name = try #require(step["step"] as? String)
            let isByMark = step["by"] as? String == "mark"
            let keys =
                isByMark
                ? ["by", "mark", "family", "found"]
                : try #require(ExplanationTests.keys[name], "step \(name)")
            #expect(Set(step.keys) == Set(keys + ["step"]), "step \(name)")
        }
        for header in document["headers"] as? [[String: Any]] ?? [] {
            #expect(Set(header.keys) == ["layer", "field", "before", "after", "changed"])
        }
    }

    /// The keys of each step that these packets meet, but for those that depend on the step.
    private static let keys: [String: [String]] = [
        "marking_rule": ["rule", "before", "after"], "mark": ["mark", "carried"],
        "connection_table": [
            "subject", "source", "source_port", "destination", "destination_port", "hit", "from",
            "connection",
        ],
        "service": ["by", "protocol", "address", "port", "found"],
        "not_scheduled": ["reason", "text"],
        "template": [
            "outcome", "client", "virtual", "virtual_port", "timeout_seconds", "connection",
        ],
        "scheduled": ["service", "scheduler", "rule", "facts", "candidates", "chosen"],
        "connection": ["how", "connection"],
        "state": [
            "from", "before", "after", "timeout_before", "timeout_after", "inactive_before",
            "inactive_after",
        ],
        "next_hop": ["to", "kind", "destination", "neighbour", "interface", "mac", "mtu"],
        "icmp_error": ["error", "made"],
    ]

    @Test func `Programs get the numbers that were compared`() throws {
        let json = try explanations(["tcp 198.51.100.7:1 to 10.1.0.100:80"])[0].json
        let document = try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
        let steps = try #require(document?["steps"] as? [[String: Any]])
        let step = try #require(steps.first { $0["step"] as? String == "scheduled" })
        let candidates = try #require(step["candidates"] as? [[String: Any]])
        #expect(candidates.map { $0["address"] as? String } == ["10.2.0.12", "10.2.0.11"])
        #expect(candidates.map { $0["chosen"] as? Bool } == [true, false])
        let figures = try #require(candidates[1]["figures"] as? [String: Any])
        #expect(figures["overhead"] as? Int == 0)
        #expect(step["chosen"] as? String == "10.2.0.12:8080")
    }
}
