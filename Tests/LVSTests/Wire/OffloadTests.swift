import LVS
import Testing

/// Super-frames and unfinished checksums over both families (packet-io 4).
@Suite struct OffloadTests {
    /// A super-frame of one family and transport, and how many bytes its headers have.
    struct Case: CustomTestStringConvertible, Sendable {
        var isV6: Bool
        var transport: UInt8
        /// Bytes of destination options between the IPv6 header and the transport.
        var options = 0

        var network: Int { (isV6 ? 40 : 20) + options }
        var headers: Int { network + (transport == 6 ? 20 : 8) }
        var segmentKind: UInt8 { transport == 17 ? 5 : isV6 ? 4 : 1 }
        var testDescription: String {
            "\(transport == 6 ? "TCP" : "UDP") over IPv\(isV6 ? 6 : 4), options \(options)"
        }

        /// From the Ethernet header on; the transport's checksum is the pseudo-header's sum.
        func frame(payload: Int) -> [UInt8] {
            let length = headers + payload
            var bytes = [UInt8](repeating: 0, count: 14 + length)
            for index in 14 + headers..<bytes.count {
                bytes[index] = UInt8(truncatingIfNeeded: index &* 7)
            }
            bytes.put(12, isV6 ? 0x86dd : 0x0800)
            if isV6 {
                bytes[14] = 0x60
                bytes.put(18, UInt16(length - 40))
                bytes[20] = options == 0 ? transport : 60
                bytes[21] = 64
                for index in 22..<54 { bytes[index] = UInt8(index) | 0x20 }
                if options > 0 {
                    bytes[54] = transport
                    bytes[55] = UInt8(options / 8 - 1)
                    bytes[56...57] = [1, UInt8(options - 4)]
                }
            } else {
                bytes[14] = 0x45
                bytes.put(16, UInt16(length))
                bytes.put(18, 0x7001)
                bytes[22] = 64
                bytes[23] = transport
                bytes.replaceSubrange(26..<34, with: [10, 1, 0, 2, 10, 1, 0, 100])
                bytes.put(24, ~bytes.sum(14..<34))
            }
            let start = 14 + network
            bytes.put(start, 4000)
            bytes.put(start + 2, 80)
            if transport == 6 {
                bytes.replaceSubrange(start + 4..<start + 8, with: [0xff, 0xff, 0xff, 0xf0])
                bytes[start + 12] = 0x50
                bytes[start + 13] = 0x80 | 0x18 | 0x01  // CWR, ACK, PSH, FIN
            } else {
                bytes.put(start + 4, UInt16(length - network))
            }
            bytes.put(start + (transport == 6 ? 16 : 6), pseudo(bytes, from: 14, length - network))
            return bytes
        }

        /// The pseudo-header's sum of the packet whose IP header begins at `start`.
        func pseudo(_ bytes: [UInt8], from start: Int, _ length: Int) -> UInt16 {
            let addresses = isV6 ? start + 8..<start + 40 : start + 12..<start + 20
            var tail: [UInt8] = [0, transport]
            tail += [UInt8(length >> 8), UInt8(length & 0xff)]
            return (Array(bytes[addresses]) + tail).sum(0..<addresses.count + 4)
        }
    }

    static let cases = [
        Case(isV6: false, transport: 6), Case(isV6: false, transport: 17),
        Case(isV6: true, transport: 6), Case(isV6: true, transport: 17),
        Case(isV6: true, transport: 6, options: 16),
    ]

    @Test("A partial checksum is completed", arguments: cases)
    func completes(_ shape: Case) throws {
        var bytes = shape.frame(payload: 101)
        bytes.withFrame { frame in
            frame.checksum = .partial
            let packet = Packet(parsing: frame)
            unsafe Offload.complete(&frame, packet)
            #expect(frame.checksum == .complete)
        }
        let length = shape.headers - shape.network + 101
        let sum =
            UInt32(shape.pseudo(bytes, from: 14, length))
            + UInt32(bytes.sum(14 + shape.network..<bytes.count))
        #expect((sum & 0xffff) + (sum >> 16) == 0xffff)
    }

    @Test("A super-frame is cut into whole packets", arguments: cases)
    func cuts(_ shape: Case) throws {
        var bytes = shape.frame(payload: 2500)
        let whole = bytes
        var segments: [[UInt8]] = []
        try bytes.withFrame { frame in
            frame.checksum = .partial
            frame.segmentKind = shape.segmentKind
            frame.segmentSize = 1000
            let packet = Packet(parsing: frame)
            let cut = try #require(Offload.cut(frame, packet))
            #expect(cut.count == 3 && cut.headers == shape.headers)
            #expect(cut.longest == shape.headers + 1000)
            for index in 0..<cut.count {
                var segment = [UInt8](repeating: 0, count: cut.length(index))
                unsafe segment.withUnsafeMutableBytes { target in
                    guard let base = target.baseAddress else { return }
                    unsafe Offload.writeSegment(
                        index, of: cut, packet, from: frame.bytes + 14, to: base)
                }
                segments.append(segment)
            }
        }
        #expect(segments.map(\.count) == [1000, 1000, 500].map { shape.headers + $0 })
        let payload = segments.flatMap { $0[shape.headers...] }
        #expect(payload.elementsEqual(whole[(14 + shape.headers)...]))
        for (index, segment) in segments.enumerated() { check(segment, index, shape) }
    }

    private func check(_ segment: [UInt8], _ index: Int, _ shape: Case) {
        let length = segment.count - shape.network
        if shape.isV6 {
            #expect(segment.number(4) == UInt16(segment.count - 40), "segment \(index)")
        } else {
            #expect(segment.number(2) == UInt16(segment.count), "segment \(index)")
            #expect(segment.number(4) == 0x7001 + UInt16(index), "segment \(index)")
            #expect(segment.sum(0..<20) == 0xffff, "segment \(index)")
        }
        let start = shape.network
        if shape.transport == 6 {
            let sequence = [0xffff_fff0, 0x0000_03d8, 0x0000_07c0][index]
            #expect(segment.number(start + 4) == UInt16(sequence >> 16), "segment \(index)")
            #expect(segment.number(start + 6) == UInt16(sequence & 0xffff), "segment \(index)")
            #expect(segment[start + 13] == [0x90, 0x10, 0x19][index], "segment \(index)")
        } else {
            #expect(segment.number(start + 4) == UInt16(length), "segment \(index)")
        }
        let sum =
            UInt32(shape.pseudo(segment, from: 0, length))
            + UInt32(segment.sum(start..<segment.count))
        #expect((sum & 0xffff) + (sum >> 16) == 0xffff, "checksum of segment \(index)")
    }

    @Test("A segmentation kind of the other family is no cut", arguments: cases)
    func otherKind(_ shape: Case) {
        guard shape.transport == 6 else { return }
        var bytes = shape.frame(payload: 2500)
        bytes.withFrame { frame in
            frame.segmentKind = shape.isV6 ? 1 : 4
            frame.segmentSize = 1000
            #expect(Offload.cut(frame, Packet(parsing: frame)) == nil)
        }
    }
}

extension [UInt8] {
    fileprivate mutating func put(_ offset: Int, _ value: UInt16) {
        self[offset] = UInt8(value >> 8)
        self[offset + 1] = UInt8(value & 0xff)
    }

    fileprivate func number(_ offset: Int) -> UInt16 {
        UInt16(self[offset]) << 8 | UInt16(self[offset + 1])
    }

    /// The ones'-complement sum of the big-endian words of a range.
    fileprivate func sum(_ range: Range<Int>) -> UInt16 {
        var total: UInt32 = 0
        for offset in stride(from: range.lowerBound, to: range.upperBound, by: 2) {
            let low = offset + 1 < range.upperBound ? UInt32(self[offset + 1]) : 0
            total += UInt32(self[offset]) << 8 | low
        }
        while total > 0xffff { total = (total & 0xffff) + (total >> 16) }
        return UInt16(total)
    }

    fileprivate mutating func withFrame(_ body: (inout Frame) throws -> Void) rethrows {
        try unsafe withUnsafeMutableBytes { raw in
            guard let base = raw.baseAddress else { return }
            var frame = unsafe Frame(
                bytes: base, length: raw.count, capacity: raw.count, headroom: 0, ingress: 0)
            try body(&frame)
        }
    }
}
