import LVS
import TestKit
import Testing

/// What a client is told, and how often (ipvs-semantics 1.3).
@Suite struct ICMPErrorTests {
    private let rig = DirectorRig.twoLegged()

    private func start() throws {
        let key = ServiceKey.address(.tcp, IPAddress(v4: 0x0a01_0064), port: 80)
        try rig.director.add(VirtualService(key: key, scheduler: "rr"))
    }

    private func refuse(_ client: UInt32, _ port: UInt16, payload: [UInt8] = []) -> [UInt8]? {
        let builder = DirectorRig.client(IPAddress(v4: client))
        return rig.send(builder.tcp(from: port, to: 80, flags: 2, payload: payload), on: 0)
            .sent.first?.bytes
    }

    @Test func clientIsToldThatNobodyServesThePort() throws {
        try start()
        let error = try #require(refuse(0xc633_6401, 4000))
        // From the virtual address, TTL 64, precedence of network control, port unreachable.
        #expect(error.be32(26) == 0x0a01_0064)
        #expect(error.be32(30) == 0xc633_6401)
        #expect(error[22] == 64 && error[15] == 0xc0)
        #expect(error[34] == 3 && error[35] == 3)
        #expect(error.onesSum(14..<34) == 0xffff)
        #expect(error.onesSum(34..<error.count) == 0xffff)
    }

    @Test func quoteIsCutAt576Bytes() throws {
        try start()
        let error = try #require(
            refuse(0xc633_6401, 4000, payload: [UInt8](repeating: 7, count: 1000)))
        #expect(error.count == 14 + 576)
        #expect(error.onesSum(34..<error.count) == 0xffff)
    }

    @Test func sixAtOnceAndThenOneASecond() throws {
        try start()
        let burst = (0..<20).compactMap { refuse(0xc633_6401, 4000 + $0) }
        #expect(burst.count == 6)
        // Another client has a measure of its own.
        #expect(refuse(0xc633_6402, 4000) != nil)
        rig.advance(milliseconds: 1000)
        #expect(refuse(0xc633_6401, 5000) != nil)
        #expect(refuse(0xc633_6401, 5001) == nil)
        rig.advance(milliseconds: 60_000)
        #expect((0..<20).compactMap { refuse(0xc633_6401, 6000 + $0) }.count == 6)
    }

    @Test func `icmp_ratelimit says how many, and 0 that nothing is limited`() throws {
        try start()
        try rig.director.set(name: "icmp_ratelimit", value: 200)
        #expect((0..<20).compactMap { refuse(0xc633_6401, 4000 + $0) }.count == 6)
        rig.advance(milliseconds: 400)
        #expect((0..<20).compactMap { refuse(0xc633_6401, 4000 + $0) }.count == 2)
        try rig.director.set(name: "net.ipv4.icmp_ratelimit", value: 0)
        #expect((0..<200).compactMap { refuse(0xc633_6401, 4000 + $0) }.count == 200)
        #expect(throws: CommandRefusal.self) {
            try rig.director.set(name: "icmp_ratelimit", value: -1)
        }
    }

    @Test func `A type outside icmp_ratemask is not limited`() throws {
        try start()
        try rig.director.set(name: "icmp_ratemask", value: 0x1810)
        #expect((0..<100).compactMap { refuse(0xc633_6401, 4000 + $0) }.count == 100)
    }

    @Test func `All clients together get fifty at once and a thousand a second`() throws {
        try start()
        #expect((0..<90).compactMap { refuse(0xc633_6401 + $0, 4000) }.count == 50)
        rig.advance(milliseconds: 20)
        #expect((0..<90).compactMap { refuse(0xc633_6501 + $0, 4000) }.count == 20)
        try rig.director.set(name: "icmp_msgs_burst", value: 5)
        rig.advance(milliseconds: 1000)
        #expect((0..<90).compactMap { refuse(0xc633_6601 + $0, 4000) }.count == 5)
    }

    @Test(arguments: [0, 0xffff_ffff, 0xe000_0005] as [UInt32])
    func nobodyIsToldAtAnAddressOfNobody(_ client: UInt32) throws {
        try start()
        #expect(refuse(client, 4000) == nil)
    }
}
