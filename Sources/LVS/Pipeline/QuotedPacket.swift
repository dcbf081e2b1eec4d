/// The packet that an ICMP error is about, as far as the error quotes it.
///
/// Offsets count from the frame's first byte and lie within the error; the version and the checksum
/// of a quoted header are not looked at, as the kernel does not (ipvs-semantics 6.5).
struct QuotedPacket {
    /// Where its network header begins.
    let network: Int
    /// Where its payload begins, behind IPv6 extension headers: what would be the ports.
    let transport: Int
    let isIPv6: Bool
    /// Behind the last byte that is quoted.
    let end: Int
    let protocolNumber: UInt8
    let hasDontFragment: Bool
    let isLaterFragment: Bool

    /// The packet of a family quoted from `offset` on, when at least its whole header is.
    init?(
        at offset: Int, end: Int, in bytes: UnsafeMutableRawPointer, family: AddressFamily = .v4
    ) {
        isIPv6 = family == .v6
        guard end - offset >= IPHeader.fixedLength(family) else { return nil }
        guard family == .v4 else {
            guard unsafe bytes.byte(offset) >> 4 == 6 else { return nil }
            var chain = unsafe HeaderChain(at: offset, end: end, in: bytes)
            var isLater = false
            while chain.isExtension, !isLater {
                isLater = (chain.fragmentField ?? 0) & 0xfff8 != 0
                guard chain.advance() else { return nil }
            }
            network = offset
            transport = chain.offset
            self.end = end
            protocolNumber = chain.number
            hasDontFragment = true
            isLaterFragment = isLater
            return
        }
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
    /// A quoted later fragment is taken for one with ports, as the kernel takes it with IPv4; AH and
    /// ESP go with their key exchange.
    func tuple(in bytes: UnsafeMutableRawPointer) -> ConnectionTuple? {
        let isSecurity = protocolNumber == 50 || protocolNumber == 51
        guard isSecurity ? !isLaterFragment : hasPorts && transport + 4 <= end,
            !isIPv6 || !isLaterFragment
        else { return nil }
        let header = unsafe header(in: bytes)
        return unsafe ConnectionTuple(
            source: header.source, destination: header.destination,
            ports: isSecurity ? Packet.keyExchangePorts : bytes.le32(transport),
            transport: isSecurity ? TransportProtocol.udp.rawValue : protocolNumber)
    }

    func header(in bytes: UnsafeMutableRawPointer) -> IPHeader {
        unsafe IPHeader(bytes + network, isIPv6: isIPv6)
    }
}
