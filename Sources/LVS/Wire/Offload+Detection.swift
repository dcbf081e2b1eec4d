extension Offload {
    /// Marks a frame of a driver that is told nothing of checksums as partial where its sender left the
    /// sum to a card that there was none of (packet-io 4, rule 12).
    ///
    /// Such a field holds the pseudo-header's sum. A complete checksum may look the same once in
    /// 65,536 packets: then the whole packet is summed up, and what is right stays as it is. Plain
    /// packets of TCP, UDP and ICMPv6 directly behind the IP header are looked at, and SCTP, where an
    /// undone sum is 0.
    @inline(__always)
    package static func detectPartial(_ frame: inout Frame) {
        guard frame.length >= 34 else { return }
        let network = unsafe frame.bytes + 14
        let room = Int(frame.length) - 14
        let headers: Int
        let length: Int
        let transport: UInt8
        switch unsafe frame.bytes.be16(12) {
        case 0x0800:
            headers = unsafe Int(network.byte(0) & 0xf) * 4
            length = unsafe Int(network.be16(2)) - headers
            transport = unsafe network.byte(9)
            guard headers >= 20, unsafe network.be16(6) & 0x3fff == 0 else { return }
        case 0x86dd:
            headers = 40
            guard room >= 40 else { return }
            length = unsafe Int(network.be16(4))
            transport = unsafe network.byte(6)
        default: return
        }
        guard let field = checksumField(of: transport).map(Int.init) else { return }
        guard length >= field + 4 || (length >= 8 && field == 6), headers + length <= room else {
            return
        }
        let header = unsafe network + headers
        guard unsafe isUndone(header, field, length, network, transport) else { return }
        frame.checksum = .partial
        frame.checksumStart = UInt16(14 + headers)
        frame.checksumOffset = UInt16(field)
    }

    @inline(__always)
    private static func isUndone(
        _ header: UnsafeMutableRawPointer, _ field: Int, _ length: Int,
        _ network: UnsafeMutableRawPointer, _ transport: UInt8
    ) -> Bool {
        if transport == 132 { return unsafe header.le32(field) == 0 }
        let pseudo = unsafe Checksum.pseudoHeader(network, transport: transport, length: length)
        guard unsafe header.le16(field) == pseudo else { return false }
        return unsafe !Checksum.isTransportRight(
            header, length: length, network: network, transport: transport)
    }

    /// Completes the checksum of a partial frame where it says the sum begins and the field is, as the
    /// kernel would on the way out.
    package static func finish(_ frame: inout Frame) {
        guard frame.checksum == .partial else { return }
        let start = Int(frame.checksumStart)
        let field = start + Int(frame.checksumOffset)
        frame.checksum = .complete
        guard field + 2 <= Int(frame.length) else { return }
        if frame.checksumOffset == 8 {
            let packet = Packet(parsing: frame)
            guard packet.protocolNumber == 132 else { return }
            frame.checksum = .partial
            unsafe complete(&frame, packet)
            return
        }
        let sum = unsafe ~Checksum.sum(frame.bytes + start, count: Int(frame.length) - start)
        let isUDP = frame.checksumOffset == 6
        unsafe frame.bytes.set(field, le16: sum == 0 && isUDP ? 0xffff : sum)
    }
}
