package import LVS

/// A driver without a kernel: frames are handed to it and taken from it, for tests and benchmarks.
///
/// It keeps the rules of the port as a real one does: what was received is gone after `release`,
/// and what was enqueued is read when it is flushed. Safe because it frees only what it allocated.
@safe
package final class MemoryDriver: BurstDriver {
    /// A frame that left, with what the driver was told about it.
    package struct Sent: Hashable, Sendable {
        package var bytes: [UInt8]
        package var checksum: ChecksumState
        package var segmentKind: UInt8
        package var segmentSize: UInt16
        package var headerLength: UInt16
        package var checksumStart: UInt16
        package var checksumOffset: UInt16
        package var vlan: UInt32
    }

    /// Writable bytes before and behind each received frame.
    package static let headroom = 128
    package static let spare = 128

    package let port: PortIndex
    package private(set) var statistics = DriverStatistics()
    /// Frames flushed and not taken yet.
    package private(set) var sent: [Sent] = []
    /// Whether flushes fail, as with an interface that is down.
    package var isDown = false
    private var waiting: [Frame] = []
    private var borrowed: [UnsafeMutableRawPointer] = unsafe []
    private var queued: [Frame] = []

    package init(port: PortIndex) {
        self.port = port
    }

    deinit {
        for frame in waiting { unsafe (frame.bytes - Self.headroom).deallocate() }
        unsafe borrowed.forEach { unsafe $0.deallocate() }
    }

    /// Queues a frame for the next `receive`; `adjust` sets what a real driver would know of it.
    package func deliver(_ bytes: [UInt8], _ adjust: (inout Frame) -> Void = { _ in }) {
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: Self.headroom + bytes.count + Self.spare, alignment: 64)
        let start = unsafe memory + Self.headroom
        for (offset, byte) in bytes.enumerated() {
            unsafe start.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
        }
        var frame = unsafe Frame(
            bytes: start, length: bytes.count, capacity: bytes.count + Self.spare,
            headroom: Self.headroom, ingress: port)
        adjust(&frame)
        waiting.append(frame)
    }

    /// Takes everything that was sent.
    package func takeSent() -> [Sent] {
        defer { sent = [] }
        return sent
    }

    package var descriptor: Int32? { nil }

    package func receive(into burst: inout Burst) -> Int {
        let count = min(burst.room, waiting.count)
        for frame in waiting.prefix(count) {
            burst.append(frame)
            unsafe borrowed.append(frame.bytes - Self.headroom)
            statistics.receivedFrames += 1
            statistics.receivedBytes += UInt64(frame.length)
        }
        waiting.removeFirst(count)
        return count
    }

    package func enqueue(_ frame: Frame) {
        queued.append(frame)
    }

    package func enqueue(sendsOf burst: borrowing Burst) {
        forEachSend(of: burst, on: port) { frame in queued.append(copy frame) }
    }

    package func flush() {
        defer { queued = [] }
        guard !isDown else {
            statistics.sendFailed += UInt64(queued.count)
            return
        }
        for frame in queued {
            let view = unsafe UnsafeRawBufferPointer(start: frame.bytes, count: Int(frame.length))
            sent.append(
                Sent(
                    bytes: unsafe Array(view), checksum: frame.checksum,
                    segmentKind: frame.segmentKind, segmentSize: frame.segmentSize,
                    headerLength: frame.headerLength, checksumStart: frame.checksumStart,
                    checksumOffset: frame.checksumOffset, vlan: frame.vlan))
            statistics.sentFrames += 1
            statistics.sentBytes += UInt64(frame.length)
        }
    }

    package func release() {
        unsafe borrowed.forEach { unsafe $0.deallocate() }
        unsafe borrowed = []
    }
}
