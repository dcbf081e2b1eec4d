/// Where the packet went that an ICMP error is about, read as a packet filter can read it: at fixed
/// places of the quote (see `ServedTraffic`).
struct QuotedDestination {
    var address: IPAddress
    /// Transport, and port in host order; nil when they are not at their usual places, behind options
    /// or extension headers.
    var endpoint: (transport: TransportProtocol, port: UInt16)?
}

extension Packet {
    /// What an ICMP error quotes; nil when too little is quoted.
    var quotedDestination: QuotedDestination? {
        guard kind == .icmpError else { return nil }
        let quote = Int(transportOffset) + 8
        let end = Int(networkOffset) + Int(ipLength)
        let header = isIPv6 ? 40 : 20
        guard end - quote >= header else { return nil }
        let address =
            unsafe isIPv6
            ? IPAddress(wireHigh: bytes.be64(quote + 24), low: bytes.be64(quote + 32))
            : IPAddress(v4: bytes.be32(quote + 16))
        let transport = unsafe bytes.byte(quote + (isIPv6 ? 6 : 9))
        let isPlain =
            unsafe isIPv6
            ? !Packet.isExtension(transport) : bytes.byte(quote) == 0x45
        guard isPlain else { return QuotedDestination(address: address, endpoint: nil) }
        guard end - quote >= header + 4 else { return nil }
        return unsafe QuotedDestination(
            address: address,
            endpoint: (TransportProtocol(rawValue: transport), bytes.be16(quote + header + 2)))
    }

    /// Hop-by-hop options, routing, fragment and destination options (RFC 8200 section 4).
    private static func isExtension(_ number: UInt8) -> Bool {
        number == 0 || number == 43 || number == 44 || number == 60
    }
}
