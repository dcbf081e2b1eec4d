import LVS
import TestKit
import Testing

@Suite struct PacketTests {
    static let builder = PacketBuilder(
        from: IPAddress(v4: 0x0a01_0002), at: HardwareAddress(value: 0x0200_0000_0002),
        to: IPAddress(v4: 0x0a01_0064), at: HardwareAddress(value: 0x0200_0000_0001))

    /// Frames of every kind the parser tells apart.
    static let samples: [[UInt8]] = [
        builder.tcp(from: 40_000, to: 80, flags: 2, payload: [1, 2, 3]),
        builder.udp(from: 5000, to: 53),
        builder.frame(
            transport: 1, checksumAt: nil,
            [3, 1, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 1, count: 28)),
        builder.frame(transport: 132, checksumAt: nil, [UInt8](repeating: 7, count: 24)),
        builder.tcp(from: 1, to: 2, flags: 16).tagged([0x8100_0005]),
        builder.tcp(from: 1, to: 2, flags: 16).tagged([0x88a8_0005, 0x8100_0006]),
        builder.udp(from: 1, to: 2).withOptions(),
        [UInt8](repeating: 0xff, count: 6) + [2, 0, 0, 0, 0, 1, 8, 6]
            + [UInt8](repeating: 0, count: 28),
        ipv6(next: 6, [UInt8](repeating: 0x50, count: 24)),
        ipv6(next: 0, [60, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 9, 0, 8, 0, 0]),
        ipv6(next: 44, [6, 0, 0, 1, 0, 0, 0, 1] + [UInt8](repeating: 2, count: 20)),
        ipv6(next: 43, [17, 255, 0, 0, 0, 0, 0, 0]),
    ]

    static func ipv6(next: UInt8, _ payload: [UInt8]) -> [UInt8] {
        var frame: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd, 0x60, 0, 0, 0]
        frame.append(be16: UInt16(payload.count))
        frame += [next, 64]
        frame += [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [1]
        frame += [0x20, 1, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [2]
        return frame + payload
    }

    @Test func `A TCP packet shows its tuple, flags, TTL and lengths`() {
        withFrame(PacketTests.builder.tcp(from: 40_000, to: 80, flags: 0x12)) { frame in
            let packet = Packet(parsing: frame)
            #expect(packet.kind == .flow)
            #expect(packet.source == IPAddress(v4: 0x0a01_0002))
            #expect(packet.destination == IPAddress(v4: 0x0a01_0064))
            #expect(packet.sourcePort == 40_000)
            #expect(packet.destinationPort == 80)
            #expect(packet.isOpener && !packet.isReset)
            #expect(packet.timeToLive == 64)
            #expect(packet.ipLength == 40)
            #expect(packet.hasDontFragment)
            #expect(packet.networkOffset == 14 && packet.transportOffset == 34)
            #expect(packet.key.source == packet.source && packet.key.destinationPort == 80)
        }
    }

    @Test(arguments: [
        (0, Packet.Kind.flow, UInt8(6)), (1, .flow, 17), (2, .icmpError, 1), (3, .flow, 132),
        (4, .flow, 6), (5, .flow, 6), (6, .optioned, 17), (7, .arp, 0), (8, .flow, 6),
        (9, .optioned, 17),
        (10, .fragment, 6), (11, .short, 17),
    ])
    func `Each kind of frame is told apart`(
        sample: Int, kind: Packet.Kind, transport: UInt8
    ) {
        withFrame(PacketTests.samples[sample]) { frame in
            let packet = Packet(parsing: frame)
            #expect(packet.kind == kind)
            #expect(packet.protocolNumber == transport)
        }
    }

    @Test func `IPv6 addresses are read whole`() {
        withFrame(PacketTests.samples[8]) { frame in
            let packet = Packet(parsing: frame)
            #expect(packet.isIPv6 && !packet.isIPv4)
            #expect(packet.source == IPAddress(high: 0x2001_0db8_0000_0000, low: 1))
            #expect(packet.destination == IPAddress(high: 0x2001_0db8_0000_0000, low: 2))
        }
    }

    @Test func `A packet that contradicts itself is malformed`() {
        var longer = PacketTests.builder.udp(from: 1, to: 2)
        longer.set(16, be16: 2000)
        var version = PacketTests.builder.udp(from: 1, to: 2)
        version[14] = 0x65
        var header = PacketTests.builder.udp(from: 1, to: 2)
        header[14] = 0x44
        var shorter = PacketTests.builder.udp(from: 1, to: 2)
        shorter.set(16, be16: 19)
        for bytes in [longer, version, header, shorter] {
            withFrame(bytes) { frame in #expect(Packet(parsing: frame).kind == .malformed) }
        }
    }

    @Test func `Fragments are fragments, first and later ones`() {
        var first = PacketTests.builder.udp(from: 1, to: 2)
        first.set(20, be16: 0x2000)
        withFrame(first) { frame in
            let packet = Packet(parsing: frame)
            #expect(packet.kind == .fragment && !packet.isLaterFragment)
        }
        var later = first
        later.set(20, be16: 0x00b9)
        withFrame(later) { frame in
            let packet = Packet(parsing: frame)
            #expect(packet.kind == .fragment && packet.isLaterFragment)
            #expect(packet.destinationPort == 0)
        }
    }

    @Test func `Frames to a group address are nobody's flow`() {
        var frame = PacketTests.builder.tcp(from: 1, to: 2, flags: 2)
        frame[0] = 0x01
        withFrame(frame) { frame in
            #expect(Packet(parsing: frame).kind == .other)
            #expect(Packet(parsing: frame).isGroupAddressed)
        }
    }

    @Test func `Every prefix of every sample parses within its bounds`() {
        for sample in PacketTests.samples {
            for length in 0...sample.count {
                withFrame(Array(sample[..<length])) { frame in
                    expectWithinBounds(Packet(parsing: frame), length)
                }
            }
        }
    }

    @Test func `Random bytes parse within their bounds`() {
        var random = SeededGenerator(seed: 11)
        for turn in 0..<20_000 {
            var bytes: [UInt8]
            if turn & 1 == 0 {
                let length = Int(random.next() % 120)
                bytes = (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                if length > 14, turn & 2 == 0 {
                    bytes.set(12, be16: turn & 4 == 0 ? 0x0800 : 0x86dd)
                }
            } else {
                bytes = PacketTests.samples[Int(random.next() % 12)]
                for _ in 0..<3 {
                    let offset = Int(random.next() % UInt64(bytes.count))
                    bytes[offset] = UInt8(truncatingIfNeeded: random.next())
                }
            }
            let length = bytes.count
            withFrame(bytes) { frame in expectWithinBounds(Packet(parsing: frame), length) }
        }
    }

    private func expectWithinBounds(_ packet: Packet, _ length: Int) {
        #expect(Int(packet.networkOffset) + Int(packet.ipLength) <= length)
        #expect(Int(packet.transportOffset) <= length)
        if packet.kind == .flow {
            let header = packet.protocolNumber == 6 ? 20 : 8
            #expect(Int(packet.transportOffset) + header <= length)
        }
        _ = (packet.source, packet.destination, packet.icmpType)
    }
}

/// Lends the bytes as a frame that ends exactly where its memory ends, so that the address sanitizer
/// sees every read behind it.
func withFrame(_ bytes: [UInt8], _ body: (Frame) -> Void) {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
    defer { unsafe memory.deallocate() }
    for (offset, byte) in bytes.enumerated() {
        unsafe memory.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
    }
    body(
        unsafe Frame(
            bytes: memory, length: bytes.count, capacity: bytes.count, headroom: 0, ingress: 0))
}

extension [UInt8] {
    /// The frame with VLAN tags: protocol identifier << 16 | tag.
    func tagged(_ tags: [UInt32]) -> [UInt8] {
        var bytes = Array(self[..<12])
        for tag in tags { bytes.append(be32: tag) }
        return bytes + self[12...]
    }

    /// The IPv4 frame with four bytes of options.
    func withOptions() -> [UInt8] {
        var bytes = Array(self[..<34]) + [1, 1, 1, 0] + self[34...]
        bytes[14] = 0x46
        bytes.set(16, be16: be16(16) + 4)
        bytes.fillHeaderChecksum()
        return bytes
    }
}
