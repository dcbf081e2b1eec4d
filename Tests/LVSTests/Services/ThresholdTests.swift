import LVS
import TestKit
import Testing

/// Overload of a server and its end (ipvs-semantics 7).
@Suite struct ThresholdTests {
    private static let key = ServiceKey.address(.udp, IPAddress(v4: 0x0a01_0064), port: 53)

    private let rig = DirectorRig.twoLegged()

    private func server(_ upper: UInt32, _ lower: UInt32) -> RealServer {
        RealServer(
            address: IPAddress(v4: 0x0a02_000b), port: 53, method: .masquerading,
            upperThreshold: upper, lowerThreshold: lower)
    }

    private func start(_ upper: UInt32, _ lower: UInt32) throws {
        try rig.director.setTimeouts(Timeouts(tcp: 0, tcpFin: 0, udp: 100))
        try rig.director.add(VirtualService(key: ThresholdTests.key, scheduler: "rr"))
        try rig.director.add(server(upper, lower), to: ThresholdTests.key)
    }

    private func connect(_ number: UInt32) -> Bool {
        let builder = DirectorRig.client(IPAddress(v4: 0xc633_6401))
        let outcome = rig.send(builder.udp(from: UInt16(2000 + number), to: 53), on: 0)
        return outcome.verdict.kind == .send
    }

    private var listed: ServerListing? {
        rig.director.service(ThresholdTests.key)?.servers.first
    }

    @Test(
        arguments: [
            (upper: 4, lower: 0, again: 2), (4, 2, 1), (5, 0, 3), (1, 0, 0), (8, 3, 2), (3, 3, 2),
        ] as [(upper: UInt32, lower: UInt32, again: UInt32)])
    func serverRefusesAtItsUpperThresholdUntilEnoughHaveEnded(
        _ upper: UInt32, _ lower: UInt32, _ again: UInt32
    ) throws {
        try start(upper, lower)
        for number in 0..<upper {
            #expect(connect(number))
            rig.advance(milliseconds: 2000)
        }
        #expect(listed?.isOverloaded == true)
        #expect(!connect(100))
        rig.advance(milliseconds: UInt64(100 - 2 * upper) * 1000 - 1000)
        while listed?.isOverloaded == true, listed?.inactive != 0 {
            rig.advance(milliseconds: 2000)
        }
        #expect(listed?.inactive == again)
        #expect(connect(101))
    }

    @Test func higherUpperThresholdEndsOverloadAtOnce() throws {
        try start(2, 0)
        #expect(connect(0) && connect(1) && !connect(2))
        try rig.director.edit(server(3, 0), of: ThresholdTests.key)
        #expect(connect(3) && !connect(4))
    }

    @Test func noUpperThresholdEndsOverloadAtOnce() throws {
        try start(2, 0)
        #expect(connect(0) && connect(1) && !connect(2))
        try rig.director.edit(server(0, 0), of: ThresholdTests.key)
        #expect(connect(3) && connect(4) && connect(5))
    }

    @Test func lowerUpperThresholdActsWithTheNextConnection() throws {
        try start(9, 0)
        #expect(connect(0) && connect(1) && connect(2))
        try rig.director.edit(server(2, 0), of: ThresholdTests.key)
        #expect(connect(3) && !connect(4))
    }
}
