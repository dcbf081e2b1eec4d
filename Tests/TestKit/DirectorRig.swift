package import LVS

/// A whole director in memory: frames go in, frames come out, and time is turned by hand.
///
/// ```
/// client ── cli 10.1.0.1/24 ── director ── srv 10.2.0.1/24 ── servers
/// ```
/// Ports, routes and neighbours are what a test sets; the frames pass the real workers.
@safe
package final class DirectorRig {
    /// A frame that left, with a partial checksum finished as a network card would.
    package struct Sent: Hashable, Sendable {
        package var port: PortIndex
        package var bytes: [UInt8]

        package init(port: PortIndex, bytes: [UInt8]) {
            self.port = port
            self.bytes = bytes
        }
    }

    /// What became of one frame that went in.
    package struct Outcome: Sendable {
        package var verdict: Verdict
        /// The frame itself when it was sent, then what was made because of it.
        package var sent: [Sent]

        package init(verdict: Verdict, sent: [Sent]) {
            self.verdict = verdict
            self.sent = sent
        }
    }

    /// How the checksum of a frame comes in.
    package enum ChecksumOnInput: CaseIterable, Sendable {
        case complete
        /// As from a local veth peer: the field holds the sum of the pseudo-header only.
        case partial
    }

    private static let headroom = 128
    private static let capacity = 66_000

    package let director: Director
    package private(set) var clock: ManualClock
    private let tableMemory: UnsafeMutableRawPointer
    private let frameMemory: UnsafeMutableRawPointer
    private var burst = Burst()

    package init(connections: Int = 4096, workers: Int = 1, seed: UInt64 = 1) {
        let configuration = Director.Configuration(
            connections: connections, workers: workers, seed: seed)
        let bytes = Director.tableBytes(configuration)
        unsafe tableMemory = .allocate(byteCount: bytes, alignment: 4096)
        unsafe tableMemory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        let frames = Burst.capacity * (DirectorRig.headroom + DirectorRig.capacity)
        unsafe frameMemory = .allocate(byteCount: frames, alignment: 64)
        clock = ManualClock()
        director = unsafe Director(
            configuration, tableMemory: TableMemory(base: tableMemory, count: bytes),
            now: clock.now)
    }

    deinit {
        unsafe tableMemory.deallocate()
        unsafe frameMemory.deallocate()
    }

    /// Lets time pass in steps of a quarter of a second, as a housekeeper does.
    package func advance(milliseconds: UInt64) {
        var left = milliseconds
        while left > 0 {
            let step = min(left, 250)
            clock.advance(milliseconds: step)
            director.tick(clock.now)
            left -= step
        }
    }

    /// Sends one frame through a worker.
    package func send(
        _ bytes: [UInt8], on port: PortIndex, checksum: ChecksumOnInput = .complete, worker: Int = 0
    ) -> Outcome {
        send([bytes], on: port, checksum: checksum, worker: worker)[0]
    }

    /// Sends up to 64 frames through a worker in one burst.
    package func send(
        _ frames: [[UInt8]], on port: PortIndex, checksum: ChecksumOnInput = .complete,
        worker: Int = 0
    ) -> [Outcome] {
        precondition(frames.count <= Burst.capacity, "a burst holds 64 frames")
        for (index, bytes) in frames.enumerated() {
            burst.append(load(bytes, index, port, checksum))
        }
        director.workers[worker].wake()
        director.workers[worker].process(&burst, now: clock.now)
        director.workers[worker].rest()
        var outcomes = frames.indices.map { index in
            let frame = burst[index]
            let sent = frame.verdict.kind == .send ? [DirectorRig.sent(frame)] : []
            return Outcome(verdict: frame.verdict, sent: sent)
        }
        for (cause, frame) in takeMade() {
            outcomes[min(cause, outcomes.count - 1)].sent.append(frame)
        }
        burst.removeAll()
        return outcomes
    }

    /// Lets a worker take a turn without a frame, as it does when it has slept; returns what it made.
    package func turn(worker: Int = 0) -> [Sent] {
        director.workers[worker].wake()
        director.workers[worker].process(&burst, now: clock.now)
        director.workers[worker].rest()
        let made = takeMade().map(\.frame)
        burst.removeAll()
        return made
    }

    private func takeMade() -> [(cause: Int, frame: Sent)] {
        (0..<burst.madeCount).compactMap { index in
            let made = burst.madeFrame(index)
            guard made.frame.verdict.kind == .send else { return nil }
            return (made.cause, DirectorRig.sent(made.frame))
        }
    }

    private func load(
        _ bytes: [UInt8], _ index: Int, _ port: PortIndex, _ checksum: ChecksumOnInput
    ) -> Frame {
        let slot = index * (DirectorRig.headroom + DirectorRig.capacity) + DirectorRig.headroom
        let memory = unsafe frameMemory + slot
        for (offset, byte) in bytes.enumerated() {
            unsafe memory.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
        }
        var frame = unsafe Frame(
            bytes: memory, length: bytes.count, capacity: DirectorRig.capacity,
            headroom: DirectorRig.headroom, ingress: port)
        guard checksum == .partial, let field = DirectorRig.checksumField(bytes) else {
            return frame
        }
        frame.checksum = .partial
        frame.checksumStart = UInt16(field.start)
        frame.checksumOffset = UInt16(field.offset)
        let position = field.start + field.offset
        if bytes.transport().number == 132 {
            unsafe memory.storeBytes(of: 0, toByteOffset: position, as: UInt8.self)
            unsafe memory.storeBytes(of: 0, toByteOffset: position + 1, as: UInt8.self)
            unsafe memory.storeBytes(of: 0, toByteOffset: position + 2, as: UInt8.self)
            unsafe memory.storeBytes(of: 0, toByteOffset: position + 3, as: UInt8.self)
        } else {
            let sum = bytes.pseudoHeaderSum()
            unsafe memory.storeBytes(
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

    private static func sent(_ frame: Frame) -> Sent {
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
        return Sent(port: frame.verdict.port, bytes: bytes)
    }
}
