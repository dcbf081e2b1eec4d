import LVS
import TestKit
import Testing

/// Services by mark, and the director's own marking rules.
@Suite struct MarkTests {
    private let rig = DirectorRig.twoLegged()
    private static let virtual = IPAddress(v4: 0x0a01_0064)
    private static let client = IPAddress(v4: 0xc633_6401)

    private static func rule(
        _ mark: UInt32, _ destination: UInt32 = 0x0a01_0064, _ length: UInt8 = 32,
        ports: [ClosedRange<UInt16>] = [80...80]
    ) -> MarkRule {
        var rule = MarkRule(mark: mark)
        rule.transport = .tcp
        rule.destination = MarkRule.Prefix(address: IPAddress(v4: destination), length: length)
        rule.destinationPorts = ports
        return rule
    }

    /// A service for a mark with one server, numbered as the mark.
    private func start(
        _ mark: UInt32, flags: ServiceFlags = [], method: ForwardingMethod = .directRouting,
        port: UInt16 = 0
    ) throws {
        let key = ServiceKey.mark(mark, .v4)
        try rig.director.add(
            VirtualService(
                key: key, scheduler: "rr", flags: flags, persistenceTimeoutSeconds: 60))
        try rig.director.add(
            RealServer(address: IPAddress(v4: 0x0a02_0000 + mark), port: port, method: method),
            to: key)
    }

    /// The mark of the service that took a SYN; nil when none did.
    private func connect(
        _ from: UInt16, to port: UInt16 = 80, at address: IPAddress = virtual,
        on ingress: PortIndex = 0
    ) -> UInt32? {
        let frame = DirectorRig.client(MarkTests.client, to: address)
            .tcp(from: from, to: port, flags: 2)
        return rig.send(frame, on: ingress).sent.first.map { UInt32($0.bytes[5]) }
    }

    @Test func lastRuleThatAppliesMarks() throws {
        try start(11)
        try start(12)
        try rig.director.setMarkRules([
            MarkTests.rule(11, ports: [1...1023]), MarkTests.rule(12, ports: [443...443]),
        ])
        #expect(connect(4000) == 11)
        #expect(connect(4001, to: 443) == 12)
        #expect(connect(4002, to: 1024) == nil)
        #expect(connect(4003, at: IPAddress(v4: 0x0a01_0065)) == nil)
    }

    @Test func sourceAndInterfaceNarrowARule() throws {
        try start(11)
        var rule = MarkTests.rule(11)
        rule.source = MarkRule.Prefix(address: IPAddress(v4: 0xc633_6400), length: 24)
        rule.interface = "cli"
        try rig.director.setMarkRules([rule])
        #expect(connect(4000) == 11)
        #expect(connect(4001, on: 1) == nil)
        rule.source = MarkRule.Prefix(address: IPAddress(v4: 0xc633_6500), length: 24)
        try rig.director.setMarkRules([rule])
        #expect(connect(4002) == nil)
    }

    @Test func markHidesTheServiceOfThePort() throws {
        let web = ServiceKey.address(.tcp, MarkTests.virtual, port: 80)
        try rig.director.add(VirtualService(key: web, scheduler: "rr"))
        try rig.director.add(
            RealServer(address: IPAddress(v4: 0x0a02_000d), port: 80, method: .directRouting),
            to: web)
        try rig.director.setMarkRules([MarkTests.rule(11)])
        #expect(connect(4000) == 13)
        try start(11)
        #expect(connect(4001) == 11)
        try rig.director.delete(.mark(11, .v4))
        #expect(connect(4002) == 13)
    }

    @Test func templateOfAMarkServesAllItsAddressesAndProtocols() throws {
        try start(11, flags: .persistent)
        var rule = MarkTests.rule(11, 0x0a08_0000, 24, ports: [])
        rule.transport = nil
        try rig.director.setMarkRules([rule])
        #expect(connect(4000, at: IPAddress(v4: 0x0a08_0001)) == 11)
        let datagram = DirectorRig.client(MarkTests.client, to: IPAddress(v4: 0x0a08_0002))
            .udp(from: 4000, to: 53)
        #expect(rig.send(datagram, on: 0).verdict == .send(1))
        var templates: [ConnectionListing] = []
        rig.director.forEachConnection { if $0.isTemplate { templates.append($0) } }
        #expect(templates.map(\.transport) == [.any])
        #expect(templates.map(\.virtual) == [IPAddress(v4: 11)])
    }

    @Test func whatIsMarkedIsKeptFromTheHostAndTheRestGoesByTheDoor() throws {
        try rig.director.setMarkRules([MarkTests.rule(11, ports: [1...1000])])
        #expect(rig.director.served.services.isEmpty)
        try start(11, method: .masquerading, port: 8080)
        let served = rig.director.served
        #expect(served.services.isEmpty)
        let network = MarkRule.Prefix(address: MarkTests.virtual, length: 32)
        #expect(served.blocks == [.init(network: network, transport: .tcp, ports: 1...1000)])
        #expect(
            served.servers
                == Set(
                    [.tcp, .udp, .sctp].map {
                        .init(address: IPAddress(v4: 0x0a02_000b), transport: $0, port: 8080)
                    }))
        let other = DirectorRig.client(MarkTests.client).tcp(from: 4000, to: 2000, flags: 2)
        #expect(rig.send(other, on: 0).verdict == .pass)
        let reset = DirectorRig.client(MarkTests.client).tcp(from: 4000, to: 99, flags: 4)
        #expect(rig.send(reset, on: 0).verdict == .passThroughDoor)
        try rig.director.setMarkRules([MarkTests.rule(11, ports: [80...81])])
        #expect(rig.director.served.services.map(\.port).sorted() == [80, 81])
        #expect(rig.send(other, on: 0).verdict == .pass)
    }

    @Test func onlyAnAddressOfTheHostAnswersForAServiceWithoutServers() throws {
        try rig.director.add(VirtualService(key: .mark(11, .v4), scheduler: "rr"))
        try rig.director.setMarkRules([MarkTests.rule(11)])
        let open = DirectorRig.client(MarkTests.client).tcp(from: 4000, to: 80, flags: 2)
        let silent = rig.send(open, on: 0)
        #expect(silent.verdict == .drop(.noServer) && silent.sent.isEmpty)
        rig.director.setHostAddresses([MarkTests.virtual])
        let told = rig.send(open, on: 0)
        #expect(told.verdict == .drop(.noServer) && told.sent.count == 1)
    }

    @Test func ruleThatContradictsItselfIsRefusedAndChangesNothing() throws {
        try rig.director.setMarkRules([MarkTests.rule(11)])
        var mixed = MarkTests.rule(12)
        mixed.source = MarkRule.Prefix(address: IPAddress(high: 1, low: 1), length: 128)
        var portsOnly = MarkTests.rule(12)
        portsOnly.transport = nil
        for rule in [mixed, portsOnly] {
            #expect(throws: CommandRefusal.self) {
                try rig.director.setMarkRules([MarkTests.rule(11), rule])
            }
        }
        #expect(rig.director.markRules == [MarkTests.rule(11)])
    }
}
