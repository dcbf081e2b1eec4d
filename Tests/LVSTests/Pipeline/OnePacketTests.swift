import LVS
import TestKit
import Testing

/// One-packet scheduling: every datagram chooses a server for itself (ipvs-semantics 1.4).
@Suite struct OnePacketTests {
    private let rig = DirectorRig.twoLegged()
    private static let virtual = IPAddress(v4: 0x0a01_0064)
    private static let dns = ServiceKey.address(.udp, virtual, port: 53)
    private static let client = IPAddress(v4: 0xc633_6401)

    private func start(
        _ key: ServiceKey = dns, flags: ServiceFlags = .onePacket, upper: UInt32 = 0
    ) throws {
        try rig.director.add(
            VirtualService(
                key: key, scheduler: "rr", flags: flags, persistenceTimeoutSeconds: 30))
        for server in UInt32(11)...12 {
            try rig.director.add(
                RealServer(
                    address: IPAddress(v4: 0x0a02_0000 + server), port: 5353,
                    method: .masquerading, upperThreshold: upper), to: key)
        }
    }

    /// The servers that datagrams of one flow go to.
    private func ask(_ times: Int) -> [UInt8] {
        (0..<times).compactMap { _ in
            let question = DirectorRig.client(OnePacketTests.client).udp(from: 4000, to: 53)
            return rig.send(question, on: 0).sent.first { $0.port == 1 }?.bytes[5]
        }
    }

    private func connections() -> [ConnectionListing] {
        var all: [ConnectionListing] = []
        rig.director.forEachConnection { all.append($0) }
        return all
    }

    @Test func everyDatagramOfAFlowIsScheduledAndNoneIsRemembered() throws {
        try start()
        #expect(ask(4) == [12, 11, 12, 11])
        #expect(connections().isEmpty)
        let servers = rig.director.services().first?.servers ?? []
        #expect(servers.map(\.inactive) == [0, 0] && servers.map(\.active) == [0, 0])
        #expect(servers.map(\.statistics.counters.connections) == [2, 2])
        #expect(servers.map(\.statistics.counters.inPackets) == [2, 2])
    }

    @Test func datagramsOfOneBurstAreScheduledOneByOne() throws {
        try start()
        let question = DirectorRig.client(OnePacketTests.client).udp(from: 4000, to: 53)
        let outcomes = rig.send([[UInt8]](repeating: question, count: 4), on: 0)
        #expect(outcomes.map { $0.sent.first?.bytes[5] } == [12, 11, 12, 11])
    }

    @Test func answersAreNotTranslated() throws {
        try start()
        #expect(ask(1) == [12])
        let answer = DirectorRig.server(IPAddress(v4: 0x0a02_000c), to: OnePacketTests.client)
            .udp(from: 5353, to: 4000)
        #expect(rig.send(answer, on: 1).verdict == .passThroughDoor)
    }

    @Test func thresholdIsNeverReachedByWhatIsOverAtOnce() throws {
        try start(upper: 1)
        #expect(ask(4) == [12, 11, 12, 11])
    }

    @Test func persistentClientStaysOnItsServer() throws {
        try start(flags: [.onePacket, .persistent])
        #expect(ask(4) == [12, 12, 12, 12])
        #expect(connections().map(\.isTemplate) == [true])
        // Nothing holds the template.
        rig.advance(milliseconds: 31_000)
        #expect(connections().isEmpty)
    }

    @Test func otherProtocolsAreNotTouchedByTheFlag() throws {
        let web = ServiceKey.address(.tcp, OnePacketTests.virtual, port: 80)
        try start(web)
        let open = DirectorRig.client(OnePacketTests.client).tcp(from: 4000, to: 80, flags: 2)
        _ = rig.send(open, on: 0)
        #expect(connections().map(\.state) == ["SYN_RECV"])
    }
}
