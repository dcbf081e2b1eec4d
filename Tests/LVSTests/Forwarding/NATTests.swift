import LVS
import TestKit
import Testing

@Suite struct NATTests {
    @Test func `A request goes to the server and its reply comes from the virtual address`() throws
    {
        let rig = try ForwardingRig(method: .masquerading)
        let request = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        let sent = try #require(request.sent.first)
        #expect(request.verdict == .send(1))
        #expect(sent.be32(30) == ForwardingRig.server.v4 && sent.be16(36) == 8080)
        #expect(sent.be32(26) == ForwardingRig.client.v4 && sent.be16(34) == 4000)
        #expect(sent[22] == 63 && sent.hasRightHeader && sent.hasRightTransport)
        let answer = rig.send(rig.reply.tcp(from: 8080, to: 4000, flags: 0x12), on: 1)
        let back = try #require(answer.sent.first)
        #expect(answer.verdict == .send(0))
        #expect(back.be32(26) == ForwardingRig.virtual.v4 && back.be16(34) == 80)
        #expect(back.be32(30) == ForwardingRig.client.v4)
        #expect(back[22] == 63 && back.hasRightHeader && back.hasRightTransport)
    }

    @Test(arguments: [UInt64(5), 6])
    func `Updated checksums equal recomputed ones for random packets`(seed: UInt64) throws {
        for transport in [TransportProtocol.tcp, .udp] {
            let rig = try ForwardingRig(method: .masquerading, transport: transport)
            var random = SeededGenerator(seed: seed)
            for _ in 0..<400 {
                let word = random.next()
                var builder = DirectorRig.client(
                    IPAddress(v4: 0xc633_6400 | UInt32(word & 0xff | 1)))
                builder.identification = UInt16(truncatingIfNeeded: word >> 8)
                builder.timeToLive = UInt8(word >> 24 & 127) + 2
                let payload = (0..<Int(word >> 32 & 63)).map { _ in
                    UInt8(truncatingIfNeeded: random.next())
                }
                let port = UInt16(truncatingIfNeeded: word >> 48) | 1024
                let frame =
                    transport == .tcp
                    ? builder.tcp(from: port, to: 80, flags: 2, payload: payload)
                    : builder.udp(from: port, to: 80, payload: payload)
                let sent = try #require(rig.send(frame).sent.first)
                #expect(sent.hasRightHeader && sent.hasRightTransport, "seed \(seed)")
            }
        }
    }

    @Test func `A wrong TCP checksum stays wrong by the same amount`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        var frame = rig.builder.tcp(from: 4000, to: 80, flags: 2)
        frame.set(50, be16: frame.be16(50) ^ 0x0100)
        let sent = try #require(rig.send(frame).sent.first)
        #expect(!sent.hasRightTransport)
        var repaired = sent
        repaired.fillTransportChecksum(at: 50)
        let difference = Int(repaired.be16(50)) - Int(sent.be16(50))
        #expect(difference.magnitude % 0xffff == 0x0100)
    }

    @Test func `A datagram without a checksum gets a complete one`() throws {
        let rig = try ForwardingRig(method: .masquerading, transport: .udp)
        var frame = rig.builder.udp(from: 4000, to: 80)
        frame.set(40, be16: 0)
        let sent = try #require(rig.send(frame).sent.first)
        #expect(sent.be16(40) != 0 && sent.hasRightTransport)
    }

    @Test func `A partial checksum keeps the pseudo-header's sum, of the new addresses`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        var frame = rig.builder.tcp(from: 4000, to: 80, flags: 2, payload: [1, 2, 3])
        frame.set(50, be16: frame.pseudoHeaderSum())
        let sent = try #require(
            rig.send(frame) { frame in
                frame.checksum = .partial
                frame.checksumStart = 34
                frame.checksumOffset = 16
            }.sent.first)
        #expect(sent.be16(50) == sent.pseudoHeaderSum())
        #expect(sent.hasRightHeader)
    }

    @Test func `TTL 1 is refused with time exceeded and never forwarded`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        var builder = rig.builder
        builder.timeToLive = 1
        let outcome = rig.send(builder.tcp(from: 4000, to: 80, flags: 2))
        #expect(outcome.verdict == .drop(.ttlExceeded))
        let error = try #require(outcome.sent.first)
        #expect(error[34] == 11 && error.be32(26) == ForwardingRig.virtual.v4)
        #expect(error.hasRightHeader)
    }

    @Test func `A super-frame is measured by its segments`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        _ = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        let long = rig.builder.tcp(
            from: 4000, to: 80, flags: 16, payload: [UInt8](repeating: 7, count: 9000))
        let whole = rig.send(long) { frame in
            frame.segmentKind = 1
            frame.segmentSize = 1448
            frame.checksum = .partial
            frame.checksumStart = 34
            frame.checksumOffset = 16
        }
        #expect(whole.verdict == .send(1))
        let segments = rig.send(long) { frame in
            frame.segmentKind = 1
            frame.segmentSize = 1480
        }
        #expect(segments.verdict == .drop(.tooLongForRoute))
        let error = try #require(segments.sent.first)
        #expect(error[34] == 3 && error[35] == 4 && error.be16(40) == 1500)
        let plain = rig.send(long)
        #expect(plain.verdict == .drop(.tooLongForRoute))
    }
}
