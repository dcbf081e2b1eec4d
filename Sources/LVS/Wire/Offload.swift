/// What a sender's kernel left to the card and has to be done here: completing checksums and cutting
/// super-frames (packet-io 4).
package enum Offload {
    /// Completes the checksum of a partial frame; its headers are as they were parsed.
    package static func complete(_ frame: UnsafeMutablePointer<Frame>, _ packet: Packet) {
        guard unsafe frame.pointee.checksum == .partial else { return }
        let length = Int(packet.ipLength) - packet.networkHeaderLength
        let bytes = unsafe frame.pointee.bytes
        let header = unsafe bytes + Int(packet.transportOffset)
        if packet.protocolNumber == 132 {
            guard length >= Packet.sctpHeaderBytes else { return }
            unsafe CRC32C.writeSCTP(header, length: length)
        } else {
            unsafe Checksum.writeTransport(
                header, length: length, network: bytes + Int(packet.networkOffset),
                transport: packet.protocolNumber)
        }
        unsafe frame.pointee.checksum = .complete
    }

    /// Where the checksum field of a transport lies behind its header's beginning; nil for one that
    /// no sender leaves to others.
    package static func checksumField(of transport: UInt8) -> UInt16? {
        switch transport {
        case 6: 16
        case 17: 6
        case 58: 2
        case 132: 8
        default: nil
        }
    }

    /// Takes a TCP packet, or with `datagrams` one of UDP, for a super-frame whose segments were as long
    /// as packets of at most `widest` bytes, link header included, allow; other packets stay as they are.
    ///
    /// For frames of which nobody says what the segments were.
    package static func openSegments(
        of frame: inout Frame, _ packet: Packet, widest: Int, datagrams: Bool
    ) {
        guard packet.kind == .flow else { return }
        let transport = Int(packet.transportOffset)
        let header: Int
        switch packet.protocolNumber {
        case 6:
            let words = unsafe frame.bytes.byte(transport + 12) >> 4
            header = transport + max(20, Int(words) * 4)
            frame.segmentKind = packet.isIPv6 ? 4 : 1
        case 17 where datagrams:
            header = transport + 8
            frame.segmentKind = 5
        default: return
        }
        frame.headerLength = UInt16(clamping: header)
        frame.segmentSize = UInt16(clamping: max(1, widest - header))
        frame.segmentSizeIsOpen = true
    }

    /// How a super-frame falls into segments.
    package struct Cut {
        /// Network and transport header, bytes.
        package var headers: Int
        /// Payload of every segment but the last, bytes.
        package var size: Int
        package var payload: Int

        package var count: Int { max(1, (payload + size - 1) / size) }

        /// Length of the IP packet of a segment.
        package func length(_ index: Int) -> Int { headers + min(size, payload - index * size) }

        /// Length of the longest of them.
        package var longest: Int { headers + min(size, payload) }
    }

    /// The cut of a super-frame; nil when the segmentation kind does not fit the packet or the
    /// headers do not add up.
    package static func cut(_ frame: Frame, _ packet: Packet) -> Cut? {
        let kind = frame.segmentKind & 0x7f
        guard frame.segmentSize != 0, packet.kind == .flow else { return nil }
        let transport: Int
        switch (kind, packet.protocolNumber) {
        case (1, 6) where !packet.isIPv6, (4, 6) where packet.isIPv6:
            let offset = Int(packet.transportOffset) + 12
            transport = unsafe Int(frame.bytes.byte(offset) >> 4) * 4
            guard transport >= 20 else { return nil }
        case (5, 17), (3, 17): transport = 8
        default: return nil
        }
        let headers = packet.networkHeaderLength + transport
        guard headers <= Int(packet.ipLength) else { return nil }
        return Cut(
            headers: headers, size: Int(frame.segmentSize), payload: Int(packet.ipLength) - headers)
    }

    /// Puts the sum of the pseudo-header back into the checksum field of a finished segment, for somebody
    /// else to complete; returns where the sum begins and its field behind that.
    static func reopen(
        _ segment: UnsafeMutableRawPointer, count: Int, _ packet: Packet
    ) -> (start: Int, field: Int) {
        let start = packet.networkHeaderLength
        let field = packet.protocolNumber == 6 ? 16 : 6
        let sum = unsafe Checksum.pseudoHeader(
            segment, transport: packet.protocolNumber, length: count - start)
        unsafe segment.set(start + field, le16: sum)
        return (start, field)
    }

    /// Writes one segment, from its network header on, as a packet with complete checksums: length,
    /// identification (IPv4) and sequence number move on; FIN and PSH stay on the last, CWR on the
    /// first.
    package static func writeSegment(
        _ index: Int, of cut: Cut, _ packet: Packet, from network: UnsafeMutableRawPointer,
        to target: UnsafeMutableRawPointer
    ) {
        let length = cut.length(index)
        let start = index * cut.size
        unsafe target.copyMemory(from: network, byteCount: cut.headers)
        unsafe (target + cut.headers).copyMemory(
            from: network + cut.headers + start, byteCount: length - cut.headers)
        let headerLength = packet.networkHeaderLength
        if packet.isIPv6 {
            unsafe target.set(4, be16: UInt16(truncatingIfNeeded: length - 40))
        } else {
            unsafe target.set(2, be16: UInt16(truncatingIfNeeded: length))
            let identification = unsafe target.be16(4) &+ UInt16(truncatingIfNeeded: index)
            unsafe target.set(4, be16: identification)
            unsafe Checksum.writeHeader(target, count: headerLength)
        }
        let transport = unsafe target + headerLength
        if packet.protocolNumber == 6 {
            let sequence = unsafe transport.be32(4) &+ UInt32(truncatingIfNeeded: start)
            unsafe transport.set(4, be32: sequence)
            var flags = unsafe transport.byte(13)
            if index + 1 != cut.count { flags &= ~0x09 }
            if index != 0 { flags &= ~0x80 }
            unsafe transport.set(13, byte: flags)
        } else {
            unsafe transport.set(4, be16: UInt16(truncatingIfNeeded: length - headerLength))
        }
        unsafe Checksum.writeTransport(
            transport, length: length - headerLength, network: target,
            transport: packet.protocolNumber)
    }
}
