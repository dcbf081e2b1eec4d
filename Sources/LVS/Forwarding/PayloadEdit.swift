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
    /// Changes the sequence number of a server's packet, or what a client's packet acknowledges, the
    /// blocks of selective acknowledgements (RFC 2018) included; false when the header's options do not add up.
    static func apply(
        _ shift: SequenceShift, _ direction: Direction, _ frame: UnsafeMutablePointer<Frame>,
        _ packet: Packet
    ) -> Bool {
        let segment = unsafe frame.pointee.bytes + Int(packet.transportOffset)
        let isPartial = unsafe frame.pointee.checksum == .partial
        if direction == .outbound {
            unsafe change(4, of: segment, isPartial, shift.toClient)
        }
        guard packet.tcpFlags & TCPEvent.acknowledgement != 0 else { return true }
        if direction == .inbound {
            unsafe change(8, of: segment, isPartial, shift.toServer)
        }
        let end = unsafe Int(segment.byte(12) >> 4) * 4
        guard end <= Int(packet.ipLength) - packet.networkHeaderLength else { return false }
        var offset = 20
        while offset < end {
            let kind = unsafe segment.byte(offset)
            if kind == 0 { return true }
            guard kind != 1 else {
                offset += 1
                continue
            }
            guard offset + 1 < end else { return false }
            let length = unsafe Int(segment.byte(offset + 1))
            guard length >= 2, offset + length <= end else { return false }
            if kind == 5, length >= 10, (length - 2) % 8 == 0, direction == .inbound {
                for edge in stride(from: offset + 2, to: offset + length, by: 4) {
                    unsafe change(edge, of: segment, isPartial, shift.toServer)
                }
            }
            offset += length
        }
        return true
    }

    /// Replaces a number of the header, and carries the change over to a checksum that is complete.
    private static func change(
        _ offset: Int, of segment: UnsafeMutableRawPointer, _ isPartial: Bool,
        _ convert: (UInt32) -> UInt32
    ) {
        let old = unsafe segment.le32(offset)
        unsafe segment.set(offset, be32: convert(segment.be32(offset)))
        guard !isPartial else { return }
        let difference = unsafe Checksum.difference(from: old, to: segment.le32(offset))
        // Options may begin at an odd offset; there the bytes of each word count the other way round.
        let words = offset & 1 == 0 ? difference : difference.byteSwapped
        let field = unsafe segment.le16(16)
        unsafe segment.set(16, le16: Checksum.updated(field, adding: UInt32(words)))
    }
}
