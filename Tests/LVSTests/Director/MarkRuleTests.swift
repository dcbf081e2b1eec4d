import LVS
import TestKit
import Testing

/// What each part of a marking rule says of packets, and what rules do to marks one after another.
@Suite struct MarkRuleTests {
    private let rig = DirectorRig.twoLegged()
    private static let virtual = IPAddress(v4: 0x0a01_0064)
    private static let client = IPAddress(v4: 0xc633_6401)

    /// Services for these marks, each with one server numbered as its mark.
    private func start(_ marks: UInt32...) throws {
        for mark in marks {
            let key = ServiceKey.mark(mark, .v4)
            try rig.director.add(VirtualService(key: key, scheduler: "rr"))
            try rig.director.add(
                RealServer(
                    address: IPAddress(v4: 0x0a02_0000 + mark), port: 0, method: .directRouting),
                to: key)
        }
    }

    private static func rule(
        _ action: MarkRule.Action = .set(.init(11)), _ change: (inout MarkRule) -> Void = { _ in }
    ) -> MarkRule {
        var rule = MarkRule(action)
        change(&rule)
        return rule
    }

    /// The mark of the service that took a SYN from port 4000 on; nil when none did.
    private func connect(
        _ from: UInt16 = 4000, to port: UInt16 = 80, at address: IPAddress = virtual
    ) -> UInt32? {
        let frame = DirectorRig.client(MarkRuleTests.client, to: address)
            .tcp(from: from, to: port, flags: 2)
        return rig.send(frame, on: 0).sent.first.map { UInt32($0.bytes[5]) }
    }

    private static func prefix(_ address: UInt32, _ length: UInt8) -> MarkRule.Prefix {
        .init(address: IPAddress(v4: address), length: length)
    }

    @Test(
        "Each part of a rule says yes or no, and the contrary when it is turned round",
        arguments: [
            (MarkRule.Parts.source, true, rule { $0.source = prefix(0xc633_6400, 24) }),
            (.source, false, rule { $0.source = prefix(0xc633_6500, 24) }),
            (.destination, true, rule { $0.destination = prefix(0, 0) }),
            (.destination, false, rule { $0.destination = prefix(0x0a01_0065, 32) }),
            (
                .destination, true,
                rule {
                    $0.destination = .init(
                        address: IPAddress(v4: 0x0aff_0064), mask: IPAddress(v4: 0xff00_00ff))
                }
            ),
            (.transport, true, rule { $0.transport = .tcp }),
            (.transport, false, rule { $0.transport = .sctp }),
            (
                .sourcePorts, true,
                rule {
                    $0.transport = .tcp
                    $0.sourcePorts = [1...2, 3999...4000]
                }
            ),
            (
                .destinationPorts, false,
                rule {
                    $0.transport = .tcp
                    $0.destinationPorts = [81...90, 443...443]
                }
            ),
            (
                .eitherPorts, true,
                rule {
                    $0.transport = .tcp
                    $0.eitherPorts = [3999...4000]
                }
            ),
            (.interface, true, rule { $0.interface = "cl+" }),
            (.interface, false, rule { $0.interface = "cl" }),
            (.interface, false, rule { $0.interface = "eth7" }),
            (
                .sourceSpan, true,
                rule {
                    $0.sourceSpan = .init(IPAddress(v4: 0xc633_6401), IPAddress(v4: 0xc633_6402))
                }
            ),
            (
                .destinationSpan, false,
                rule { $0.destinationSpan = .init(IPAddress(v4: 0), IPAddress(v4: 0x0a01_0063)) }
            ),
            (.flags, true, rule { $0.flags = .init(mask: 0x17, set: 2) }),
            (.flags, false, rule { $0.flags = .init(mask: 0x12, set: 0x10) }),
            (.carried, true, rule { $0.carried = .init(0) }),
            (.carried, false, rule { $0.carried = .init(1, mask: 0xff) }),
            (.connection, true, rule { $0.connection = .init(0) }),
        ])
    func parts(_ part: MarkRule.Parts, _ says: Bool, _ rule: MarkRule) throws {
        try start(11)
        try rig.director.setMarkRules([rule])
        #expect((connect(4000) == 11) == says, "\(rule)")
        var turned = rule
        turned.inverted = part
        try rig.director.setMarkRules([turned])
        #expect((connect(3999) == 11) == !says, "turned round: \(rule)")
    }

    @Test func familyAndTheHostsOwnAddressesCount() throws {
        try start(11)
        try rig.director.setMarkRules([MarkRuleTests.rule { $0.family = .v6 }])
        #expect(connect(4000) == nil)
        try rig.director.setMarkRules([MarkRuleTests.rule { $0.isToHost = true }])
        #expect(connect(4001) == nil)
        rig.director.setHostAddresses([MarkRuleTests.virtual])
        #expect(connect(4002) == 11)
        try rig.director.setMarkRules([MarkRuleTests.rule { $0.isFromHost = false }])
        #expect(connect(4003) == 11)
    }

    @Test(
        "Rules change the mark in their order",
        arguments: [
            ([rule(.set(.init(11))), rule(.set(.init(12)))], 12),
            // Four bits set, two of them turned, one put to 0.
            (
                [
                    rule(.set(.init(0x0f, mask: 0xff))), rule(.set(.init(0x03, mask: 0))),
                    rule(.set(.init(0, mask: 0x01))),
                ], 12
            ),
            ([rule(.set(.init(11))), rule(.accept), rule(.set(.init(12)))], 11),
            ([rule(.skip(1)), rule(.set(.init(11))), rule(.set(.init(12)))], 12),
            (
                [
                    rule(.unless(1)) { $0.transport = .udp }, rule(.set(.init(11))),
                    rule(.unless(1)) { $0.transport = .tcp }, rule(.set(.init(12))),
                ], 12
            ),
            // The connection's mark is 0 until it is saved to.
            (
                [
                    rule(.set(.init(11))), rule(.save(packet: .max, connection: .max)),
                    rule(.set(.init(12))), rule(.restore(packet: .max, connection: .max)),
                ], 11
            ),
            (
                [
                    rule(.set(.init(11))), rule(.restore(packet: .max, connection: .max)),
                    rule(.set(.init(12))) { $0.carried = .init(0) },
                ], 12
            ),
            (
                [
                    rule(.setConnection(.init(0xc0, mask: 0xff))),
                    rule(.set(.init(11))) { $0.connection = .init(0x40, mask: 0x40) },
                ], 11
            ),
        ] as [([MarkRule], UInt32)])
    func order(_ rules: [MarkRule], _ mark: UInt32) throws {
        try start(11, 12)
        try rig.director.setMarkRules(rules)
        #expect(connect() == mark)
    }

    @Test func theDirectorsRulesHaveTheLastWordAndTheHostsEndEndsOnlyTheHosts() throws {
        try start(11, 12)
        rig.director.setFollowedMarks([MarkRuleTests.rule(), MarkRuleTests.rule(.accept)])
        #expect(connect(4000) == 11)
        let web = MarkRuleTests.rule(.set(.init(12))) { $0.carried = .init(11) }
        try rig.director.setMarkRules([web])
        #expect(connect(4001) == 12)
        try rig.director.setMarkRules([])
        rig.director.setFollowedMarks([])
        #expect(connect(4002) == nil)
        #expect(rig.director.served.blocks.isEmpty)
    }

    @Test func onlyRulesThatLeadToAServedMarkAreKeptFromTheHost() throws {
        try start(11)
        let elsewhere = MarkRuleTests.rule(.set(.init(5)))
        let web = MarkRuleTests.rule(.set(.init(1))) {
            $0.destination = MarkRuleTests.prefix(0x0a08_0000, 16)
            $0.transport = .tcp
            $0.destinationPorts = [80...80]
        }
        let more = MarkRuleTests.rule(.set(.init(10, mask: 10))) { $0.carried = .init(1) }
        try rig.director.setMarkRules([elsewhere, web, more])
        // `more` gives the mark, and names no destination.
        let everywhere = [TransportProtocol.tcp, .udp, .sctp].map {
            ServedTraffic.Block(
                network: MarkRuleTests.prefix(0, 0), transport: $0, ports: 0...65535)
        }
        #expect(rig.director.served.blocks == Set(everywhere))
        #expect(connect(4000, at: IPAddress(v4: 0x0a08_0707)) == 11)
        var direct = web
        direct.action = .set(.init(11))
        try rig.director.setMarkRules([elsewhere, direct])
        let network = MarkRuleTests.prefix(0x0a08_0000, 16)
        let block = ServedTraffic.Block(network: network, transport: .tcp, ports: 80...80)
        #expect(rig.director.served.blocks == [block])
        try rig.director.setMarkRules([elsewhere])
        #expect(rig.director.served.blocks.isEmpty)
    }

    @Test func chainsNarrowWhatIsKeptFromTheHost() throws {
        try start(11)
        let into = MarkRuleTests.rule(.unless(1)) {
            $0.destination = MarkRuleTests.prefix(0x0a01_0064, 32)
            $0.transport = .tcp
        }
        let inside = MarkRuleTests.rule {
            $0.transport = .tcp
            $0.destinationPorts = [80...80]
        }
        try rig.director.setMarkRules([into, inside])
        #expect(
            rig.director.served.services
                == [.init(address: MarkRuleTests.virtual, transport: .tcp, port: 80)])
        #expect(rig.director.served.blocks.isEmpty)
        #expect(connect(4000) == 11)
        #expect(connect(4001, at: IPAddress(v4: 0x0a01_0065)) == nil)
    }

    @Test func whatIsTakenWithABlockAndNotServedGoesToTheHostByTheDoor() throws {
        try start(11)
        let web = MarkRuleTests.rule {
            $0.source = MarkRuleTests.prefix(0x0b00_0000, 8)
            $0.transport = .tcp
            $0.destinationPorts = [80...80]
        }
        try rig.director.setMarkRules([web])
        let frame = DirectorRig.client(MarkRuleTests.client, to: IPAddress(v4: 0x0909_0909))
        #expect(
            rig.send(frame.tcp(from: 4000, to: 80, flags: 2), on: 0).verdict == .passThroughDoor)
        #expect(rig.send(frame.tcp(from: 4000, to: 81, flags: 2), on: 0).verdict == .pass)
        #expect(rig.send(frame.udp(from: 4000, to: 80), on: 0).verdict == .pass)
    }

    @Test func prefixesKnowTheirMasks() {
        let v6 = MarkRule.Prefix(address: IPAddress(high: .max, low: .max), length: 70)
        #expect(v6.length == 70 && v6.isContiguous)
        #expect(v6.mask == IPAddress(high: .max, low: 0xfc00_0000_0000_0000))
        let odd = MarkRule.Prefix(
            address: IPAddress(v4: 0x0a0b_0c0d), mask: IPAddress(v4: 0xff00_ff00))
        #expect(odd.length == 8 && !odd.isContiguous && odd.address == IPAddress(v4: 0x0a00_0c00))
        let span = MarkRule.Span(IPAddress(v4: 0x0a00_0003), IPAddress(v4: 0x0a00_0009))
        #expect(MarkRule.Prefix(around: span) == MarkRuleTests.prefix(0x0a00_0000, 28))
        let one = MarkRule.Span(IPAddress(v4: 7), IPAddress(v4: 7))
        #expect(MarkRule.Prefix(around: one) == MarkRuleTests.prefix(7, 32))
    }
}
