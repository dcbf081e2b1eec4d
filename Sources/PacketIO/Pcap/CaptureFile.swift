internal import CPcap
package import Posix
internal import Synchronization

/// A file of what drivers receive and send, as Wireshark and tcpdump open it: Ethernet frames with
/// times in nanoseconds.
///
/// A thread of its own writes it, so that neither a slow disk nor a full one holds a worker: frames
/// that find no room are counted and left out. It grows to a number of bytes and no further.
///
/// The housekeeper opens and closes it and asks for the summary; what the writing thread tells it is
/// behind a lock, hence the unchecked conformance.
@safe
package final class CaptureFile: @unchecked Sendable {
    /// How often the writing thread looks for frames, nanoseconds.
    private static let pause: Int64 = 20_000_000
    private static let fileHeader: UInt64 = 24
    private static let frameHeader: UInt64 = 16

    /// What has become of the file.
    private struct State {
        var frames: UInt64 = 0
        /// Bytes of the file that are whole frames.
        var bytes = CaptureFile.fileHeader
        /// Why nothing more is written, and whether `takeNews` has told it.
        var end: String?
        var isTold = false
    }

    package let path: String
    private let limit: UInt64
    private let lanes: [CaptureLane]
    /// Where the writing thread has a frame while it writes it.
    private let frame: UnsafeMutableRawPointer
    private let state = Mutex(State())
    private let stopping = Atomic<Bool>(false)
    private let wakeUp: WakeUp
    /// The file and the thread that writes it, from `begin` to `close`.
    private var file: OpaquePointer?
    private var thread: Thread?

    /// Prepares a lane for each worker; the file is not touched before `begin`.
    package init(path: String, bytes limit: UInt64, workers: Int) throws(SystemError) {
        wakeUp = try WakeUp()
        self.path = path
        self.limit = limit
        lanes = (0..<workers).map { _ in CaptureLane() }
        unsafe frame = .allocate(byteCount: CaptureLane.mostBytes, alignment: 64)
    }

    deinit {
        close()
        unsafe frame.deallocate()
    }

    /// Makes the file, in the place of one that is there, and takes frames from now on.
    package func begin() throws(SystemError) {
        precondition(thread == nil, "a capture begins once")
        let format = unsafe pcap_open_dead_with_tstamp_precision(
            DLT_EN10MB, Int32(CaptureLane.mostBytes), UInt32(PCAP_TSTAMP_PRECISION_NANO))
        guard let format = unsafe format else { throw SystemError(last: "open libpcap") }
        defer { unsafe pcap_close(format) }
        guard let file = unsafe cpcap_create(format, path) else {
            throw SystemError(last: "capture to", on: path)
        }
        unsafe self.file = unsafe file
        do throws(SystemError) {
            let task = unsafe Task(capture: self, file: file)
            thread = try Thread(name: "capture") { unsafe task.capture.run(task.file) }
        } catch {
            unsafe cpcap_close(file, Self.fileHeader)
            unsafe self.file = nil
            throw error
        }
        for lane in lanes { lane.open() }
    }

    /// What the writing thread is given; the file is its own until `close` has joined it.
    @safe private struct Task: @unchecked Sendable {
        unowned let capture: CaptureFile
        let file: OpaquePointer
    }

    /// A driver of a worker as it was, with all its frames in the file from now on.
    package func capturing(_ driver: any InterfaceDriver, worker: Int) -> any InterfaceDriver {
        CapturingDriver(driver, self, lane: lanes[worker])
    }

    /// Writes what is left, and ends.
    package func close() {
        for lane in lanes { lane.close() }
        stopping.store(true, ordering: .releasing)
        wakeUp.signal()
        guard let thread = thread.take() else { return }
        thread.join()
        guard let file = unsafe file else { return }
        unsafe cpcap_close(file, state.withLock { $0.bytes })
        unsafe self.file = nil
    }

    /// One line on what is in the file, for `status`.
    package var summary: String {
        let missed = lanes.reduce(0) { $0 + $1.missedCount }
        return state.withLock { state in
            var text = "capture to \(path): \(state.frames) frames, \(state.bytes) bytes"
            if missed > 0 { text += ", \(missed) missed since the disk is too slow" }
            if let end = state.end { text += "; \(end)" }
            return text
        }
    }

    /// Why nothing more is written, once.
    package func takeNews() -> String? {
        state.withLock { state in
            guard let end = state.end, !state.isTold else { return nil }
            state.isTold = true
            return "capture to \(path) \(end)"
        }
    }

    private func run(_ file: OpaquePointer) {
        var poller = Poller()
        poller.add(wakeUp.descriptor, token: 0)
        var isWriting = true
        while isWriting {
            let isLast = stopping.load(ordering: .acquiring)
            isWriting = unsafe write(file) && !isLast
            // EINTR aside, waiting can only fail for want of memory: then without a pause.
            _ = try? poller.wait(nanoseconds: isWriting ? Self.pause : 0) { _ in }
        }
        for lane in lanes { lane.close() }
    }

    /// Writes what is there; false when nothing more can be written.
    private func write(_ file: OpaquePointer) -> Bool {
        let clocks = cpcap_clock_difference()
        var (frames, bytes) = state.withLock { ($0.frames, $0.bytes) }
        let before = frames
        var end: String?
        var code: Int32 = 0
        for lane in lanes {
            while end == nil, code == 0, let next = unsafe lane.take(into: frame) {
                let size = Self.frameHeader + UInt64(next.copied)
                guard bytes + size <= limit else {
                    end = "ended, since more would pass the limit of \(limit) bytes"
                    break
                }
                let time = UInt64(Int64(next.time) + clocks)
                code = unsafe cpcap_write(file, time, frame, next.copied, next.length)
                frames += 1
                bytes += size
            }
        }
        if frames != before, code == 0 { code = unsafe cpcap_flush(file) }
        guard code == 0 else {
            // What `state` counts is in the file; the rest is cut off when it is closed.
            let error = SystemError("write", code: code)
            state.withLock { $0.end = "ended, since the file could not be written (\(error))" }
            return false
        }
        state.withLock { state in
            state.frames = frames
            state.bytes = bytes
            state.end = end
        }
        return end == nil
    }
}
