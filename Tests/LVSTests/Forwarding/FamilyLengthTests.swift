import LVS
import TestKit
import Testing

/// How long packets may be that go over into the other family (RFC 7915 sections 4 and 5).
@Suite struct FamilyLengthTests {
    private func payload(_ count: Int) -> [UInt8] { (0..<count).map { UInt8($0 & 0xff) } }

    @Test("More than 1260 bytes are not to be cut on their way", arguments: [1260, 1261, 1480])
    func dontFragment(_ length: Int) throws {
        let rig = try FamilyRig()
        rig.open()
        let frame = rig.request.tcp(from: 4000, to: 80, flags: 16, payload: payload(length - 40))
        let sent = try #require(rig.send(frame).sent.first).bytes
        #expect(sent.be16(16) == UInt16(length))
        #expect(sent.be16(20) == (length > 1260 ? 0x4000 : 0))
        #expect(sent.isSound)
    }

    @Test func `Packets that may be cut differ in their identification`() throws {
        let rig = try FamilyRig(.udp, port: 53, real: 5353)
        let numbers = try (0..<20).map { _ in
            try #require(rig.send(rig.request.udp(from: 4000, to: 53)).sent.first).bytes.be16(18)
        }
        #expect(Set(numbers).count == 20)
    }

    @Test(
        "A request that is too long for the server's way is refused with what the client may send",
        arguments: [(1400, 1420), (1300, 1320), (1200, 1280)] as [(UInt32, UInt32)])
    func requestTooLong(_ width: UInt32, _ told: UInt32) throws {
        let rig = try FamilyRig(widths: (1500, width))
        rig.open()
        func send(_ length: UInt32) -> DirectorRig.Outcome {
            rig.send(
                rig.request.tcp(
                    from: 4000, to: 80, flags: 16, payload: payload(Int(length) - 60)))
        }
        let refused = send(told + 1)
        #expect(refused.verdict == .drop(.tooLongForRoute))
        let error = try #require(refused.sent.first).bytes
        #expect(error[54] == 2 && error.be32(58) == told && error.isSound)
        #expect(Array(error[22..<38]) == FamilyRig.virtual.wireBytes)
        // What the client was told gets through, in fragments if need be.
        let through = send(told)
        #expect(!through.sent.isEmpty && through.sent.allSatisfy { $0.port == 1 })
        #expect(through.sent.allSatisfy { $0.bytes.be16(16) <= width && $0.bytes.hasRightHeader })
    }

    @Test func `Short packets are cut where the way is shorter still`() throws {
        let rig = try FamilyRig(widths: (1500, 576))
        rig.open()
        let frame = rig.request.tcp(from: 4000, to: 80, flags: 16, payload: payload(1200))
        for checksum in DirectorRig.ChecksumOnInput.allCases {
            let pieces = rig.send(frame, checksum: checksum).sent.map(\.bytes)
            #expect(pieces.count == 3)
            let whole = try #require(joined(pieces))
            let expected = rig.forwarded(like: whole).tcp(
                from: 4000, to: 8080, flags: 16, payload: payload(1200))
            #expect(whole == expected)
        }
    }

    @Test func `A reply with DF that is too long is refused, and its server told`() throws {
        let rig = try FamilyRig(widths: (1400, 1500))
        rig.open()
        func send(_ length: Int) -> DirectorRig.Outcome {
            rig.send(
                rig.reply.tcp(from: 8080, to: 4000, flags: 16, payload: payload(length - 40)),
                on: 1)
        }
        let refused = send(1381)
        #expect(refused.verdict == .drop(.tooLongForRoute))
        let error = try #require(refused.sent.first).bytes
        #expect(error[34] == 3 && error[35] == 4 && error.be16(40) == 1380 && error.isSound)
        #expect(error.be32(26) == FamilyRig.local.v4 && error.be32(30) == FamilyRig.server.v4)
        #expect(error.be32(42 + 16) == FamilyRig.local.v4)
        let sent = try #require(send(1380).sent.first).bytes
        #expect(sent.count == 14 + 1400 && sent.isSound)
    }

    @Test(arguments: DirectorRig.ChecksumOnInput.allCases)
    func `A reply without DF is cut to what every IPv6 way takes`(
        _ checksum: DirectorRig.ChecksumOnInput
    ) throws {
        let rig = try FamilyRig(.udp, port: 53, real: 5353)
        _ = rig.send(rig.request.udp(from: 4000, to: 53))
        var reply = rig.reply
        reply.hasDontFragment = false
        let short = reply.udp(from: 5353, to: 4000, payload: payload(1232))
        #expect(
            rig.send(short, on: 1, checksum: checksum).sent.map(\.bytes)
                == [rig.answered.udp(from: 53, to: 4000, payload: payload(1232))])
        let long = reply.udp(from: 5353, to: 4000, payload: payload(1233))
        let pieces = rig.send(long, on: 1, checksum: checksum).sent.map(\.bytes)
        #expect(pieces.count == 2 && pieces.allSatisfy { $0.count <= 14 + 1280 })
        #expect(
            joined(pieces) == rig.answered.udp(from: 53, to: 4000, payload: payload(1233)))
    }

    @Test func `Fragments of the client reach the server as fragments of IPv4`() throws {
        let rig = try FamilyRig(.udp, port: 53, real: 5353)
        let whole = rig.request.udp(from: 4000, to: 53, payload: payload(3000))
        let body = Array(whole[54...])
        var pieces: [[UInt8]] = []
        for start in stride(from: 0, to: body.count, by: 1232) {
            let end = min(start + 1232, body.count)
            var builder = rig.request
            let field = UInt16(start) | (end < body.count ? 1 : 0)
            builder.extensions = (
                44, [17, 0, UInt8(field >> 8), UInt8(field & 0xff), 0, 0, 0, 9]
            )
            pieces.append(
                builder.frame(transport: 17, checksumAt: nil, Array(body[start..<end])))
        }
        var left: [[UInt8]] = []
        for piece in pieces.reversed() { left += rig.send(piece).sent.map(\.bytes) }
        #expect(left.count == 3 && left.allSatisfy { $0.be16(20) & 0x4000 == 0 })
        let sent = try #require(joined(left))
        #expect(
            sent == rig.forwarded(like: sent).udp(from: 4000, to: 5353, payload: payload(3000)))
    }

    @Test func `Fragments of the server reach the client as fragments of IPv6`() throws {
        let rig = try FamilyRig(.udp, port: 53, real: 5353)
        _ = rig.send(rig.request.udp(from: 4000, to: 53))
        var reply = rig.reply
        reply.hasDontFragment = false
        let whole = reply.udp(from: 5353, to: 4000, payload: payload(2000))
        var left: [[UInt8]] = []
        for (start, end) in [(1480, 2008), (0, 1480)] {
            var piece = Array(whole[0..<34] + whole[34 + start..<34 + end])
            piece.set(16, be16: UInt16(20 + end - start))
            piece.set(20, be16: UInt16(start / 8) | (end < 2008 ? 0x2000 : 0))
            piece.fillHeaderChecksum()
            left += rig.send(piece, on: 1).sent.map(\.bytes)
        }
        #expect(left.count == 2 && left.allSatisfy { $0.count <= 14 + 1280 })
        #expect(joined(left) == rig.answered.udp(from: 53, to: 4000, payload: payload(2000)))
    }

    // MARK: Super-frames

    /// What a driver says of a super-frame.
    private func describe(_ frame: inout Frame, _ kind: UInt8, _ transport: Int, _ header: Int) {
        frame.segmentKind = kind
        frame.segmentSize = 1400
        frame.headerLength = UInt16(transport + header)
        frame.checksum = .partial
        frame.checksumStart = UInt16(transport)
        frame.checksumOffset = header == 8 ? 6 : 16
    }

    private func opened(_ frame: [UInt8], _ field: Int) -> [UInt8] {
        var frame = frame
        frame.set(frame.transport().start + field, be16: frame.pseudoHeaderSum())
        return frame
    }

    @Test(arguments: [0, 128])
    func `A super-frame of a server stays one, of the other kind`(_ room: Int) throws {
        let rig = try FamilyRig()
        rig.open()
        let frame = rig.reply.tcp(from: 8080, to: 4000, flags: 16, payload: payload(60_000))
        let (verdict, sent, left) = rig.send(opened(frame, 16), on: 1, headroom: room) {
            describe(&$0, 0x81, 34, 20)
        }
        #expect(verdict == .send(0))
        let expected = rig.answered.tcp(from: 80, to: 4000, flags: 16, payload: payload(60_000))
        #expect(sent == [opened(expected, 16)])
        #expect(left?.segmentKind == 0x84 && left?.segmentSize == 1400)
        #expect(left?.headerLength == 74 && left?.checksumStart == 54 && left?.isPartial == true)
        #expect(left?.length == UInt32(expected.count))
    }

    @Test func `A super-frame of a client stays one, of the other kind`() throws {
        let rig = try FamilyRig()
        rig.open()
        let frame = rig.request.tcp(from: 4000, to: 80, flags: 16, payload: payload(60_000))
        let (verdict, sent, left) = rig.send(opened(frame, 16), on: 0) {
            describe(&$0, 4, 54, 20)
        }
        #expect(verdict == .send(1) && sent.count == 1)
        var builder = rig.forwarded(like: sent.first ?? [])
        builder.hasDontFragment = true
        let expected = builder.tcp(from: 4000, to: 8080, flags: 16, payload: payload(60_000))
        #expect(sent == [opened(expected, 16)])
        #expect(left?.segmentKind == 1 && left?.headerLength == 54 && left?.checksumStart == 34)
    }

    @Test func `Datagrams in one frame stay so`() throws {
        let rig = try FamilyRig(.udp, port: 53, real: 5353)
        _ = rig.send(rig.request.udp(from: 4000, to: 53))
        let frame = rig.reply.udp(from: 5353, to: 4000, payload: payload(2800))
        let (_, sent, left) = rig.send(opened(frame, 6), on: 1) { describe(&$0, 5, 34, 8) }
        #expect(
            sent == [opened(rig.answered.udp(from: 53, to: 4000, payload: payload(2800)), 6)])
        #expect(left?.segmentKind == 5 && left?.headerLength == 62)
    }

    @Test func `Segments that grow too long are refused with DF and cut without`() throws {
        let rig = try FamilyRig(widths: (1450, 1500))
        rig.open()
        for keeps in [true, false] {
            var reply = rig.reply
            reply.hasDontFragment = keeps
            let frame = reply.tcp(from: 8080, to: 4000, flags: 16, payload: payload(2800))
            let (verdict, sent, _) = rig.send(opened(frame, 16), on: 1) {
                describe(&$0, 1, 34, 20)
            }
            guard !keeps else {
                #expect(verdict == .drop(.tooLongForRoute))
                #expect(sent.first?[34] == 3 && sent.first?.be16(40) == 1430)
                continue
            }
            #expect(sent.count == 4 && sent.allSatisfy { $0.count <= 14 + 1280 })
            #expect(joined(Array(sent.prefix(2)))?.isSound == true)
            #expect(joined(Array(sent.suffix(2)))?.isSound == true)
        }
    }

    // MARK: Reassembly

    /// The packet that fragments make, in whatever order; nil when something is missing.
    private func joined(_ pieces: [[UInt8]]) -> [UInt8]? {
        guard let some = pieces.first else { return nil }
        let header = some.isIPv6 ? 62 : 34
        func place(_ piece: [UInt8]) -> Int {
            some.isIPv6 ? Int(piece.be16(56) & 0xfff8) : Int(piece.be16(20) & 0x1fff) * 8
        }
        var body: [UInt8] = []
        for piece in pieces.sorted(by: { place($0) < place($1) }) {
            guard place(piece) == body.count, piece.be32(58) == some.be32(58) || !some.isIPv6 else {
                return nil
            }
            body += piece[header...]
        }
        guard some.isIPv6 else {
            var whole = Array(some[0..<34]) + body
            whole.set(16, be16: UInt16(20 + body.count))
            whole.set(20, be16: 0)
            whole.fillHeaderChecksum()
            return whole
        }
        var whole = Array(some[0..<54]) + body
        whole[20] = some[54]
        whole.set(18, be16: UInt16(body.count))
        return whole
    }
}
