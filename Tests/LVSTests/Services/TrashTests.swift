import LVS
import TestKit
import Testing

/// Deleted servers and their return (ipvs-semantics 3.3).
@Suite struct TrashTests {
    private static let key = ServiceKey.address(.udp, IPAddress(v4: 0x0a01_0064), port: 53)
    private static let client = IPAddress(v4: 0xc633_6401)
    private static let real = IPAddress(v4: 0x0a02_000b)
    private static let server = RealServer(
        address: TrashTests.real, port: 53, method: .masquerading)

    private let rig = DirectorRig.twoLegged()

    private func start() throws {
        try rig.director.add(VirtualService(key: TrashTests.key, scheduler: "rr"))
        try rig.director.add(TrashTests.server, to: TrashTests.key)
    }

    private func ask(from port: UInt16 = 4000) -> Verdict {
        rig.send(DirectorRig.client(TrashTests.client).udp(from: port, to: 53), on: 0).verdict
    }

    private func answer() -> Verdict {
        let builder = DirectorRig.server(TrashTests.real, to: TrashTests.client)
        return rig.send(builder.udp(from: 53, to: 4000), on: 1).verdict
    }

    private func delete() throws {
        try rig.director.delete(TrashTests.real, port: 53, of: TrashTests.key)
    }

    private var listed: ServerListing? {
        rig.director.service(TrashTests.key)?.servers.first
    }

    @Test func connectionsOfADeletedServerWaitForItsReturn() throws {
        try start()
        #expect(ask().kind == .send)
        try delete()
        #expect(ask() == .drop(.serverGone))
        #expect(answer().kind == .send)
        try rig.director.add(TrashTests.server, to: TrashTests.key)
        #expect(ask().kind == .send)
        #expect(listed?.inactive == 1)
        // What was answered meanwhile is not counted.
        #expect(listed?.statistics.counters.inPackets == 2)
        #expect(listed?.statistics.counters.outPackets == 0)
    }

    @Test func connectionsOfADeletedServerMayMove() throws {
        try rig.director.set(name: "expire_nodest_conn", value: 1)
        try start()
        #expect(ask().kind == .send)
        try delete()
        #expect(rig.director.table.count == 0)
        #expect(ask() == .drop(.noServer))
    }

    @Test(
        arguments: [
            (seconds: 170, remembered: true), (seconds: 195, remembered: false),
        ] as [(seconds: UInt64, remembered: Bool)])
    func idleServerIsForgottenAfterThreeMinutes(_ seconds: UInt64, _ remembered: Bool) throws {
        try rig.director.setTimeouts(Timeouts(tcp: 0, tcpFin: 0, udp: 1))
        try start()
        #expect(ask().kind == .send)
        rig.advance(milliseconds: 2000)
        #expect(listed?.inactive == 0)
        try delete()
        rig.advance(milliseconds: seconds * 1000)
        try rig.director.add(TrashTests.server, to: TrashTests.key)
        #expect(listed?.statistics.counters.connections == (remembered ? 1 : 0))
    }

    @Test func connectionsHoldAServerInTheTrash() throws {
        try rig.director.setTimeouts(Timeouts(tcp: 0, tcpFin: 0, udp: 600))
        try start()
        #expect(ask().kind == .send)
        try delete()
        rig.advance(milliseconds: 400_000)
        try rig.director.add(TrashTests.server, to: TrashTests.key)
        #expect(listed?.inactive == 1)
        #expect(ask().kind == .send)
    }

    @Test func flushAndTheSameRulesAgainKeepConnectionsAndNotStatistics() throws {
        try start()
        #expect(ask().kind == .send)
        rig.advance(milliseconds: 3000)
        rig.director.flush()
        #expect(ask().kind == .pass)
        try start()
        #expect(listed?.inactive == 1)
        #expect(listed?.statistics.counters.connections == 0)
        #expect(rig.director.service(TrashTests.key)?.statistics.counters.connections == 0)
        #expect(rig.director.total.counters.connections == 1)
    }

    @Test func serverOfAnotherServiceIsNotRevived() throws {
        try start()
        #expect(ask().kind == .send)
        try delete()
        let other = ServiceKey.address(.udp, IPAddress(v4: 0x0a01_0064), port: 54)
        try rig.director.add(VirtualService(key: other, scheduler: "rr"))
        try rig.director.add(TrashTests.server, to: other)
        #expect(rig.director.service(other)?.servers.first?.inactive == 0)
        #expect(ask() == .drop(.serverGone))
    }
}
