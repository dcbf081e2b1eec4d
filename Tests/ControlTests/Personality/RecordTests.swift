import Control
import LVS
import Testing

/// What was written is read back, and lies on the wire as IPVS lays it (ipvs-semantics 10.1).
struct RecordTests {
    private static let counters: StatisticsRecord = {
        var counters = StatisticsRecord()
        counters.connections = 1
        counters.inPackets = 2
        counters.outPackets = .max
        counters.inBytes = 1 << 40
        counters.outBytes = 5
        counters.connectionsPerSecond = 6
        counters.inPacketsPerSecond = 7
        counters.outPacketsPerSecond = 8
        counters.inBytesPerSecond = 9
        counters.outBytesPerSecond = 10 << 32
        return counters
    }()

    static let services: [ServiceRecord] = [
        Sample.http, Sample.dns6,
        ServiceRecord(
            family: .v4, identity: .mark(.max), scheduler: "wlc", flags: [.persistent, .hashed],
            timeoutSeconds: 360, netmask: 0xffff_ff00, persistenceEngine: "sip",
            statistics: counters),
        ServiceRecord(family: .v6, identity: .mark(7), scheduler: "none", netmask: 64),
        ServiceRecord(
            family: .v6, identity: .endpoint(transport: 65535, Sample.vip, port: 65535),
            scheduler: "fifteen-letters", flagMask: 4),
    ]

    @Test(arguments: services)
    func aServiceComesBackAsItWasWritten(service: ServiceRecord) throws {
        var writer = NetlinkWriter()
        service.write(.everything, to: &writer)
        let nest = NetlinkAttributes(writer.bytes[...]).nest(AttributeNumber.Top.service)
        #expect(try ServiceRecord(nest, needing: .everything) == service)
    }

    static let destinations: [DestinationRecord] = [
        Sample.web1,
        {
            var server = DestinationRecord(
                family: .v6, address: Sample.vip6, port: 443, method: 2, weight: -1,
                upperThreshold: .max, lowerThreshold: 1, tunnelType: 1, tunnelPort: 6080,
                tunnelFlags: 2)
            server.activeConnections = 3
            server.inactiveConnections = 4
            server.persistentConnections = 5
            server.statistics = counters
            return server
        }(),
    ]

    @Test(arguments: destinations)
    func aRealServerComesBackAsItWasWritten(server: DestinationRecord) throws {
        var writer = NetlinkWriter()
        server.write(.everything, to: &writer)
        let nest = NetlinkAttributes(writer.bytes[...]).nest(AttributeNumber.Top.destination)
        let back = try DestinationRecord(nest, needing: .everything, serviceFamily: .v4)
        #expect(back == server)
    }

    @Test(arguments: [
        DaemonRecord(state: 1, interface: "eth0", syncID: 3),
        DaemonRecord(
            state: 2, interface: "lo", syncID: 255, maximumBytes: 1400,
            group: .v4(IPAddress(v4: 0xe000_0051)), port: 8848, timeToLive: 1),
        DaemonRecord(
            state: 1, interface: "x", group: .v6(IPAddress(high: 0xff05 << 48, low: 81))),
    ])
    func aDaemonComesBackAsItWasWritten(daemon: DaemonRecord) throws {
        var writer = NetlinkWriter()
        daemon.write(to: &writer)
        let nest = NetlinkAttributes(writer.bytes[...]).nest(AttributeNumber.Top.daemon)
        #expect(try DaemonRecord(nest, starting: true) == daemon)
    }

    @Test func timeoutsComeBackAsTheyWereWritten() throws {
        let timeouts = TimeoutsRecord(tcpSeconds: 1, tcpFinSeconds: -2, udpSeconds: .max)
        var writer = NetlinkWriter()
        timeouts.write(to: &writer)
        #expect(try TimeoutsRecord(NetlinkAttributes(writer.bytes[...])) == timeouts)
    }

    @Test func theNarrowStatisticsAreReadWhereThereAreNoWideOnes() throws {
        var writer = NetlinkWriter()
        Sample.http.with(\.statistics, Self.counters).write(.everything, to: &writer)
        // The service nest without its last attribute, STATS64: header 4, ten times 12.
        let nest = NetlinkAttributes(writer.bytes.dropFirst(4).dropLast(124))
        let service = try ServiceRecord(nest, needing: .everything)
        #expect(service.statistics.connections == 1)
        #expect(service.statistics.outPackets == UInt64(UInt32.max))
        #expect(service.statistics.inBytes == 1 << 40)
        #expect(service.statistics.outBytesPerSecond == 0)
    }

    @Test func aServiceLiesOnTheWireAsTheKernelLaysIt() {
        var writer = NetlinkWriter()
        Sample.http.with(\.netmask, 0xffff_ff00).write(.configuration, to: &writer)
        let expected: [UInt8] = [
            84, 0, 1, 0,  // nest SERVICE
            6, 0, 1, 0, 2, 0, 0, 0,  // AF
            6, 0, 2, 0, 6, 0, 0, 0,  // PROTOCOL
            20, 0, 3, 0, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,  // ADDR
            6, 0, 4, 0, 0, 80, 0, 0,  // PORT, network order
            7, 0, 6, 0, 0x72, 0x72, 0, 0,  // SCHED_NAME
            12, 0, 7, 0, 0, 0, 0, 0, 255, 255, 255, 255,  // FLAGS
            8, 0, 8, 0, 0, 0, 0, 0,  // TIMEOUT
            8, 0, 9, 0, 255, 255, 255, 0,  // NETMASK, network order
        ]
        #expect(writer.bytes == expected)
    }

    @Test func aRealServersAttributesComeInTheOrderOfTheKernelsDump() {
        var writer = NetlinkWriter()
        Sample.web1.write(.everything, to: &writer)
        var rest = writer.bytes.dropFirst(4)
        var kinds: [UInt16] = []
        while let length: UInt16 = rest.number(at: 0), let kind: UInt16 = rest.number(at: 2) {
            kinds.append(kind)
            rest = rest.dropFirst((Int(length) + 3) & ~3)
        }
        #expect(kinds == [1, 2, 3, 4, 13, 14, 15, 5, 6, 7, 8, 9, 11, 10, 12])
    }

    @Test func anAttributeThatComesTwiceCountsAsTheLastSays() throws {
        var writer = NetlinkWriter()
        writer.attribute(4, UInt32(1))
        writer.attribute(4 | 0x8000, UInt32(2))
        #expect(try NetlinkAttributes(writer.bytes[...]).number(4, as: UInt32.self) == 2)
    }

    @Test(
        arguments: [[], [1], [3, 0, 4, 0], [0, 0, 4, 0], [9, 0, 4, 0, 1, 2, 3, 4]] as [[UInt8]])
    func bytesThatAreNoAttributeEndTheList(bytes: [UInt8]) {
        #expect(NetlinkAttributes(bytes[...])[4] == nil)
    }

    @Test func aNumberCutShortIsRefusedAndALongOneRead() throws {
        var writer = NetlinkWriter()
        writer.attribute(1, UInt16(9))
        writer.attribute(2, UInt64(9))
        let attributes = NetlinkAttributes(writer.bytes[...])
        #expect(throws: Refusal.self) { try attributes.number(1, as: UInt32.self) }
        #expect(try attributes.number(2, as: UInt32.self) == 9)
    }
}
