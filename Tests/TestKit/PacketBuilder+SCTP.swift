import LVS

extension PacketBuilder {
    /// An SCTP packet with one chunk of this type, and its checksum right (RFC 9260).
    package func sctp(
        from sourcePort: UInt16, to destinationPort: UInt16, chunk type: UInt8,
        body: [UInt8] = [1, 2, 3, 4], then second: UInt8? = nil
    ) -> [UInt8] {
        var packet: [UInt8] = []
        packet.append(be16: sourcePort)
        packet.append(be16: destinationPort)
        packet.append(be32: 0x1234)
        packet += [0, 0, 0, 0]
        for type in [type] + (second.map { [$0] } ?? []) {
            packet += [type, 0]
            packet.append(be16: UInt16(4 + body.count))
            packet += body + [UInt8](repeating: 0, count: (4 - body.count % 4) % 4)
        }
        let sum = packet.sctpChecksum()
        for index in 0..<4 { packet[8 + index] = UInt8(sum >> UInt32(8 * index) & 0xff) }
        return frame(transport: 132, checksumAt: nil, packet)
    }
}

extension [UInt8] {
    /// CRC32c bit by bit, with the checksum's own four bytes as zeros: the tests' own arithmetic.
    package func sctpChecksum() -> UInt32 {
        var remainder = UInt32.max
        for (index, byte) in enumerated() {
            remainder ^= (8..<12).contains(index) ? 0 : UInt32(byte)
            for _ in 0..<8 {
                remainder = remainder >> 1 ^ (remainder & 1 == 0 ? 0 : 0x82f6_3b78)
            }
        }
        return ~remainder
    }
}
