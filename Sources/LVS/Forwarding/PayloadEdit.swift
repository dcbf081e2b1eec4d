/// Changes what a packet carries, its lengths and its checksums.
enum PayloadEdit {
    /// Replaces a part of the payload of a TCP packet; the frame has room for it, and its padding is
    /// cut off.
    ///
    /// The transport checksum changes by what the bytes and the length changed; one that is partial
    /// covers the length alone.
    static func replace(
        _ range: Range<Int>, by text: ShortText, in frame: UnsafeMutablePointer<Frame>,
        _ packet: Packet
    ) {
        let bytes = unsafe frame.pointee.bytes
        let network = Int(packet.networkOffset)
        let transport = Int(packet.transportOffset)
        let end = network + Int(packet.ipLength)
        let segment = unsafe bytes + transport
        let payload = unsafe transport + Int(bytes.byte(transport + 12) >> 4) * 4
        let oldSum = unsafe Checksum.sum(segment, count: end - transport)
        let gained = text.count - range.count

        let tail = payload + range.upperBound
        unsafe (bytes + tail + gained).copyMemory(from: bytes + tail, byteCount: end - tail)
        for offset in 0..<text.count {
            unsafe bytes.set(payload + range.lowerBound + offset, byte: text[offset])
        }
        unsafe frame.pointee.length = UInt32(end + gained)

        let newLength = Int(packet.ipLength) + gained
        if packet.isIPv6 {
            unsafe bytes.set(network + 4, be16: UInt16(truncatingIfNeeded: newLength - 40))
        } else {
            unsafe bytes.set(network + 2, be16: UInt16(truncatingIfNeeded: newLength))
            unsafe Checksum.writeHeader(bytes + network, count: packet.networkHeaderLength)
        }
        let newSum = unsafe Checksum.sum(segment, count: end + gained - transport)
        let lengths =
            UInt32(~UInt16(truncatingIfNeeded: end - transport).byteSwapped)
            + UInt32(UInt16(truncatingIfNeeded: end + gained - transport).byteSwapped)
        let field = unsafe segment.le16(16)
        if unsafe frame.pointee.checksum == .partial {
            unsafe segment.set(
                16, le16: Checksum.updatedPartial(field, adding: UInt32(Checksum.fold(lengths))))
        } else {
            let difference = Checksum.fold(lengths + UInt32(~oldSum) + UInt32(newSum))
            unsafe segment.set(16, le16: Checksum.updated(field, adding: UInt32(difference)))
        }
    }
}

/// Carries a shift of sequence numbers over to the packets of a connection.
enum TCPSequence {
    /// Changes what a shift has to do with a packet: the sequence number where it comes `from` the
    /// side whose bytes have moved, what it acknowledges where it comes from the other; false when the
    /// header's options do not add up.
    static func apply(
        _ shift: SequenceShift, of sender: Direction, _ direction: Direction,
        _ frame: UnsafeMutablePointer<Frame>, _ packet: Packet
    ) -> Bool {
        let segment = unsafe frame.pointee.bytes + Int(packet.transportOffset)
        let isPartial = unsafe frame.pointee.checksum == .partial
        let length = packet.transportLength
        if direction == sender {
            unsafe TCPFields.change(4, of: segment, isPartial, shift.toReceiver)
            return unsafe !TCPOptions(segment, length: length).isMalformed
        }
        guard packet.tcpFlags & TCPEvent.acknowledgement != 0 else { return true }
        return unsafe TCPFields.changeAcknowledged(
            of: segment, length: length, isPartial, shift.toSender)
    }
}
