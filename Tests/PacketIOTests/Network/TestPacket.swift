import LVS

/// An Ethernet frame from 10.76.1.1, port 40000, to 10.76.9.1.
struct TestPacket {
    var bytes: [UInt8]
    var isPartial = false
    var checksumOffset: UInt16 = 0
    var segment: UInt16 = 0

    static func tcp(flags: UInt8, partial: Bool = false) -> TestPacket {
        let header: [UInt8] = [
            0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0x10, 0, 0, 0, 0, 0,
        ]
        return TestPacket(transport: 6, header, checksum: 16, partial: partial)
    }

    /// With a segment size it is a super-frame.
    static func udp(length: Int, segment: UInt16 = 0) -> TestPacket {
        let total = length + 8
        let header: [UInt8] = [0x9c, 0x40, 0, 53, UInt8(total >> 8), UInt8(total & 0xff), 0, 0]
        var packet = TestPacket(
            transport: 17, header + [UInt8](repeating: 7, count: length), checksum: 6,
            partial: segment > 0)
        packet.segment = segment
        return packet
    }

    static func echo() -> TestPacket {
        var packet = TestPacket(
            transport: 1, [8, 0, 0, 0, 0, 1, 0, 1] + [UInt8](repeating: 7, count: 8),
            checksum: 2, partial: false)
        // ICMP sums no addresses.
        packet.bytes[36...37] = [0, 0]
        packet.put(~sum(packet.bytes[34...]), at: 36)
        return packet
    }

    private init(transport: UInt8, _ payload: [UInt8], checksum: Int, partial: Bool) {
        let total = 20 + payload.count
        let addresses: [UInt8] = [10, 76, 1, 1, 10, 76, 9, 1]
        let header: [UInt8] =
            [0x45, 0, UInt8(total >> 8), UInt8(total & 0xff), 0, 1, 0, 0, 64, transport, 0, 0]
            + addresses
        bytes = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0] + header + payload
        put(~sum(header[...]), at: 24)
        let length = UInt16(payload.count)
        let pseudo = addresses + [0, transport, UInt8(length >> 8), UInt8(length & 0xff)]
        isPartial = partial
        checksumOffset = UInt16(checksum)
        put(partial ? sum(pseudo[...]) : ~sum((pseudo + payload)[...]), at: 34 + checksum)
    }

    private mutating func put(_ value: UInt16, at offset: Int) {
        bytes[offset] = UInt8(value >> 8)
        bytes[offset + 1] = UInt8(value & 0xff)
    }

    func withFrame(_ body: (Frame) -> Void) {
        var copy = bytes
        let count = copy.count
        unsafe copy.withUnsafeMutableBytes { raw in
            guard let start = raw.baseAddress else { return }
            var frame = unsafe Frame(
                bytes: start, length: count, capacity: count, headroom: 0, ingress: 0)
            if isPartial {
                frame.checksum = .partial
                frame.checksumStart = 34
                frame.checksumOffset = checksumOffset
            }
            if segment > 0 {
                frame.segmentKind = 5
                frame.segmentSize = segment
                frame.headerLength = 42
            }
            body(frame)
        }
    }
}

/// The folded ones' complement sum of 16-bit words (RFC 1071).
private func sum(_ bytes: ArraySlice<UInt8>) -> UInt16 {
    var total: UInt32 = 0
    for (position, byte) in bytes.enumerated() {
        total += position % 2 == 0 ? UInt32(byte) << 8 : UInt32(byte)
    }
    while total >> 16 != 0 { total = total & 0xffff + total >> 16 }
    return UInt16(total)
}
