internal import CPacketIO
package import LVS

extension XDPDriver {
    package func enqueue(_ frame: Frame) {
        queue(frame)
    }

    package func enqueue(sendsOf burst: borrowing Burst) {
        forEachSend(of: burst, on: port) { frame in queue(frame) }
    }

    /// Puts a frame into the transmit ring: from the chunk it came in where it lies in this area,
    /// otherwise (a made frame, one from another driver) from a copy.
    @inline(__always)
    private func queue(_ given: borrowing Frame) {
        var frame = copy given
        guard frame.segmentKind == 0 else { return cut(frame) }
        guard frame.length >= 14, hasRoom() else { return fail(1) }
        if frame.isPartial { Offload.finish(&frame) }
        let tag = frame.vlan == 0 ? 0 : 4
        let length = Int(frame.length)
        if Int(frame.headroom) >= tag,
            let chunk = unsafe area.chunk(of: frame.bytes - tag, count: length + tag),
            area.send(chunk, by: port)
        {
            unsafe put(frame.bytes, length, vlan: frame.vlan)
            return
        }
        guard length <= area.frameBytes, let chunk = area.takeForSending(port) else {
            return fail(1)
        }
        let target = unsafe start(of: chunk)
        unsafe target.copyMemory(from: frame.bytes, byteCount: length)
        copied.raise(by: 1)
        unsafe put(target, length, vlan: frame.vlan)
    }

    /// Where a copy lies in its chunk: behind room for a tag.
    private func start(of chunk: Int) -> UnsafeMutableRawPointer {
        unsafe area.base + Int(area.address(of: chunk)) + FrameArea.headroom
    }

    /// Enters bytes of the area into the ring, with a VLAN tag put back into the frame.
    @inline(__always)
    private func put(_ start: UnsafeMutableRawPointer, _ length: Int, vlan: UInt32) {
        var start = unsafe start
        var length = length
        if vlan != 0 {
            // Both addresses move four bytes to the front, the tag takes the place they leave.
            unsafe (start - 4).copyMemory(from: start, byteCount: 12)
            unsafe start -= 4
            unsafe start.storeBytes(of: vlan.bigEndian, toByteOffset: 12, as: UInt32.self)
            length += 4
        }
        unsafe xdp_put(
            &queues.pointee.transmit, queued, UInt64(start - area.base), UInt32(length))
        queued += 1
        queuedBytes += length
    }

    /// Cuts a super-frame, which another driver took whole, into the segments that AF_XDP can send.
    private func cut(_ frame: Frame) {
        let packet = Packet(parsing: frame)
        guard let cut = Offload.cut(frame, packet) else { return fail(1) }
        let link = Int(packet.networkOffset)
        guard link + cut.longest <= area.frameBytes else { return fail(1) }
        for index in 0..<cut.count {
            guard hasRoom(), let chunk = area.takeForSending(port) else {
                return fail(cut.count - index)
            }
            let target = unsafe start(of: chunk)
            unsafe target.copyMemory(from: frame.bytes, byteCount: link)
            copied.raise(by: 1)
            unsafe Offload.writeSegment(
                index, of: cut, packet, from: frame.bytes + link, to: target + link)
            unsafe put(target, link + cut.length(index), vlan: frame.vlan)
        }
    }

    /// Whether the ring takes another frame, after a flush if need be.
    @inline(__always)
    private func hasRoom() -> Bool {
        if unsafe xdp_room(&queues.pointee.transmit) > queued, area.maySend(port) { return true }
        flush()
        return unsafe xdp_room(&queues.pointee.transmit) > queued && area.maySend(port)
    }

    private func fail(_ count: Int) {
        cells.sendFailed.raise(by: count)
    }

    package func flush() {
        guard queued > 0 else { return }
        let queue = unsafe queues
        unsafe xdp_produce(&queue.pointee.transmit, queued)
        var dropped: UInt32 = 0
        let error = unsafe xdp_send(queue, &dropped)
        var lost = Int(dropped)
        var lostBytes = 0
        if error != 0, sendsInCalls {
            // What the kernel did not take now is lost, not sent at some later time.
            let rest = unsafe xdp_take_back(&queue.pointee.transmit)
            for index in 0..<rest {
                let entry = unsafe xdp_taken_back(&queue.pointee.transmit, index)
                if let chunk = area.chunk(at: entry.address) { area.completed(chunk) }
                lostBytes += Int(entry.length)
            }
            lost += Int(rest)
        }
        cells.sent.raise(by: max(0, Int(queued) - lost))
        cells.sentBytes.raise(by: queuedBytes - lostBytes)
        cells.sendFailed.raise(by: lost)
        queued = 0
        queuedBytes = 0
        complete()
    }
}
