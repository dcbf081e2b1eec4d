package import LVS
package import PacketIO

/// A driver around another one that does harm to every so many-th frame, the same harm in every run
/// with the same seed.
///
/// Frames lie in memory of its own, so that a frame that comes twice may be rewritten twice. Safe
/// because it frees only what it allocated.
@safe
package final class FaultyDriver: InterfaceDriver, @unchecked Sendable {
    /// What is done to every so many-th frame of one direction; 0: to none.
    package struct Faults: Hashable, Sendable {
        /// It is gone.
        package var lost = 0
        /// Only its beginning is left, of any length.
        package var cut = 0
        /// It is there a second time, right behind.
        package var doubled = 0
        /// It is there some calls later, behind others.
        package var delayed = 0
        /// Of calls, not of frames: nothing is received, everything queued is refused.
        package var failed = 0

        package init() {}

        /// The same of all kinds of harm, each at its own time.
        package init(every number: Int) {
            (lost, cut, doubled, delayed, failed) = (number, number, number, number, number)
        }
    }

    /// How many calls a delayed frame is late, at most.
    private static let mostLate: UInt64 = 4
    private static let headroom = 128
    private static let spare = 128

    private struct Waiting {
        var frame: Frame
        var due: UInt64
    }

    /// One direction: which frames are next to be harmed, and those that wait.
    private struct Way {
        let faults: Faults
        var frames: UInt64
        var calls: UInt64
        var waiting: [Waiting] = []

        init(_ faults: Faults, _ random: inout SplitMix) {
            self.faults = faults
            frames = random.next() % 64
            calls = random.next() % 64
        }

        func isHit(_ number: UInt64, every count: Int, at phase: UInt64) -> Bool {
            count > 0 && (number + phase) % UInt64(count) == 0
        }
    }

    private let inner: any BurstDriver
    private var random: SplitMix
    private var incoming: Way
    private var outgoing: Way
    private var borrowed: [UnsafeMutableRawPointer] = unsafe []
    private var refused: UInt64 = 0
    /// What the inner driver brings; a burst is too much memory to make one for each call.
    private var came = Burst()
    /// Frames that were harmed.
    package private(set) var harmed = 0

    package init(
        _ inner: any BurstDriver, receiving: Faults = Faults(), sending: Faults = Faults(),
        seed: UInt64 = 1
    ) {
        self.inner = inner
        var random = SplitMix(state: seed)
        incoming = Way(receiving, &random)
        outgoing = Way(sending, &random)
        self.random = random
    }

    deinit {
        release()
        for frame in incoming.waiting + outgoing.waiting { free(frame.frame) }
    }

    package func receive(into burst: inout Burst) -> Int {
        incoming.calls += 1
        let way = incoming
        guard !way.isHit(way.calls, every: way.faults.failed, at: 0) else {
            harmed += 1
            return 0
        }
        _ = inner.receive(into: &came)
        for index in 0..<came.count { harm(came[index], &incoming) }
        came.removeAll()
        inner.release()
        let room = burst.room
        var appended = 0
        var later: [Waiting] = []
        for waiting in incoming.waiting {
            if waiting.due <= way.calls, appended < room {
                burst.append(waiting.frame)
                unsafe borrowed.append(waiting.frame.bytes - Int(waiting.frame.headroom))
                appended += 1
            } else {
                later.append(waiting)
            }
        }
        incoming.waiting = later
        return appended
    }

    package func release() {
        unsafe borrowed.forEach { unsafe $0.deallocate() }
        unsafe borrowed = []
    }

    package func enqueue(_ frame: Frame) {
        harm(frame, &outgoing)
    }

    package func enqueue(sendsOf burst: borrowing Burst) {
        forEachSend(of: burst, on: port) { frame in enqueue(copy frame) }
    }

    package func flush() {
        outgoing.calls += 1
        let fails = outgoing.isHit(outgoing.calls, every: outgoing.faults.failed, at: 0)
        let calls = outgoing.calls
        let now = outgoing.waiting.filter { $0.due < calls }
        outgoing.waiting.removeAll { $0.due < calls }
        for waiting in now {
            if fails { refused += 1 } else { inner.enqueue(waiting.frame) }
        }
        if fails, !now.isEmpty { harmed += 1 }
        inner.flush()
        for waiting in now { free(waiting.frame) }
    }

    /// Puts copies of the frame among those that wait, as the faults of its way have it.
    private func harm(_ frame: Frame, _ way: inout Way) {
        way.frames += 1
        let number = way.frames
        if way.isHit(number, every: way.faults.lost, at: 0) {
            harmed += 1
            return
        }
        var copied = copy(frame)
        if way.isHit(number, every: way.faults.cut, at: 1) {
            harmed += 1
            copied.length = UInt32(random.next() % UInt64(frame.length + 1))
        }
        // What is received in this call or sent with the next flush is not late.
        var due = way.calls
        if way.isHit(number, every: way.faults.delayed, at: 2) {
            harmed += 1
            due += 1 + random.next() % Self.mostLate
        }
        way.waiting.append(Waiting(frame: copied, due: due))
        if way.isHit(number, every: way.faults.doubled, at: 3) {
            harmed += 1
            way.waiting.append(Waiting(frame: copy(copied), due: due))
        }
    }

    private func copy(_ frame: Frame) -> Frame {
        let capacity = Int(frame.length) + Self.spare
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: Self.headroom + capacity, alignment: 64)
        unsafe memory.initializeMemory(
            as: UInt8.self, repeating: 0, count: Self.headroom + capacity)
        unsafe (memory + Self.headroom).copyMemory(
            from: frame.bytes, byteCount: Int(frame.length))
        var copied = frame
        unsafe copied.bytes = memory + Self.headroom
        copied.capacity = UInt32(capacity)
        copied.headroom = UInt16(Self.headroom)
        return copied
    }

    private func free(_ frame: Frame) {
        unsafe (frame.bytes - Self.headroom).deallocate()
    }

    package var port: PortIndex { inner.port }
    package var descriptor: Int32? { inner.descriptor }
    package func descriptorFailed() { (inner as? any RecoverableDriver)?.descriptorFailed() }

    package var statistics: DriverStatistics {
        var counts = inner.statistics
        counts.sendFailed += refused
        return counts
    }

    private var interface: (any InterfaceDriver)? { inner as? any InterfaceDriver }
    package var name: String { interface?.name ?? "port \(port)" }
    package var summary: String { "faulty: " + (interface?.summary ?? "in memory") }
    package var isDetached: Bool { interface?.isDetached ?? false }
    package var keepsFromHost: Bool { interface?.keepsFromHost ?? false }
    package func refresh() throws(DriverError) -> Bool { try interface?.refresh() ?? false }
    package func setHostVLANs(_ ids: Set<UInt16>) { interface?.setHostVLANs(ids) }
    package func follow(_ port: Port) { interface?.follow(port) }
    package func takeAdvice() -> String? { interface?.takeAdvice() }
}

/// Random numbers from a seed (SplitMix64).
private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }
}
