import LVS
import TestKit
import Testing

/// Sums that a sender left undone, where nothing but the frame tells (packet-io 4, rule 12).
@Suite struct OffloadDetectionTests {
    private static func builder(_ isV6: Bool) -> PacketBuilder {
        let from = isV6 ? IPAddress(high: 0x2001_0db8 << 32, low: 2) : IPAddress(v4: 0x0a01_0002)
        let to = isV6 ? IPAddress(high: 0x2001_0db8 << 32, low: 100) : IPAddress(v4: 0x0a01_0064)
        return PacketBuilder(
            from: from, at: HardwareAddress(value: 1), to: to, at: HardwareAddress(value: 2))
    }

    /// Frames with right sums: TCP and UDP over both families, ICMPv6, payloads of odd length.
    static let complete: [[UInt8]] =
        [false, true].flatMap { isV6 in
            let payload = (0..<101).map { UInt8($0) }
            return [
                builder(isV6).tcp(from: 4000, to: 80, flags: 0x18, payload: payload),
                builder(isV6).udp(from: 4000, to: 53, payload: payload),
            ]
        } + [
            builder(true).frame(transport: 58, checksumAt: 2, [1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])
        ]

    private static func field(_ frame: [UInt8]) -> (start: Int, offset: Int) {
        let (start, number) = frame.transport()
        return (start, number == 6 ? 16 : number == 17 ? 6 : 2)
    }

    private func detected(_ bytes: [UInt8]) -> Frame? {
        var found: Frame?
        withFrame(bytes) { frame in
            var frame = frame
            Offload.detectPartial(&frame)
            found = frame
        }
        return found
    }

    @Test(arguments: complete)
    func whatIsCompleteStaysAsItIs(_ bytes: [UInt8]) {
        #expect(detected(bytes)?.checksum == .complete)
    }

    @Test(arguments: complete)
    func aPseudoHeadersSumIsFoundAndCompleted(_ bytes: [UInt8]) {
        let (start, offset) = Self.field(bytes)
        var undone = bytes
        undone.set(start + offset, be16: bytes.pseudoHeaderSum())
        withFrame(undone) { frame in
            var frame = frame
            Offload.detectPartial(&frame)
            #expect(frame.checksum == .partial)
            #expect(Int(frame.checksumStart) == start)
            #expect(Int(frame.checksumOffset) == offset)
            Offload.finish(&frame)
            #expect(frame.checksum == .complete)
            let after = unsafe Array(
                UnsafeRawBufferPointer(start: frame.bytes, count: Int(frame.length)))
            #expect(after == bytes)
        }
    }

    @Test(arguments: complete)
    func aCompleteSumThatLooksUndoneStaysAsItIs(_ bytes: [UInt8]) {
        let (start, offset) = Self.field(bytes)
        // The last whole word of the payload is chosen so that the right sum is the pseudo-header's.
        var frame = bytes
        let word = start + (bytes.count - start) / 2 * 2 - 2
        let pseudo = bytes.pseudoHeaderSum()
        frame.set(start + offset, be16: pseudo)
        frame.set(word, be16: 0)
        frame.set(word, be16: ~frame.onesSum(start..<frame.count, from: UInt32(pseudo)))
        #expect(frame.onesSum(start..<frame.count, from: UInt32(pseudo)) == 0xffff)
        #expect(detected(frame)?.checksum == .complete)
    }

    @Test func aFragmentIsLeftAlone() {
        var frame = Self.complete[0]
        let (start, offset) = Self.field(frame)
        frame.set(start + offset, be16: frame.pseudoHeaderSum())
        for bits: UInt16 in [0x2000, 0x0001] {
            frame.set(20, be16: bits)
            #expect(detected(frame)?.checksum == .complete)
        }
    }

    @Test func anSCTPSumOfZeroIsCompleted() {
        let right = Self.builder(false).sctp(from: 4000, to: 80, chunk: 1)
        #expect(detected(right)?.checksum == .complete)
        var undone = right
        undone.replaceSubrange(42..<46, with: [0, 0, 0, 0])
        withFrame(undone) { frame in
            var frame = frame
            Offload.detectPartial(&frame)
            #expect(frame.checksum == .partial)
            Offload.finish(&frame)
            let after = unsafe Array(
                UnsafeRawBufferPointer(start: frame.bytes, count: Int(frame.length)))
            #expect(after == right)
        }
    }

    @Test(arguments: complete)
    func framesCutAnywhereAreLeftAlone(_ bytes: [UInt8]) {
        let (start, offset) = Self.field(bytes)
        var undone = bytes
        undone.set(start + offset, be16: bytes.pseudoHeaderSum())
        for length in 14..<bytes.count {
            let found = detected(Array(undone.prefix(length)))
            #expect(found?.checksum == .complete, "\(length) bytes")
        }
    }
}
