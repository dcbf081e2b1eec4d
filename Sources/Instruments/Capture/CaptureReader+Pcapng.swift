extension CaptureReader {
    /// Longest block that is believed to be one.
    private static let longestBelieved = 256 << 20

    /// The next packet of a pcapng file.
    func nextPcapng() -> CapturedPacket? {
        while let block = block() {
            let packet = take(block)
            window.consume(block.length)
            if let packet { return packet }
        }
        return atEnd()
    }

    /// Reads what stands before the first packet, so that its interfaces are known.
    func readInterfaces() {
        while let block = block(), block.kind?.isPacket != true {
            _ = take(block)
            window.consume(block.length)
        }
    }

    /// The block that begins here, with all its bytes; nil at the end.
    ///
    /// What is none is passed over.
    private func block() -> PcapngBlock? {
        while window.has(PcapngBlock.leastBytes) {
            var order = section.order
            let type = unsafe order.u32(window.bytes, 0)
            let kind = PcapngBlock.Kind(rawValue: type)
            if kind == .section {
                guard let found = sectionOrder() else {
                    remark(.absurdLength) { "a section header without its byte order" }
                    recover()
                    continue
                }
                order = found
            }
            let length = unsafe Int(order.u32(window.bytes, 4))
            guard length >= PcapngBlock.leastBytes, length % 4 == 0,
                length <= CaptureWindow.most || mayFollow(length)
            else {
                refuse(kind) { "a block of type \(type) says that it is \(length) bytes long" }
                continue
            }
            guard length <= CaptureWindow.most else {
                leaveOut(kind, length)
                continue
            }
            guard window.has(length) else {
                let there = window.available
                if kind?.isPacket == true { number += 1 }
                remark(.cut) { "the file ends after \(there) of a block's \(length) bytes" }
                recover(isCut: true)
                continue
            }
            let second = unsafe Int(order.u32(window.bytes, length - 4))
            guard second == length else {
                refuse(kind) {
                    "a block of type \(type) says \(length) bytes at its beginning and \(second)"
                        + " at its end"
                }
                continue
            }
            return PcapngBlock(kind: kind, type: type, order: order, length: length)
        }
        if window.available > 0 {
            remark(.cut) { "the file ends in a block's header" }
            window.consume(window.available)
        }
        return nil
    }

    /// Whether a block that is longer than any packet can be there.
    private func mayFollow(_ length: Int) -> Bool {
        guard length <= Self.longestBelieved else { return false }
        return totalBytes.map { window.offset + UInt64(length) <= $0 } ?? true
    }

    /// The byte order that a section header at hand tells; nil when it tells none.
    private func sectionOrder() -> ByteOrder? {
        let magic = unsafe ByteOrder.native.u32(window.bytes, 8)
        if magic == PcapngBlock.byteOrderMagic { return .native }
        return magic.byteSwapped == PcapngBlock.byteOrderMagic ? ByteOrder(isSwapped: true) : nil
    }

    private func refuse(_ kind: PcapngBlock.Kind?, _ text: () -> String) {
        if kind?.isPacket == true { number += 1 }
        remark(.absurdLength, text)
        recover()
    }

    /// Passes over a block that is longer than any packet that can be read.
    private func leaveOut(_ kind: PcapngBlock.Kind?, _ length: Int) {
        if kind?.isPacket == true {
            number += 1
            remark(.tooLong) {
                "a packet's block of \(length) bytes, at most \(CaptureWindow.most) can be read;"
                    + " left out"
            }
        }
        guard window.skip(UInt64(length)) else {
            remark(.cut) { "the file ends within a block of \(length) bytes" }
            return
        }
    }

    /// Goes to the next place that looks like a block from one end to the other.
    private func recover(isCut: Bool = false) {
        let start = window.offset
        window.consume(4)
        while window.has(PcapngBlock.leastBytes) {
            if looksLikeBlock() {
                remark(.passedOver) {
                    "\(window.offset - start) bytes from byte \(start) on were passed over"
                }
                return
            }
            window.consume(4)
        }
        window.consume(window.available)
        // Of a file that was cut it has been said.
        if !isCut { remark(.passedOver) { "nothing from byte \(start) on makes sense" } }
    }

    private func looksLikeBlock() -> Bool {
        var order = section.order
        let type = unsafe order.u32(window.bytes, 0)
        guard let kind = PcapngBlock.Kind(rawValue: type) else { return false }
        if kind == .section {
            guard let found = sectionOrder() else { return false }
            order = found
        }
        let length = unsafe Int(order.u32(window.bytes, 4))
        guard length >= PcapngBlock.leastBytes, length % 4 == 0, length <= CaptureWindow.most,
            window.has(length)
        else { return false }
        return unsafe Int(order.u32(window.bytes, length - 4)) == length
    }
}
