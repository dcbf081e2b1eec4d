/// Generic routing encapsulation as IPVS sends it (ipvs-semantics 6.4, RFC 2784): four bytes, eight
/// with a checksum.
struct GRE: Hashable {
    static let protocolNumber: UInt8 = 47

    private static let hasChecksum: UInt16 = 0x8000
    private static let typeOfIPv4: UInt16 = 0x0800
    private static let typeOfIPv6: UInt16 = 0x86dd

    var flags: TunnelFlags

    var length: Int { flags.contains(.checksum) ? 8 : 4 }

    func write(before inner: InnerPacket) {
        let header = unsafe inner.bytes - length
        let sums = flags.contains(.checksum)
        unsafe header.set(0, be16: sums ? GRE.hasChecksum : 0)
        unsafe header.set(2, be16: inner.isIPv6 ? GRE.typeOfIPv6 : GRE.typeOfIPv4)
        guard sums else { return }
        unsafe header.set(4, be32: 0)
        unsafe header.set(4, le16: ~Checksum.sum(header, count: length + inner.length))
    }

    /// See `Encapsulation.quoted`: version 0 with no option but the checksum.
    static func quoted(
        by outer: QuotedPacket, in bytes: UnsafeMutableRawPointer
    ) -> (encapsulation: Encapsulation, inner: Int)? {
        let header = outer.transport
        guard header + 4 <= outer.end else { return nil }
        let options = unsafe bytes.be16(header)
        guard options & ~GRE.hasChecksum == 0,
            unsafe bytes.be16(header + 2) == GRE.typeOfIPv4
        else { return nil }
        return (.gre(GRE(flags: [])), header + (options == 0 ? 4 : 8))
    }
}
