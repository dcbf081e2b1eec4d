extension CaptureReader {
    /// Longest packet that is believed to be one, though it is left out.
    private static let longestBelieved: UInt32 = 16 << 20

    /// The next packet of a pcap file.
    func nextPcap(_ layout: PcapLayout) -> CapturedPacket? {
        while window.has(layout.recordBytes) {
            let record = unsafe layout.record(window.bytes)
            number += 1
            guard record.captured <= UInt32(Self.mostBytes) else {
                guard leaveOut(record, layout) else { return nil }
                continue
            }
            let size = layout.recordBytes + Int(record.captured)
            guard window.has(size) else {
                let there = window.available - layout.recordBytes
                remark(.cut) {
                    "the file ends after \(there) of the packet's \(record.captured) bytes"
                }
                return atEnd()
            }
            if !layout.hasTime(record) {
                remark(.absurdTime) { "its time has a fraction of \(record.fraction)" }
            }
            let bytes = unsafe UnsafeRawBufferPointer(
                start: window.bytes + layout.recordBytes, count: Int(record.captured))
            let packet = unsafe deliver(
                bytes, length: record.length, time: layout.time(of: record), interface: 0,
                direction: record.direction)
            window.consume(size)
            if let packet { return packet }
        }
        if window.available > 0 {
            let there = window.available
            number += 1
            remark(.cut) {
                "the file ends after \(there) of the record's \(layout.recordBytes) bytes"
            }
        }
        return atEnd()
    }

    /// Passes over a packet that is too long to be one; false at the file's end.
    private func leaveOut(_ record: PcapLayout.Record, _ layout: PcapLayout) -> Bool {
        let size = UInt64(layout.recordBytes) + UInt64(record.captured)
        let fits = totalBytes.map { window.offset + size <= $0 } ?? true
        guard fits, record.captured <= record.length, record.captured <= Self.longestBelieved
        else {
            remark(.absurdLength) {
                "its record says that \(record.captured) bytes of \(record.length) follow"
            }
            return recover(layout)
        }
        remark(.tooLong) {
            "\(record.captured) bytes, at most \(Self.mostBytes) can be read; left out"
        }
        if window.skip(size) { return true }
        remark(.cut) { "the file ends within the packet" }
        _ = atEnd()
        return false
    }

    /// Goes to the next place where two records in a row make sense, or one that ends the file.
    private func recover(_ layout: PcapLayout) -> Bool {
        let start = window.offset
        let near = lastTime
        window.consume(1)
        while window.has(layout.recordBytes) {
            if let size = unsafe layout.plausibleSize(window.bytes, near: near) {
                let isFollowed =
                    if window.has(size + layout.recordBytes) {
                        unsafe layout.plausibleSize(window.bytes + size, near: near) != nil
                    } else {
                        window.available == size
                    }
                if isFollowed {
                    remark(.passedOver) {
                        "\(window.offset - start) bytes from byte \(start) on were passed over"
                    }
                    return true
                }
            }
            window.consume(1)
        }
        window.consume(window.available)
        remark(.passedOver) { "nothing from byte \(start) on makes sense" }
        _ = atEnd()
        return false
    }
}
