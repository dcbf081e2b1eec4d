internal import CPacketIO
internal import LVS

/// Sends frames on one interface by `sendmmsg`, straight from where they lie, each with its
/// virtio-net header before it.
///
/// Used by the worker's thread alone. Safe because every address comes from memory the object owns
/// or from frames that their driver keeps until `flush` has returned.
@safe
final class PacketTransmitter {
    /// Bytes before a frame that sending needs: the virtio-net header and a VLAN tag.
    static let headroom = 14
    private static let mostQueued = 256
    /// Errors after which the rest of a batch would meet the same: ENXIO, ENODEV, ENETDOWN.
    private static let interfaceGone: Set<Int32> = [6, 19, 100]

    /// A packet socket bound to the interface with protocol 0; somebody else's to close.
    var descriptor: Int32
    private let cells: AFPacketCells
    private let pieces: UnsafeMutablePointer<afpacket_piece>
    private let messages: UnsafeMutableRawPointer
    private var queued = 0
    private var queuedBytes = 0

    init(descriptor: Int32, cells: AFPacketCells) {
        self.descriptor = descriptor
        self.cells = cells
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
    }

    /// Puts the frame's virtio-net header, and its VLAN tag, before it.
    @inline(__always)
    func queue(_ frame: borrowing Frame) {
        if queued == Self.mostQueued { flush() }
        guard frame.headroom >= UInt16(Self.headroom), frame.length >= 14 else {
            cells.sendFailed.raise(by: 1)
            return
        }
        var start = unsafe frame.bytes
        var length = Int(frame.length)
        var shift: UInt16 = 0
        if frame.vlan != 0 {
            // Both addresses move four bytes to the front, the tag takes the place they leave.
            unsafe start -= 4
            unsafe start.copyMemory(from: frame.bytes, byteCount: 12)
            unsafe start.storeBytes(of: frame.vlan.bigEndian, toByteOffset: 12, as: UInt32.self)
            length += 4
            shift = 4
        }
        unsafe start -= VirtioNetHeader.bytes
        unsafe VirtioNetHeader.write(frame, shift: shift, at: start)
        unsafe pieces[queued].base = unsafe start
        unsafe pieces[queued].length = length + VirtioNetHeader.bytes
        queued += 1
        queuedBytes += length
    }

    func flush() {
        guard queued > 0 else { return }
        let total = queued
        var done = 0
        var failed = 0
        var failedBytes = 0
        while done < total {
            let sent = unsafe afpacket_send(
                descriptor, messages, UInt32(done), UInt32(total - done))
            if sent > 0 {
                done += Int(sent)
                continue
            }
            // The first one was refused: it is lost, the others are tried unless all would be.
            let lost = Self.interfaceGone.contains(-sent) ? total - done : 1
            for index in done..<done + lost {
                failedBytes += unsafe pieces[index].length - VirtioNetHeader.bytes
            }
            failed += lost
            done += lost
        }
        cells.sent.raise(by: total - failed)
        cells.sentBytes.raise(by: queuedBytes - failedBytes)
        cells.sendFailed.raise(by: failed)
        queued = 0
        queuedBytes = 0
    }
}
