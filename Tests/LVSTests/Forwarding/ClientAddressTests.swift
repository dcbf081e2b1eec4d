import LVS
import TestKit
import Testing

/// What the server is told of the client (ipvs-semantics 11.3, 11.4), with sums that are complete and
/// sums that the sender left to its card.
@Suite struct ClientAddressTests {
    typealias Segment = FullNATRig.Segment

    /// Kind 254, eight bytes: port 4000 and 198.51.100.1.
    private static let toa: [UInt8] = [254, 8, 0x0f, 0xa0, 198, 51, 100, 1]
    private static let timestamps: [UInt8] = [1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9]

    @Test(arguments: [false, true])
    func `TOA is in every segment until the server has sent data, and not in the SYN`(
        isPartial: Bool
    ) throws {
        let rig = try FullNATRig(isPartial: isPartial) { $0.clientAddress = .toa }
        let (syn, answer) = rig.open(options: [2, 4, 0x05, 0xb4])
        #expect(syn == Segment(2, 1000, options: [2, 4, 0x05, 0xb4]).like(syn))
        // Eight bytes less than the server's 1460, so that full segments have room.
        #expect(answer?.options == [2, 4, 0x05, 0xac], "\(String(describing: answer))")
        let handshake = rig.request(Segment(0x10, 1001, 5001, options: Self.timestamps))
        #expect(handshake.map(\.options) == [Self.toa + Self.timestamps])
        let data = rig.request(Segment(0x18, 1001, 5001, [7, 8, 9]))
        #expect(data.map(\.options) == [Self.toa] && data.map(\.payload) == [[7, 8, 9]])
        #expect(data.map(\.sequence) == [1001])
        let later = rig.request(Segment(0x18, 1004, 5201, [7]))
        #expect(later.map(\.options) == [[]])
        let reset = rig.request(Segment(0x14, 1004, 5001))
        #expect(reset.map(\.options) == [[]])
    }

    @Test func `By setting TOA is in the SYN as well, and then not in a FIN`() throws {
        let rig = try FullNATRig { $0.clientAddress = .toaFromSYN }
        let (syn, _) = rig.open(options: [2, 4, 0x05, 0xb4])
        #expect(syn?.options == Self.toa + [2, 4, 0x05, 0xb4])
        #expect(rig.request(Segment(0x10, 1001, 5001)).map(\.options) == [Self.toa])
        #expect(rig.request(Segment(0x11, 1001, 5001)).map(\.options) == [[]])
    }

    @Test func `An option that the client made up is blanked`() throws {
        let rig = try FullNATRig { $0.clientAddress = .toa }
        let forged: [UInt8] = [254, 8, 0, 1, 10, 0, 0, 1]
        let (syn, _) = rig.open(options: forged + [2, 4, 5, 0xb4])
        #expect(syn?.options == [1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 5, 0xb4])
        let handshake = rig.request(Segment(0x10, 1001, 5001, options: forged))
        #expect(handshake.map(\.options) == [Self.toa + [1, 1, 1, 1, 1, 1, 1, 1]])
    }

    @Test func `Where the header is full, NOPs and then dispensable options make room`() throws {
        let rig = try FullNATRig { $0.clientAddress = .toa }
        _ = rig.open()
        let times = Array(Self.timestamps.dropFirst(2))
        let full: [UInt8] =
            Self.timestamps + [77, 24] + [UInt8](repeating: 5, count: 22) + [1, 1, 1, 0]
        #expect(full.count == 40)
        let sent = rig.request(Segment(0x10, 1001, 5001, options: full))
        #expect(sent.map(\.options) == [Self.toa + times + [0, 0]])
        let spaced: [UInt8] = [1, 1] + times + [UInt8](repeating: 1, count: 24) + [77, 4, 1, 1]
        #expect(spaced.count == 40)
        let kept = rig.request(Segment(0x10, 1001, 5001, options: spaced))
        #expect(kept.map(\.options) == [Self.toa + times + [77, 4, 1, 1, 0, 0]])
    }

    @Test func `A segment that would not fit the way goes without`() throws {
        let rig = try FullNATRig { $0.clientAddress = .toa }
        _ = rig.open()
        for (bytes, hasOption) in [(1452, true), (1453, false)] {
            let payload = [UInt8](repeating: 3, count: bytes)
            let sent = rig.request(Segment(0x18, 1001, 5001, payload))
            #expect(sent.map(\.options) == [hasOption ? Self.toa : []], "\(bytes) bytes")
            #expect(sent.map(\.payload) == [payload])
        }
    }

    @Test func `Without headroom the header grows in memory of the burst`() throws {
        let rig = try FullNATRig { $0.clientAddress = .toa }
        _ = rig.open()
        let sent = rig.request(Segment(0x18, 1001, 5001, [1, 2, 3]), headroom: 4)
        #expect(sent.map(\.options) == [Self.toa] && sent.map(\.payload) == [[1, 2, 3]])
    }

    // MARK: PROXY protocol

    private static let line = Array("PROXY TCP4 198.51.100.1 10.1.0.100 4000 80\r\n".utf8)
    private static let binary: [UInt8] =
        [0x0d, 0x0a, 0x0d, 0x0a, 0, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0, 12]
        + [198, 51, 100, 1, 10, 1, 0, 100, 0x0f, 0xa0, 0, 80]

    @Test(arguments: [FullNATOptions.ClientAddress.proxyV1, .proxyV2], [false, true])
    func `The header comes before the client's first byte, and numbers stay right`(
        version: FullNATOptions.ClientAddress, isPartial: Bool
    ) throws {
        let rig = try FullNATRig(isPartial: isPartial) { $0.clientAddress = version }
        let header = version == .proxyV1 ? Self.line : Self.binary
        let count = UInt32(header.count)
        let (syn, answer) = rig.open()
        #expect(syn?.sequence == 1000 && syn?.payload == [])
        #expect(answer?.acknowledged == 1001 && answer?.options == [2, 4, 0x05, 0xb4])
        // The handshake's last segment carries it, and every first segment until it is acknowledged.
        let handshake = rig.request(Segment(0x10, 1001, 5001))
        #expect(handshake.map(\.payload) == [header] && handshake.map(\.sequence) == [1001])
        let first = rig.request(Segment(0x18, 1001, 5001, [1, 2, 3]))
        #expect(first.map(\.payload) == [header + [1, 2, 3]] && first.map(\.sequence) == [1001])
        let second = rig.request(Segment(0x18, 1004, 5001, [4]))
        #expect(second.map(\.payload) == [[4]] && second.map(\.sequence) == [1004 + count])
        // Acknowledged in part, then whole with some data; what is selected stands in options.
        #expect(rig.answer(Segment(0x10, 5001, 1001 + 5)).map(\.acknowledged) == [1001])
        let selected: [UInt8] =
            [1, 1, 5, 10] + (1004 + count).wire + (1005 + count).wire
        let partly = rig.answer(Segment(0x10, 5001, 1001 + count, options: selected))
        #expect(partly.map(\.acknowledged) == [1001])
        #expect(partly.map(\.options) == [[1, 1, 5, 10] + UInt32(1004).wire + UInt32(1005).wire])
        let again = rig.request(Segment(0x18, 1001, 5001, [1, 2, 3]))
        #expect(again.map(\.payload) == [[1, 2, 3]] && again.map(\.sequence) == [1001 + count])
        #expect(rig.answer(Segment(0x10, 5001, 1005 + count)).map(\.acknowledged) == [1005])
        let end = rig.request(Segment(0x11, 1005, 5001))
        #expect(end.map(\.sequence) == [1005 + count] && end.map(\.payload) == [[]])
    }

    @Test func `A full segment has the header sent in one of its own`() throws {
        let rig = try FullNATRig { $0.clientAddress = .proxyV2 }
        _ = rig.open()
        let payload = [UInt8](repeating: 9, count: 1460)
        let sent = rig.request(Segment(0x18, 1001, 5001, payload))
        #expect(sent.map(\.payload) == [payload, Self.binary])
        #expect(sent.map(\.sequence) == [1001 + 28, 1001] && sent.map(\.flags) == [0x18, 0x10])
    }

    @Test func `Data that comes with the SYN waits until the header has been sent`() throws {
        let rig = try FullNATRig { $0.clientAddress = .proxyV2 }
        let cookie: [UInt8] = [34, 8, 1, 2, 3, 4, 5, 6]
        let sent = rig.request(Segment(2, 1000, options: cookie, [1, 2, 3]))
        #expect(sent.map(\.payload) == [[]])
        #expect(sent.map(\.options) == [[UInt8](repeating: 1, count: 8)])
    }

    // MARK: Numbers and timestamps

    @Test(arguments: [false, true])
    func `A connection begins with a number of the director's own`(isPartial: Bool) throws {
        let rig = try FullNATRig(isPartial: isPartial) { $0.startsSequenceAnew = true }
        let first = try #require(rig.open().request).sequence
        #expect(first != 1000)
        #expect(rig.request(Segment(2, 1000)).map(\.sequence) == [first])
        #expect(rig.request(Segment(0x18, 1001, 5001, [1])).map(\.sequence) == [first &+ 1])
        let back = rig.answer(Segment(0x10, 5001, first &+ 2))
        #expect(back.map(\.acknowledged) == [1002])
        let other = try #require(rig.open(port: 4001).request)
        #expect(other.sequence != first)
        // Opened again before it has ended, with another number of the client's.
        let reopened = rig.request(Segment(2, 9000)).map(\.sequence)
        #expect(rig.request(Segment(0x10, 9001, 5001)).map(\.sequence) == reopened.map { $0 &+ 1 })
    }

    @Test func `Timestamps are taken out of SYNs and left alone elsewhere`() throws {
        let rig = try FullNATRig { $0.removesTimestamps = true }
        let (syn, _) = rig.open(options: [2, 4, 0x05, 0xb4] + Self.timestamps)
        #expect(syn?.options == [2, 4, 0x05, 0xb4] + [UInt8](repeating: 1, count: 12))
        let later = rig.request(Segment(0x10, 1001, 5001, options: Self.timestamps))
        #expect(later.map(\.options) == [Self.timestamps])
    }

    @Test func `Nothing is changed unless a service asks for it`() throws {
        let rig = try FullNATRig()
        let options = Self.timestamps + Self.toa
        let (syn, answer) = rig.open(options: options)
        #expect(syn?.options == options && syn?.sequence == 1000)
        #expect(answer?.options == [2, 4, 0x05, 0xb4] && answer?.acknowledged == 1001)
        let data = rig.request(Segment(0x18, 1001, 5001, options: options, [1]))
        #expect(data.map(\.options) == [options] && data.map(\.payload) == [[1]])
    }

    @Test func `Options that do not add up are dropped where they would have to be changed`() throws
    {
        for address in FullNATOptions.ClientAddress.allCases where address != .hidden {
            let rig = try FullNATRig { $0.clientAddress = address }
            _ = rig.open()
            #expect(rig.request(Segment(0x10, 1001, 5001, options: [1, 1, 8, 20])) == [])
            #expect(rig.answer(Segment(0x10, 5001, 1001, options: [1, 1, 5, 0])) == [])
        }
    }

    @Test(arguments: FullNATOptions.ClientAddress.allCases)
    func `Damaged segments of every kind end or go on whole`(
        address: FullNATOptions.ClientAddress
    ) throws {
        let rig = try FullNATRig { options in
            options.clientAddress = address
            options.startsSequenceAnew = true
            options.removesTimestamps = true
        }
        var random = SeededGenerator(seed: 5)
        for turn in 0..<3000 {
            let port = UInt16(4000 + turn % 50)
            if turn % 50 == 0 { _ = rig.open(port: port) }
            let word = random.next()
            let options = (0..<Int(word & 7) * 4).map { _ in
                UInt8(truncatingIfNeeded: random.next() % 40)
            }
            let segment = Segment(
                UInt8(truncatingIfNeeded: word >> 8 & 0x3f), 1000 &+ UInt32(word >> 16 & 3),
                5000 &+ UInt32(word >> 18 & 3), options: options,
                [UInt8](repeating: 1, count: Int(word >> 20 & 0xff)))
            for sent in rig.request(segment, port: port, headroom: Int(word >> 40 & 63)) {
                #expect(sent.flags != 0xff, "turn \(turn): sums are wrong after \(segment)")
            }
            for sent in rig.answer(segment, port: port) {
                #expect(sent.flags != 0xff, "turn \(turn): sums are wrong after \(segment)")
            }
        }
    }

    @Test func `An error about a request quotes the number that its client knows`() throws {
        let rig = try FullNATRig { options in
            options.startsSequenceAnew = true
            options.clientAddress = .proxyV2
        }
        let first = try #require(rig.open().request).sequence
        let quoted = PacketBuilder(
            from: FullNATRig.local, at: HardwareAddress(value: 1), to: ForwardingRig.server,
            at: HardwareAddress(value: 2)
        ).tcp(from: 4000, to: 80, flags: 0x10, sequence: first &+ 1 &+ 28 &+ 7)
        var builder = rig.forwarding.reply
        builder.source = IPAddress(v4: 0x0a02_000c)
        builder.destination = FullNATRig.local
        let error = builder.frame(
            transport: 1, checksumAt: 2, [3, 1, 0, 0, 0, 0, 0, 0] + quoted[14...])
        let sent = try #require(
            rig.forwarding.send(error.withICMPChecksum(), on: 1).sent.first)
        #expect(sent.be32(30) == ForwardingRig.client.v4)
        #expect(sent.be32(62 + 4) == 1008, "the quoted sequence number")
    }
}

extension UInt32 {
    fileprivate var wire: [UInt8] {
        [UInt8(self >> 24), UInt8(self >> 16 & 255), UInt8(self >> 8 & 255), UInt8(self & 255)]
    }
}

extension FullNATRig.Segment {
    /// The same between the ends of another.
    fileprivate func like(_ other: Self?) -> Self {
        var segment = self
        segment.ends = other?.ends ?? []
        return segment
    }
}

extension [UInt8] {
    /// ICMP has no pseudo-header.
    fileprivate func withICMPChecksum() -> [UInt8] {
        var frame = self
        frame.set(36, be16: 0)
        frame.set(36, be16: ~frame.onesSum(34..<frame.count))
        return frame
    }
}
