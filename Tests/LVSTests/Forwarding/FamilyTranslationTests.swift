import LVS
import TestKit
import Testing

/// Packets between a client of IPv6 and a server of IPv4 (RFC 7915), byte for byte.
@Suite struct FamilyTranslationTests {
    @Test(arguments: DirectorRig.ChecksumOnInput.allCases)
    func `TCP goes over into the other family and back`(
        _ checksum: DirectorRig.ChecksumOnInput
    ) throws {
        let rig = try FamilyRig()
        var request = rig.request
        request.typeOfService = 0xb9
        let opened = rig.send(
            request.tcp(from: 4000, to: 80, flags: 2, payload: [1, 2, 3]), checksum: checksum)
        let sent = try #require(opened.sent.first)
        var expected = rig.forwarded(like: sent.bytes)
        expected.typeOfService = 0xb9
        #expect(sent.port == 1 && opened.sent.count == 1)
        #expect(sent.bytes == expected.tcp(from: 4000, to: 8080, flags: 2, payload: [1, 2, 3]))
        var reply = rig.reply
        reply.typeOfService = 0x13
        let answer = rig.send(
            reply.tcp(from: 8080, to: 4000, flags: 0x12, payload: [7]), on: 1, checksum: checksum)
        let back = try #require(answer.sent.first)
        var answered = rig.answered
        answered.typeOfService = 0x13
        #expect(back.port == 0 && answer.sent.count == 1)
        #expect(back.bytes == answered.tcp(from: 80, to: 4000, flags: 0x12, payload: [7]))
    }

    @Test(arguments: DirectorRig.ChecksumOnInput.allCases)
    func `UDP goes over and back, and a reply without a checksum gets one`(
        _ checksum: DirectorRig.ChecksumOnInput
    ) throws {
        let rig = try FamilyRig(.udp, port: 53, real: 5353)
        let sent = try #require(
            rig.send(rig.request.udp(from: 4000, to: 53), checksum: checksum).sent.first
        ).bytes
        #expect(sent == rig.forwarded(like: sent).udp(from: 4000, to: 5353))
        let reply = rig.reply.udp(from: 5353, to: 4000)
        let expected = rig.answered.udp(from: 53, to: 4000)
        #expect(rig.send(reply, on: 1, checksum: checksum).sent.first?.bytes == expected)
        var without = reply
        without.set(40, be16: 0)
        #expect(rig.send(without, on: 1).sent.first?.bytes == expected)
    }

    @Test func `SCTP and its checksum go over, and back`() throws {
        let rig = try FamilyRig(.sctp, port: 80, real: 8080)
        let sent = try #require(
            rig.send(rig.request.sctp(from: 4000, to: 80, chunk: 1)).sent.first
        ).bytes
        #expect(sent == rig.forwarded(like: sent).sctp(from: 4000, to: 8080, chunk: 1))
        let back = rig.send(rig.reply.sctp(from: 8080, to: 4000, chunk: 2), on: 1).sent.first
        #expect(back?.bytes == rig.answered.sctp(from: 80, to: 4000, chunk: 2))
    }

    @Test(arguments: [0, 19, 20, 128])
    func `A longer header is made whatever room there is before the frame`(_ room: Int) throws {
        let rig = try FamilyRig()
        rig.open()
        let frame = rig.reply.tcp(from: 8080, to: 4000, flags: 16, payload: [1, 2, 3, 4, 5])
        let sent = rig.send(frame, on: 1, headroom: room) { _ in }.sent
        #expect(
            sent == [rig.answered.tcp(from: 80, to: 4000, flags: 16, payload: [1, 2, 3, 4, 5])])
    }

    @Test func `Padding of a short frame ends here`() throws {
        let rig = try FamilyRig()
        rig.open()
        let frame = rig.reply.tcp(from: 8080, to: 4000, flags: 16) + [UInt8](repeating: 9, count: 6)
        #expect(
            rig.send(frame, on: 1).sent.first?.bytes
                == rig.answered.tcp(from: 80, to: 4000, flags: 16))
    }

    @Test func `A tag inside the frame stays, and what it says of the network changes`() throws {
        let rig = try FamilyRig()
        rig.open()
        let tag: [UInt8] = [0x81, 0, 0, 7]
        let plain = rig.request.tcp(from: 4000, to: 80, flags: 16, payload: [1])
        let sent = try #require(
            rig.send(plain[0..<12] + tag + plain[12...]).sent.first
        ).bytes
        let untagged = Array(sent[0..<12] + sent[16...])
        #expect(Array(sent[12..<16]) == tag)
        #expect(
            untagged
                == rig.forwarded(like: untagged).tcp(from: 4000, to: 8080, flags: 16, payload: [1]))
        let reply = rig.reply.tcp(from: 8080, to: 4000, flags: 16)
        let back = try #require(rig.send(reply[0..<12] + tag + reply[12...], on: 1).sent.first)
            .bytes
        #expect(
            Array(back[0..<12] + back[16...]) == rig.answered.tcp(from: 80, to: 4000, flags: 16))
    }

    @Test(
        "Extension headers that are no routes to come are left out",
        arguments: [
            (0, [6, 0, 1, 4, 0, 0, 0, 0]), (60, [6, 0, 1, 4, 0, 0, 0, 0]),
            (43, [6, 0, 0, 0, 0, 0, 0, 0]),
            (0, [60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0]),
        ] as [(UInt8, [UInt8])])
    func extensionHeaders(_ first: UInt8, _ headers: [UInt8]) throws {
        let rig = try FamilyRig()
        var request = rig.request
        request.extensions = (first, headers)
        let sent = try #require(
            rig.send(request.tcp(from: 4000, to: 80, flags: 2, payload: [1])).sent.first
        ).bytes
        #expect(
            sent == rig.forwarded(like: sent).tcp(from: 4000, to: 8080, flags: 2, payload: [1]))
    }

    @Test func `A route to come is refused, and the client is told where it stands`() throws {
        let rig = try FamilyRig()
        rig.open()
        var request = rig.request
        request.extensions = (0, [43, 0, 1, 4, 0, 0, 0, 0, 6, 0, 0, 1, 0, 0, 0, 0])
        let outcome = rig.send(request.tcp(from: 4000, to: 80, flags: 16))
        #expect(outcome.verdict == .drop(.sourceRoute))
        let told = try #require(outcome.sent.first).bytes
        #expect(told[20] == 58 && told[54] == 4 && told[55] == 0 && told.be32(58) == 51)
        #expect(told.isSound)
    }

    @Test func `What AH covers is not translated`() throws {
        let rig = try FamilyRig()
        var request = rig.request
        request.extensions = (51, [6, 1, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1])
        let frame = request.frame(
            transport: 6, checksumAt: nil,
            Array(rig.request.tcp(from: 4000, to: 80, flags: 2)[54...]))
        #expect(rig.send(frame).verdict == .drop(.untranslatable))
    }

    @Test func `IPv4 options are left out, and a route of its own choice is not granted`() throws {
        let rig = try FamilyRig()
        rig.open()
        func reply(_ options: [UInt8]) -> [UInt8] {
            var frame = rig.reply.tcp(from: 8080, to: 4000, flags: 16, payload: [1, 2])
            frame.insert(contentsOf: options, at: 34)
            frame[14] = 0x45 + UInt8(options.count / 4)
            frame.set(16, be16: frame.be16(16) + UInt16(options.count))
            frame.fillHeaderChecksum()
            return frame
        }
        let expected = rig.answered.tcp(from: 80, to: 4000, flags: 16, payload: [1, 2])
        for options in [[1, 1, 1, 1], [UInt8](repeating: 1, count: 40)] as [[UInt8]] {
            #expect(rig.send(reply(options), on: 1).sent.first?.bytes == expected)
        }
        let routed = reply([131, 7, 4, 10, 2, 0, 99, 1])
        #expect(rig.send(routed, on: 1).verdict == .drop(.sourceRoute))
    }

    @Test func `A wrong checksum stays wrong by the same amount, both ways`() throws {
        let rig = try FamilyRig()
        rig.open()
        func check(_ frame: [UInt8], at field: Int, on port: PortIndex) throws {
            var wrong = frame
            wrong.set(field, be16: wrong.be16(field) ^ 0x0100)
            let sent = try #require(rig.send(wrong, on: port).sent.first).bytes
            #expect(!sent.isSound)
            var repaired = sent
            let place = sent.transport().start + 16
            repaired.fillTransportChecksum(at: place)
            let difference = Int(repaired.be16(place)) - Int(sent.be16(place))
            #expect(difference.magnitude % 0xffff == 0x0100)
        }
        try check(rig.request.tcp(from: 4000, to: 80, flags: 16, payload: [1]), at: 70, on: 0)
        try check(rig.reply.tcp(from: 8080, to: 4000, flags: 16, payload: [1]), at: 50, on: 1)
    }

    @Test(arguments: [UInt64(5), 6])
    func `Updated checksums equal recomputed ones for random packets`(seed: UInt64) throws {
        let rig = try FamilyRig(.udp, port: 53, real: 5353)
        var random = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            var request = rig.request
            request.source = IPAddress(
                wireHigh: 0x2001_0db8_0000_0000 | random.next() >> 32, low: random.next())
            let payload = (0..<Int(random.next() & 63)).map { _ in
                UInt8(truncatingIfNeeded: random.next())
            }
            let port = UInt16(truncatingIfNeeded: random.next()) | 1024
            let sent = try #require(
                rig.send(request.udp(from: port, to: 53, payload: payload)).sent.first,
                "seed \(seed)"
            ).bytes
            #expect(sent.isSound, "seed \(seed)")
            var reply = rig.reply
            reply.typeOfService = UInt8(truncatingIfNeeded: random.next())
            let back = try #require(
                rig.send(reply.udp(from: 5353, to: sent.be16(34), payload: payload), on: 1)
                    .sent.first, "seed \(seed)"
            ).bytes
            #expect(back.isSound, "seed \(seed)")
            #expect(Array(back[38..<54]) == request.source.wireBytes, "seed \(seed)")
            #expect(back.be16(56) == port, "seed \(seed)")
        }
    }

    @Test func `The TTL ends here as with every other packet`() throws {
        let rig = try FamilyRig()
        rig.open()
        var request = rig.request
        request.timeToLive = 1
        let told = rig.send(request.tcp(from: 4000, to: 80, flags: 16))
        #expect(told.verdict == .drop(.ttlExceeded))
        #expect(told.sent.first?.bytes[54] == 3 && told.sent.first?.bytes.isSound == true)
        var reply = rig.reply
        reply.timeToLive = 1
        let back = rig.send(reply.tcp(from: 8080, to: 4000, flags: 16), on: 1)
        #expect(back.verdict == .drop(.ttlExceeded))
        #expect(back.sent.first?.bytes[34] == 11 && back.sent.first?.bytes.isSound == true)
    }
}
