package import LVS

/// Frames on their way through one worker, and the memory they lie in: what a driver is to it.
///
/// Each thread of a test has its own.
@safe
package final class FrameLane {
    private static let headroom = 128
    private static let capacity = 66_000

    private let memory: UnsafeMutableRawPointer
    private var burst = Burst()

    package init() {
        let bytes = Burst.capacity * (FrameLane.headroom + FrameLane.capacity)
        unsafe memory = .allocate(byteCount: bytes, alignment: 64)
    }

    deinit { unsafe memory.deallocate() }

    /// Sends up to 64 frames through a worker in one burst; the worker sleeps before and after.
    package func send(
        _ frames: [[UInt8]], on port: PortIndex,
        checksum: DirectorRig.ChecksumOnInput = .complete, by worker: Worker, now: Instant
    ) -> [DirectorRig.Outcome] {
        precondition(frames.count <= Burst.capacity, "a burst holds 64 frames")
        for (index, bytes) in frames.enumerated() {
            burst.append(load(bytes, index, port, checksum))
        }
        worker.wake()
        worker.process(&burst, now: now)
        worker.rest()
        var outcomes = frames.indices.map { index in
            let frame = burst[index]
            let sent = frame.verdict.kind == .send ? [FrameLane.sent(frame)] : []
            return DirectorRig.Outcome(verdict: frame.verdict, sent: sent)
        }
        for (cause, frame) in takeMade() {
            outcomes[min(cause, outcomes.count - 1)].sent.append(frame)
        }
        burst.removeAll()
        return outcomes
    }

    /// Lets a worker take a turn without a frame; returns what it made.
    package func turn(by worker: Worker, now: Instant) -> [DirectorRig.Sent] {
        worker.wake()
        worker.process(&burst, now: now)
        worker.rest()
        let made = takeMade().map(\.frame)
        burst.removeAll()
        return made
    }

    private func takeMade() -> [(cause: Int, frame: DirectorRig.Sent)] {
        (0..<burst.madeCount).compactMap { index in
            let made = burst.madeFrame(index)
            guard made.frame.verdict.kind == .send else { return nil }
            return (made.cause, FrameLane.sent(made.frame))
        }
    }

    private func load(
        _ bytes: [UInt8], _ index: Int, _ port: PortIndex, _ checksum: DirectorRig.ChecksumOnInput
    ) -> Frame {
        let slot = index * (FrameLane.headroom + FrameLane.capacity) + FrameLane.headroom
        let start = unsafe memory + slot
        for (offset, byte) in bytes.enumerated() {
            unsafe start.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
        }
        var frame = unsafe Frame(
            bytes: start, length: bytes.count, capacity: FrameLane.capacity,
            headroom: FrameLane.headroom, ingress: port)
        guard checksum == .partial, let field = FrameLane.checksumField(bytes) else {
            return frame
        }
        frame.checksum = .partial
        frame.checksumStart = UInt16(field.start)
        frame.checksumOffset = UInt16(field.offset)
        let position = field.start + field.offset
        if bytes.transport().number == 132 {
            unsafe start.storeBytes(of: 0, toByteOffset: position, as: UInt8.self)
            unsafe start.storeBytes(of: 0, toByteOffset: position + 1, as: UInt8.self)
            unsafe start.storeBytes(of: 0, toByteOffset: position + 2, as: UInt8.self)
            unsafe start.storeBytes(of: 0, toByteOffset: position + 3, as: UInt8.self)
        } else {
            let sum = bytes.pseudoHeaderSum()
            unsafe start.storeBytes(
                of: sum.bigEndian, toByteOffset: position, as: UInt16.self)
        }
        return frame
    }

    /// Where a whole packet with a right TCP, UDP, ICMPv6 or SCTP checksum has it; nil for others.
    private static func checksumField(_ bytes: [UInt8]) -> (start: Int, offset: Int)? {
        guard bytes.count >= 34 else { return nil }
        let isPlain =
            bytes.isIPv6
            ? bytes[14] >> 4 == 6 && ![0, 43, 60].contains(bytes[20])
                // A fragment only when it is all of its packet (RFC 6946).
                && (bytes[20] != 44 || (bytes.count >= 62 && bytes.be16(56) & 0xfff9 == 0))
            : bytes.be16(12) == 0x0800 && bytes[14] >> 4 == 4 && bytes.be16(20) & 0x3fff == 0
        guard isPlain else { return nil }
        let (start, number) = bytes.transport()
        let end = bytes.isIPv6 ? 54 + Int(bytes.be16(18)) : 14 + Int(bytes.be16(16))
        if number == 132 {
            guard end <= bytes.count, start + 12 <= end else { return nil }
            let found = bytes[(start + 8)..<(start + 12)].reversed().reduce(UInt32(0)) {
                $0 << 8 | UInt32($1)
            }
            return found == Array(bytes[start..<end]).sctpChecksum() ? (start, 8) : nil
        }
        let offset = number == 6 ? 16 : number == 58 ? 2 : 6
        guard number == 6 || number == 17 || (number == 58 && bytes.isIPv6),
            end <= bytes.count, start + offset + 2 <= end,
            !(number == 17 && bytes.be16(start + 6) == 0)
        else { return nil }
        let sum = bytes.onesSum(start..<end, from: UInt32(bytes.pseudoHeaderSum()))
        return sum == 0xffff ? (start, offset) : nil
    }

    private static func sent(_ frame: Frame) -> DirectorRig.Sent {
        var bytes = [UInt8](repeating: 0, count: Int(frame.length))
        for offset in bytes.indices {
            bytes[offset] = unsafe frame.bytes.load(fromByteOffset: offset, as: UInt8.self)
        }
        if frame.checksum == .partial {
            let start = Int(frame.checksumStart)
            let field = start + Int(frame.checksumOffset)
            // The field's own value, the pseudo-header's sum, is part of what is summed up.
            let sum = ~bytes.onesSum(start..<bytes.count)
            bytes.set(field, be16: sum == 0 ? 0xffff : sum)
        }
        return DirectorRig.Sent(port: frame.verdict.port, bytes: bytes)
    }
}
