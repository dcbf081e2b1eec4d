import LVS
import TestKit
import Testing

/// Counters, zero points and rates (ipvs-semantics 8).
@Suite struct StatisticsTests {
    private static let key = ServiceKey.address(.udp, IPAddress(v4: 0x0a01_0064), port: 53)
    private static let client = IPAddress(v4: 0xc633_6401)

    private let rig = DirectorRig.twoLegged()

    private func start() throws {
        try rig.director.add(VirtualService(key: StatisticsTests.key, scheduler: "rr"))
        for server in UInt32(11)...12 { try add(server) }
    }

    private func add(_ server: UInt32) throws {
        try rig.director.add(
            RealServer(
                address: IPAddress(v4: 0x0a02_0000 + server), port: 53, method: .masquerading),
            to: StatisticsTests.key)
    }

    private func connect(_ numbers: Range<Int>) {
        let builder = DirectorRig.client(StatisticsTests.client)
        for number in numbers {
            _ = rig.send(
                builder.udp(from: UInt16(2000 + number), to: 53, payload: [1, 2]), on: 0)
        }
    }

    private var service: Statistics? {
        rig.director.service(StatisticsTests.key)?.statistics
    }

    @Test func serviceAndTotalAreTheSumsOfTheirServers() throws {
        try start()
        connect(0..<5)
        let reply = DirectorRig.server(IPAddress(v4: 0x0a02_000c), to: StatisticsTests.client)
        _ = rig.send(reply.udp(from: 53, to: 2000), on: 1)
        let listing = try #require(rig.director.service(StatisticsTests.key))
        #expect(listing.servers.map(\.statistics.counters.connections) == [3, 2])
        let expected = CounterValues(
            connections: 5, inPackets: 5, outPackets: 1, inBytes: 150, outBytes: 32)
        #expect(listing.statistics.counters == expected)
        #expect(rig.director.total.counters == expected)
    }

    @Test func sumsKeepWhatDeletedServersCounted() throws {
        try start()
        connect(0..<4)
        try rig.director.delete(
            IPAddress(v4: 0x0a02_000b), port: 53, of: StatisticsTests.key)
        #expect(service?.counters.connections == 4)
        #expect(rig.director.total.counters.connections == 4)
        try add(11)
        #expect(service?.counters.connections == 4)
        #expect(rig.director.total.counters.connections == 4)
        rig.director.flush()
        #expect(rig.director.total.counters.connections == 4)
    }

    @Test func zeroingBeginsAnew() throws {
        try start()
        connect(0..<4)
        rig.advance(milliseconds: 2000)
        try rig.director.zero(StatisticsTests.key)
        #expect(service?.counters == CounterValues())
        #expect(service?.connectionsPerSecond == 0)
        #expect(rig.director.total.counters.connections == 4)
        connect(4..<6)
        #expect(service?.counters.connections == 2)
        try rig.director.zero(nil)
        #expect(rig.director.total.counters == CounterValues())
        #expect(service?.counters == CounterValues())
    }

    @Test func ratesAreTheKernelsEstimates() throws {
        try start()
        var shown: [UInt64] = []
        for period in 0..<6 {
            connect(period * 50..<period * 50 + 50)
            rig.advance(milliseconds: 2000)
            shown.append(service?.connectionsPerSecond ?? 0)
        }
        #expect(shown == [6, 11, 14, 17, 19, 21])
        #expect(rig.director.total.connectionsPerSecond == 21)
    }

    @Test func everyDropReasonHasItsNameAndItsCure() {
        let names = DropReason.allCases.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(names.allSatisfy { $0.allSatisfy { $0.isLowercase || $0 == "-" } })
        #expect(DropReason.allCases.allSatisfy { !$0.cure.isEmpty })
        #expect(rig.director.dropCounts().map(\.reason) == DropReason.allCases)
    }
}
