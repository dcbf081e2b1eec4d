package import LVS
internal import Posix

/// Sends a capture onto a wire, each packet when it is due.
///
/// Frames wait in memory of its own until the driver has sent them. One thread's own; safe because
/// every frame is written where there is room for the longest.
@safe
package final class PacedSender {
    /// What has happened so far.
    package struct Report: Hashable, Sendable {
        /// Frames handed to the driver, and their bytes.
        package var frames: UInt64 = 0
        package var bytes: UInt64 = 0
        /// Frames that the kernel refused.
        package var lost: UInt64 = 0
        /// Packets that could not be sent: no frame can be made of them, or their end is missing.
        package var leftOut: UInt64 = 0
        /// Why the first of them could not.
        package var firstRefusal: LinkLayer.Refusal?
        /// From the first frame to the last, nanoseconds.
        package var duration: UInt64 = 0
        /// Most that a frame was late, nanoseconds.
        package var mostLate: UInt64 = 0

        /// Frames a second, those that were lost not counted.
        package var rate: Double {
            duration == 0 ? 0 : Double(frames - min(frames, lost)) * 1e9 / Double(duration)
        }
    }

    /// Frames that are sent together at most.
    private static let batch = 128
    /// What drivers put before a frame.
    private static let headroom = 64
    /// The longest frame that an interface takes, and its tag.
    private static let longest = 65_536 + 64
    private static let capacity = 1 << 20
    /// A wait that is too short to sleep through, nanoseconds.
    private static let shortWait: UInt64 = 60_000

    private let driver: any PacketDriver
    private let hardware: (source: HardwareAddress, destination: HardwareAddress)
    private let clock: () -> UInt64
    private let memory: UnsafeMutableRawPointer
    private var pacer: PacketPacer
    private var used = 0
    private var waiting = 0
    private var begun: UInt64?
    private let lostBefore: UInt64
    private var state = Report()

    /// Packets of links without hardware addresses are sent from `source` to `destination`.
    package init(
        driver: any PacketDriver, speed: PacketPacer.Speed,
        hardware: (source: HardwareAddress, destination: HardwareAddress),
        clock: @escaping () -> UInt64 = MonotonicClock.now
    ) {
        self.driver = driver
        self.hardware = hardware
        self.clock = clock
        pacer = PacketPacer(speed)
        lostBefore = driver.statistics.sendFailed
        unsafe memory = .allocate(byteCount: Self.capacity, alignment: 64)
    }

    deinit { unsafe memory.deallocate() }

    /// What has happened so far; complete after `flush`.
    package var report: Report {
        var report = state
        report.lost = driver.statistics.sendFailed - lostBefore
        report.mostLate = pacer.mostLate
        return report
    }

    /// Sends all packets of a capture; false when `isStopped` ended it.
    ///
    /// `isStopped` is asked for each batch of frames and a thousand times a second while waiting;
    /// `progress` is told of every 128 packets, at a speed that waits of each.
    @discardableResult
    package func send(
        _ capture: MergedCapture, isStopped: () -> Bool,
        progress: (MergedCapture) -> Void = { _ in }
    ) -> Bool {
        defer { flush() }
        var sinceProgress = 0
        while let packet = capture.next() {
            let link = capture.link(of: packet)
            guard send(packet, on: link, isStopped: isStopped) else { return false }
            sinceProgress += 1
            if sinceProgress == Self.batch || pacer.speed != .unlimited {
                sinceProgress = 0
                progress(capture)
            }
        }
        return true
    }

    /// Sends one packet when it is due; false when `isStopped` ended the wait.
    package func send(
        _ packet: CapturedPacket, on link: LinkLayer.Link, isStopped: () -> Bool
    ) -> Bool {
        if used + Self.headroom + Self.longest > Self.capacity || waiting == Self.batch { flush() }
        let position = used + Self.headroom
        let target = unsafe memory + position
        let outcome = unsafe LinkLayer.frame(
            of: packet, on: link, into: target, capacity: Self.longest, hardware: hardware,
            takingTag: false)
        let shape: LinkLayer.FrameShape
        switch outcome {
        case .frame(let found) where !found.isTruncated: shape = found
        case .frame:
            state.leftOut += 1
            return !isStopped()
        case .refused(let refusal):
            state.leftOut += 1
            if state.firstRefusal == nil { state.firstRefusal = refusal }
            return !isStopped()
        }
        guard wait(for: packet.time, isStopped) else { return false }
        let frame = unsafe Frame(
            bytes: target, length: shape.length, capacity: Self.longest, headroom: Self.headroom,
            ingress: driver.port)
        driver.enqueue(frame)
        // What waited may have been sent meanwhile; this frame lies where it was written.
        used = (position + shape.length + 63) & ~63
        waiting += 1
        state.frames += 1
        state.bytes += UInt64(shape.length)
        return true
    }

    /// Sends what waits.
    package func flush() {
        guard waiting > 0 else { return }
        driver.flush()
        waiting = 0
        used = 0
        if let begun { state.duration = clock() - begun }
    }

    /// Waits until a packet is due; what waits is sent before.
    private func wait(for time: Int64, _ isStopped: () -> Bool) -> Bool {
        guard case .times = pacer.speed else {
            if begun == nil { begun = clock() }
            return waiting > 0 || !isStopped()
        }
        var now = clock()
        let due = pacer.due(time, now: now)
        if begun == nil { begun = now }
        if due > now { flush() }
        while due > now {
            if isStopped() { return false }
            let rest = due - now
            if rest > Self.shortWait {
                Program.sleep(seconds: Double(min(rest - Self.shortWait / 2, 1_000_000)) / 1e9)
            }
            now = clock()
        }
        pacer.sent(due: due, now: now)
        return waiting > 0 || !isStopped()
    }
}
