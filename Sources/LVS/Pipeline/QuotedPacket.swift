/// The packet that an ICMP error is about, as far as the error quotes it.
///
/// Offsets count from the frame's first byte and lie within the error; the version and the checksum
/// of a quoted header are not looked at, as the kernel does not (ipvs-semantics 6.5).
struct QuotedPacket {
    /// Where its network header begins.
    let network: Int
    /// Where its payload begins: what would be the ports.
    let transport: Int
    /// Behind the last byte that is quoted.
    let end: Int
    let protocolNumber: UInt8
    let hasDontFragment: Bool
    let isLaterFragment: Bool

    /// The packet quoted from `offset` on, when at least its whole header is.
    init?(at offset: Int, end: Int, in bytes: UnsafeMutableRawPointer) {
        guard end - offset >= 20 else { return nil }
        let headerLength = unsafe Int(bytes.byte(offset) & 15) * 4
        guard headerLength >= 20, headerLength <= end - offset else { return nil }
        network = offset
        transport = offset + headerLength
        self.end = end
        unsafe protocolNumber = bytes.byte(offset + 9)
        let fragment = unsafe bytes.be16(offset + 6)
        hasDontFragment = fragment & 0x4000 != 0
        isLaterFragment = fragment & 0x1fff != 0
    }

    /// True when ports follow the header: for TCP, UDP and SCTP.
    var hasPorts: Bool { protocolNumber == 6 || protocolNumber == 17 || protocolNumber == 132 }

    /// The tuple of the quoted packet's connection; nil when the quote ends before the ports, or when
    /// the transport is none that is balanced.
    ///
    /// A quoted later fragment is taken for one with ports, as the kernel takes it; AH and ESP go
    /// with their key exchange.
    func tuple(in bytes: UnsafeMutableRawPointer) -> ConnectionTuple? {
        let isSecurity = protocolNumber == 50 || protocolNumber == 51
        guard isSecurity ? !isLaterFragment : hasPorts && transport + 4 <= end else { return nil }
        return unsafe ConnectionTuple(
            source: IPAddress(v4: bytes.be32(network + 12)),
            destination: IPAddress(v4: bytes.be32(network + 16)),
            ports: isSecurity ? Packet.keyExchangePorts : bytes.le32(transport),
            transport: isSecurity ? TransportProtocol.udp.rawValue : protocolNumber)
    }
}
