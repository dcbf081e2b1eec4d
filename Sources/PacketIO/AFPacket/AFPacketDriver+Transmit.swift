internal import CPacketIO
package import LVS

extension AFPacketDriver {
    /// Errors after which the rest of a batch would meet the same: ENXIO, ENODEV, ENETDOWN.
    private static let interfaceGone: Set<Int32> = [6, 19, 100]

    package func enqueue(_ frame: Frame) {
        queue(frame)
    }

    package func enqueue(sendsOf burst: borrowing Burst) {
        forEachSend(of: burst, on: port) { frame in queue(frame) }
    }

    /// Puts the frame's virtio-net header, and its VLAN tag, before it.
    @inline(__always)
    private func queue(_ frame: borrowing Frame) {
        if queued == Self.mostQueued { flush() }
        guard frame.headroom >= UInt16(Self.sendHeadroom), frame.length >= 14 else {
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

    package func flush() {
        guard queued > 0 else { return }
        let total = queued
        var done = 0
        var failed = 0
        var failedBytes = 0
        while done < total {
            let sent = unsafe afpacket_send(
                transmitDescriptor, messages, UInt32(done), UInt32(total - done))
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
