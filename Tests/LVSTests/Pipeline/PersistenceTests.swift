import LVS
import TestKit
import Testing

/// New connections of one client go to one server (ipvs-semantics 5).
@Suite struct PersistenceTests {
    private let rig = DirectorRig.twoLegged()
    private static let virtual = IPAddress(v4: 0x0a01_0064)
    private static let web = ServiceKey.address(.tcp, virtual, port: 80)
    private static let client = IPAddress(v4: 0xc633_6401)

    /// A persistent service by rr with servers 10.2.0.11 to 10.2.0.13.
    private func start(
        _ key: ServiceKey = web, seconds: UInt32 = 300, netmask: UInt32 = .max,
        method: ForwardingMethod = .masquerading, serverPort: UInt16 = 8080, upper: UInt32 = 0
    ) throws {
        try rig.director.add(
            VirtualService(
                key: key, scheduler: "rr", flags: .persistent, persistenceTimeoutSeconds: seconds,
                netmask: netmask))
        for server in UInt32(11)...13 {
            try rig.director.add(
                RealServer(
                    address: IPAddress(v4: 0x0a02_0000 + server), port: serverPort,
                    method: method, upperThreshold: upper), to: key)
        }
    }

    /// The server that a SYN goes to and the port it goes to there; nil when it goes nowhere.
    private func connect(
        _ from: UInt16, to port: UInt16 = 80, client: IPAddress = client
    ) -> (server: UInt8, port: UInt16)? {
        let frame = DirectorRig.client(client).tcp(from: from, to: port, flags: 2)
        guard let sent = rig.send(frame, on: 0).sent.first(where: { $0.port == 1 }) else {
            return nil
        }
        return (sent.bytes[5], sent.bytes.be16(36))
    }

    private func templates() -> [ConnectionListing] {
        var all: [ConnectionListing] = []
        rig.director.forEachConnection { if $0.isTemplate { all.append($0) } }
        return all
    }

    private func listed(_ last: UInt32) -> ServerListing? {
        rig.director.services().first?.servers.first {
            $0.server.address.v4 == 0x0a02_0000 + last
        }
    }

    @Test func connectionsOfOneClientGoToOneServer() throws {
        try start()
        let first = try #require(connect(4000))
        for port in UInt16(4001)...4009 { #expect(connect(port)?.server == first.server) }
        #expect(connect(4000, client: IPAddress(v4: 0xc633_6402))?.server != first.server)
        #expect(first.port == 8080)
        let server = try #require(listed(UInt32(first.server)))
        #expect(server.persistent == 1 && server.active == 10)
        #expect(server.statistics.counters.connections == 10)
    }

    @Test func clientsBehindOneMaskAreOneClient() throws {
        try start(netmask: 0xffff_ff00)
        let first = try #require(connect(4000))
        #expect(connect(4000, client: IPAddress(v4: 0xc633_64c8))?.server == first.server)
        #expect(connect(4000, client: IPAddress(v4: 0xc633_6501))?.server != first.server)
        #expect(templates().contains { $0.client == IPAddress(v4: 0xc633_6400) })
    }

    @Test func templateEndsWithItsServicesTimeout() throws {
        try start(seconds: 20)
        let first = try #require(connect(4000))
        rig.advance(milliseconds: 19_000)
        #expect(connect(4001)?.server == first.server)
        // The first connection is gone after 60 seconds in SYN_RECV, and with the second one the
        // template, which has lived by the minute since.
        rig.advance(milliseconds: 150_000)
        #expect(templates().isEmpty && listed(UInt32(first.server))?.persistent == 0)
        #expect(connect(4002)?.server != first.server)
    }

    @Test func heldTemplateLivesByTheMinute() throws {
        try start(seconds: 5)
        _ = connect(4000)
        let data = DirectorRig.client(PersistenceTests.client).tcp(from: 4000, to: 80, flags: 16)
        _ = rig.send(data, on: 0)
        rig.advance(milliseconds: 6_000)
        #expect(templates().map(\.state) == ["ASSURED"])
        #expect(templates().allSatisfy { (57...60).contains($0.remainingSeconds) })
        rig.advance(milliseconds: 10_000)
        _ = connect(4001)
        #expect(templates().allSatisfy { $0.remainingSeconds >= 58 })
    }

    @Test func replyAssuresTheTemplateOfADatagram() throws {
        try start(.address(.udp, PersistenceTests.virtual, port: 53), serverPort: 53)
        let question = DirectorRig.client(PersistenceTests.client).udp(from: 4000, to: 53)
        let sent = try #require(rig.send(question, on: 0).sent.first)
        #expect(templates().map(\.state) == ["NONE"])
        let server = IPAddress(v4: 0x0a02_0000 + UInt32(sent.bytes[5]))
        let answer = DirectorRig.server(server, to: PersistenceTests.client)
            .udp(from: 53, to: 4000)
        #expect(rig.send(answer, on: 1).verdict == .send(0))
        #expect(templates().map(\.state) == ["ASSURED"])
    }

    @Test func overloadedOrQuietServerKeepsItsClients() throws {
        try start(upper: 2)
        let first = try #require(connect(4000))
        for port in UInt16(4001)...4004 { #expect(connect(port)?.server == first.server) }
        let address = IPAddress(v4: 0x0a02_0000 + UInt32(first.server))
        try rig.director.edit(
            RealServer(address: address, port: 8080, method: .masquerading, weight: 0),
            of: PersistenceTests.web)
        #expect(connect(4005)?.server == first.server)
        try rig.director.set(name: "expire_quiescent_template", value: 1)
        #expect(connect(4006)?.server != first.server)
    }

    @Test func clientOfADeletedServerMovesForGood() throws {
        try start()
        let first = try #require(connect(4000))
        let address = IPAddress(v4: 0x0a02_0000 + UInt32(first.server))
        try rig.director.delete(address, port: 8080, of: PersistenceTests.web)
        let second = try #require(connect(4001))
        #expect(second.server != first.server)
        try rig.director.add(
            RealServer(address: address, port: 8080, method: .masquerading),
            to: PersistenceTests.web)
        #expect(connect(4002)?.server == second.server)
        #expect(templates().map(\.virtualPort).sorted() == [80, 65_535])
        #expect(templates().map(\.realPort).sorted() == [8080, 65_535])
    }

    @Test func allPortsOfAServiceWithPortZeroShareATemplateAndStayAsTheyAre() throws {
        try start(.address(.tcp, PersistenceTests.virtual, port: 0))
        let first = try #require(connect(4000, to: 443))
        let second = try #require(connect(4001, to: 25))
        #expect(first.server == second.server && first.port == 443 && second.port == 25)
        #expect(templates().map(\.virtualPort) == [0])
        // The servers' own port plays no part, so replies come from any.
        #expect(rig.director.served.servers.allSatisfy { $0.port == 0 })
    }

    @Test func dataConnectionsOfPersistentFTPFollowTheControlConnection() throws {
        let ftp = ServiceKey.address(.tcp, PersistenceTests.virtual, port: 21)
        try start(ftp, method: .directRouting, serverPort: 21)
        let first = try #require(connect(4000, to: 21))
        #expect(connect(4001, to: 50_000)?.server == first.server)
        #expect(connect(4002, to: 80) == nil)
        #expect(rig.director.served.services.map(\.port) == [0])
        try rig.director.edit(VirtualService(key: ftp, scheduler: "rr"))
        // The helper's data connections come to any port, too, but no service takes others.
        #expect(rig.director.served.services.map(\.port) == [0])
        #expect(connect(4003, to: 50_001) == nil)
    }

    @Test func persistentServiceWithoutServersRefuses() throws {
        try rig.director.add(
            VirtualService(
                key: PersistenceTests.web, scheduler: "rr", flags: .persistent,
                persistenceTimeoutSeconds: 300))
        let frame = DirectorRig.client(PersistenceTests.client).tcp(from: 4000, to: 80, flags: 2)
        #expect(rig.send(frame, on: 0).verdict == .drop(.noServer))
        #expect(templates().isEmpty)
    }

    @Test func fullTableDropsAndCountsNothing() throws {
        let rig = DirectorRig.twoLegged(connections: 1)
        let server = RealServer(
            address: IPAddress(v4: 0x0a02_000b), port: 80, method: .directRouting)
        try rig.director.add(
            VirtualService(
                key: PersistenceTests.web, scheduler: "rr", flags: .persistent,
                persistenceTimeoutSeconds: 5))
        try rig.director.add(server, to: PersistenceTests.web)
        let frame = DirectorRig.client(PersistenceTests.client).tcp(from: 4000, to: 80, flags: 2)
        #expect(rig.send(frame, on: 0).verdict == .drop(.tableFull))
        let listed = try #require(rig.director.services().first?.servers.first)
        #expect(listed.active == 0 && listed.inactive == 0 && listed.persistent == 1)
        // Nothing holds the template, so it goes in its own time.
        rig.advance(milliseconds: 6_000)
        #expect(rig.director.services().first?.servers.first?.persistent == 0)
    }
}
