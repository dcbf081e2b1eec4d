internal import CPacketIO
package import LVS
internal import Posix

/// Sends frames on one interface and receives none: the way of a capture onto a wire.
///
/// Unlike a worker's driver it has nothing else to do, and so waits for a queue that is full instead of
/// losing frames; these go past the interface's queueing discipline, which is 10 % faster. One thread's own, but for `statistics`. Safe because every address is of a frame that
/// stays until `flush` has returned.
@safe
package final class InterfaceSender: PacketDriver, @unchecked Sendable {
    private static let mostQueued = 256
    /// Longest wait for a queue that is full, nanoseconds; then the frame is lost.
    private static let patience: Int64 = 1_000_000_000
    /// How long it waits before it tries again where the kernel does not say when there is room.
    private static let pause: Int64 = 50_000
    /// EAGAIN, the socket's memory; ENOBUFS, the interface's queue.
    private static let isFull: Set<Int32> = [11, 105]
    /// ENXIO, ENODEV, ENETDOWN: all that follows would meet the same.
    private static let interfaceGone: Set<Int32> = [6, 19, 100]

    package let port: PortIndex
    /// Name of the interface.
    package let name: String
    /// Longest frame without its Ethernet header.
    package let mtu: Int
    /// The interface's own address.
    package let hardware: HardwareAddress

    private let socket: Int32
    private let pieces: UnsafeMutablePointer<afpacket_piece>
    private let messages: UnsafeMutableRawPointer
    private let cells = AFPacketCells()
    private var queued = 0
    private var isGone = false

    /// Opens the interface in the calling thread's network namespace.
    package init(interface name: String, port: PortIndex = 0) throws(DriverError) {
        let found = try InterfaceDescription(named: name)
        var step: UnsafePointer<CChar>?
        let socket = unsafe afpacket_open_sender(found.index, &step)
        guard socket >= 0 else {
            let step = if let step = unsafe step { unsafe String(cString: step) } else { "open" }
            throw DriverError(SystemError(last: step), interface: name)
        }
        self.socket = socket
        self.port = port
        self.name = name
        mtu = Int(found.mtu)
        hardware = HardwareAddress(value: found.hardware)
        unsafe pieces = .allocate(capacity: Self.mostQueued)
        unsafe pieces.initialize(
            repeating: afpacket_piece(base: nil, length: 0), count: Self.mostQueued)
        guard let messages = unsafe afpacket_messages(pieces, UInt32(Self.mostQueued)) else {
            preconditionFailure("no memory for message headers")
        }
        unsafe self.messages = unsafe messages
    }

    deinit {
        unsafe afpacket_free_messages(messages)
        unsafe pieces.deallocate()
        afpacket_close(socket)
    }

    package var descriptor: Int32? { nil }

    package var statistics: DriverStatistics {
        var statistics = DriverStatistics()
        statistics.sentFrames = cells.sent.count
        statistics.sentBytes = cells.sentBytes.count
        statistics.sendFailed = cells.sendFailed.count
        return statistics
    }

    package func receive(into burst: inout Burst) -> Int { 0 }

    package func release() {}

    package func enqueue(_ frame: Frame) {
        if queued == Self.mostQueued { flush() }
        // Sums and segments that are left to the kernel, and tags beside the frame, are a driver's.
        guard frame.length >= 14, !frame.isPartial, frame.segmentKind == 0, frame.vlan == 0 else {
            cells.sendFailed.raise(by: 1)
            return
        }
        unsafe pieces[queued].base = unsafe frame.bytes
        unsafe pieces[queued].length = Int(frame.length)
        queued += 1
    }

    package func flush() {
        let total = queued
        queued = 0
        var done = 0
        var failed = 0
        var waited: Int64 = 0
        while done < total, !isGone {
            let sent = unsafe afpacket_send(
                socket, messages, UInt32(done), UInt32(total - done))
            if sent > 0 {
                for index in done..<done + Int(sent) {
                    cells.sentBytes.raise(by: unsafe pieces[index].length)
                }
                cells.sent.raise(by: Int(sent))
                done += Int(sent)
                waited = 0
                continue
            }
            if Self.isFull.contains(-sent), waited < Self.patience {
                waited += Self.pause
                Program.sleep(seconds: Double(Self.pause) / 1e9)
                continue
            }
            if Self.interfaceGone.contains(-sent) { isGone = true }
            failed += 1
            done += 1
            waited = 0
        }
        // Of an interface that is gone nothing more is tried.
        cells.sendFailed.raise(by: failed + total - done)
    }
}
