import LVS
import TestKit
import Testing

@Suite struct TunnelTests {
    @Test(arguments: [128, 0])
    func `The packet travels whole inside another, with and without headroom`(
        headroom: Int
    ) throws {
        let rig = try ForwardingRig(method: .tunnel)
        var builder = rig.builder
        builder.typeOfService = 0xb3
        let frame = builder.tcp(from: 4000, to: 80, flags: 2, payload: [9, 8, 7])
        let outcome = rig.send(frame, headroom: headroom)
        let sent = try #require(outcome.sent.first)
        #expect(outcome.sent.count == 1)
        #expect(sent.count == frame.count + 20)
        #expect(sent[14] == 0x45 && sent[23] == 4 && sent[22] == 63)
        #expect(sent[15] == 0xb2)
        #expect(sent.be16(20) == 0x4000 && sent.be16(18) == 0)
        #expect(sent.be32(26) == 0x0a02_0001 && sent.be32(30) == ForwardingRig.server.v4)
        #expect(sent.hasRightHeader)
        let inner = Array(sent[..<14] + sent[34...])
        #expect(inner[22] == 63 && inner.hasRightHeader && inner.hasRightTransport)
        #expect(Array(inner[26...]) == Array(frame[26...]))
    }

    @Test func `A partial checksum is completed before it is wrapped`() throws {
        let rig = try ForwardingRig(method: .tunnel)
        var frame = rig.builder.tcp(from: 4000, to: 80, flags: 2, payload: [1, 2, 3])
        frame.set(50, be16: frame.pseudoHeaderSum())
        let sent = try #require(
            rig.send(frame) { frame in
                frame.checksum = .partial
                frame.checksumStart = 34
                frame.checksumOffset = 16
            }.sent.first)
        #expect(Array(sent[..<14] + sent[34...]).hasRightTransport)
    }

    @Test func `A super-frame is cut into segments, each in a packet of its own`() throws {
        let rig = try ForwardingRig(method: .tunnel)
        _ = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        let payload = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let frame = rig.builder.tcp(
            from: 4000, to: 80, flags: 0x99, payload: payload, sequence: 0xffff_ff00)
        let outcome = rig.send(frame) { frame in
            frame.segmentKind = 1
            frame.segmentSize = 1428
            frame.checksum = .partial
            frame.checksumStart = 34
            frame.checksumOffset = 16
        }
        #expect(outcome.verdict == .consumed)
        #expect(outcome.sent.count == 29)
        var data: [UInt8] = []
        for (index, sent) in outcome.sent.enumerated() {
            let inner = Array(sent[..<14] + sent[34...])
            #expect(sent.count <= 1514)
            #expect(sent.hasRightHeader && inner.hasRightHeader && inner.hasRightTransport)
            #expect(inner.be32(38) == 0xffff_ff00 &+ UInt32(data.count))
            #expect(inner.be16(18) == 0x1001 + UInt16(index))
            let last = index == outcome.sent.count - 1
            #expect(inner[47] == 0x10 | (index == 0 ? 0x80 : 0) | (last ? 0x09 : 0))
            data += inner[54...]
        }
        #expect(data == payload)
    }

    @Test func `A packet too long for the tunnel is refused with the length that fits`() throws {
        let rig = try ForwardingRig(method: .tunnel)
        _ = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        let fits = rig.builder.tcp(
            from: 4000, to: 80, flags: 16, payload: [UInt8](repeating: 1, count: 1440))
        #expect(rig.send(fits).verdict == .send(1))
        let long = rig.builder.tcp(
            from: 4000, to: 80, flags: 16, payload: [UInt8](repeating: 1, count: 1441))
        let outcome = rig.send(long)
        #expect(outcome.verdict == .drop(.tooLongForRoute))
        #expect(outcome.sent.first?.be16(40) == 1480)
    }
}
