/// Generic UDP encapsulation as IPVS sends it (ipvs-semantics 6.4): a UDP header and four bytes of
/// GUE, eight more when the real server has to finish the checksum of the packet inside.
///
/// ```
///  0  source port, by flow | destination port      UDP
///  4  length | checksum, 0 for none
///  8  version 0, header words | protocol | flags   GUE
/// 12  private flags                                with a remote checksum only
/// 16  start of the sum | its field                 both from the packet inside on
/// ```
struct GUE: Hashable {
    static let protocolNumber: UInt8 = 17
    static let length = 12
    /// With the option of a remote checksum.
    static let longLength = 20

    private static let hasPrivateFlags: UInt16 = 1
    private static let remoteChecksum: UInt32 = 0x8000_0000
    /// Source ports are spread over the kernel's range of local ports, its last one excepted
    /// (`ip_local_port_range`).
    private static let sourcePorts: (first: UInt32, count: UInt64) = (32_768, 28_231)

    /// Where the real server listens, host order.
    var port: UInt16
    var flags: TunnelFlags

    func write(before inner: InnerPacket, addresses: UInt16) {
        let partial = flags.contains(.remoteChecksum) ? inner.partial : nil
        let size = partial == nil ? GUE.length : GUE.longLength
        let header = unsafe inner.bytes - size
        let total = size + inner.length
        let source =
            GUE.sourcePorts.first
            + UInt32((UInt64(inner.flowHash) * GUE.sourcePorts.count) >> 32)
        unsafe header.set(0, be16: UInt16(truncatingIfNeeded: source))
        unsafe header.set(2, be16: port)
        unsafe header.set(4, be16: UInt16(truncatingIfNeeded: total))
        unsafe header.set(6, be16: 0)
        unsafe header.set(8, byte: UInt8((size - GUE.length) / 4))
        unsafe header.set(9, byte: inner.protocolNumber)
        unsafe header.set(10, be16: partial == nil ? 0 : GUE.hasPrivateFlags)
        if let partial {
            unsafe header.set(12, be32: GUE.remoteChecksum)
            unsafe header.set(16, be16: UInt16(truncatingIfNeeded: partial.start))
            unsafe header.set(
                18, be16: UInt16(truncatingIfNeeded: partial.start + partial.field))
        }
        // Without either flag the sum stays 0: none (RFC 768, RFC 6935).
        guard !flags.isEmpty else { return }
        let pseudo =
            UInt64(addresses) + UInt64(UInt16(GUE.protocolNumber).byteSwapped)
            + UInt64(UInt16(truncatingIfNeeded: total).byteSwapped)
        let sum = unsafe ~Checksum.fold(pseudo + UInt64(Checksum.sum(header, count: total)))
        unsafe header.set(6, le16: sum == 0 ? 0xffff : sum)
    }

    /// See `Encapsulation.quoted`: data messages of version 0.
    static func quoted(
        by outer: QuotedPacket, in bytes: UnsafeMutableRawPointer
    ) -> (encapsulation: Encapsulation, inner: Int)? {
        let header = outer.transport
        guard header + length <= outer.end, unsafe bytes.byte(header + 8) & 0xe0 == 0,
            unsafe bytes.byte(header + 9) == InnerPacket.protocolOfIPv4
        else { return nil }
        let words = unsafe Int(bytes.byte(header + 8) & 0x1f)
        let port = unsafe bytes.be16(header + 2)
        return (.gue(GUE(port: port, flags: [])), header + length + words * 4)
    }
}
