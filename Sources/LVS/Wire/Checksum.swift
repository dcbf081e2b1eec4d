/// Ones'-complement arithmetic of Internet checksums (RFC 1071, RFC 1624).
///
/// Sums are taken over little-endian 16-bit words; RFC 1071 section 2(B) says why the byte order
/// does not matter as long as the field is read and written in the same order.
package enum Checksum {
    /// What decrementing the TTL adds to a sum: its byte is the low half of its word, and -1 is
    /// 0xfffe in ones' complement.
    static let decrementedTimeToLive: UInt32 = 0xfffe

    /// Folds a sum of 16-bit words into 16 bits.
    @inline(__always)
    static func fold(_ sum: UInt32) -> UInt16 {
        // Added to itself with the halves exchanged: the upper half is their sum with its carry.
        UInt16(truncatingIfNeeded: (sum &+ (sum << 16 | sum >> 16)) >> 16)
    }

    @inline(__always)
    static func fold(_ sum: UInt64) -> UInt16 {
        fold(UInt32(truncatingIfNeeded: (sum &+ (sum << 32 | sum >> 32)) >> 32))
    }

    /// The field of a complete checksum after `difference` was added to what it covers (RFC 1624,
    /// equation 3).
    @inline(__always)
    static func updated(_ field: UInt16, adding difference: UInt32) -> UInt16 {
        ~fold(UInt32(~field) &+ difference)
    }

    /// The field of a partial checksum, an uninverted pseudo-header sum, after `difference` was
    /// added to the pseudo-header.
    @inline(__always)
    static func updatedPartial(_ field: UInt16, adding difference: UInt32) -> UInt16 {
        fold(UInt32(field) &+ difference)
    }

    /// What to add to a sum when `old` becomes `new`: four words each.
    static func difference(from old: UInt64, to new: UInt64) -> UInt16 {
        fold(UInt32(fold(~old)) &+ UInt32(fold(new)))
    }

    /// What to add to a sum when `old` becomes `new`: two words each.
    static func difference(from old: UInt32, to new: UInt32) -> UInt16 {
        fold(UInt32(fold(~old)) &+ UInt32(fold(new)))
    }

    /// What to add to a sum when `old` becomes `new`; between families the mapped form serves for an
    /// IPv4 address, since what it has more counts as nothing.
    static func difference(from old: IPAddress, to new: IPAddress) -> UInt16 {
        if old.isV4, new.isV4 {
            return difference(from: old.v4.byteSwapped, to: new.v4.byteSwapped)
        }
        return fold(
            UInt32(difference(from: old.high.byteSwapped, to: new.high.byteSwapped))
                &+ UInt32(difference(from: old.low.byteSwapped, to: new.low.byteSwapped)))
    }

    /// The folded sum of `count` bytes; an odd last byte counts as the first of its word.
    package static func sum(_ bytes: UnsafeMutableRawPointer, count: Int) -> UInt16 {
        var total: UInt64 = 0
        var offset = 0
        while offset &+ 4 <= count {
            total &+= unsafe UInt64(bytes.le32(offset))
            offset &+= 4
        }
        if offset &+ 2 <= count {
            total &+= unsafe UInt64(bytes.le16(offset))
            offset &+= 2
        }
        if offset < count { total &+= unsafe UInt64(bytes.byte(offset)) }
        return fold(total)
    }

    /// Whether the checksum of an IPv4 header without options is right: all of it sums to ones.
    @inline(__always)
    static func isHeaderRight(_ header: UnsafeMutableRawPointer) -> Bool {
        let first = unsafe header.le64(0)
        let second = unsafe header.le64(8)
        let last = unsafe UInt64(header.le32(16))
        return fold(add(add(first, second), last)) == 0xffff
    }

    /// The sum of two with its carry added at the other end.
    @inline(__always)
    private static func add(_ left: UInt64, _ right: UInt64) -> UInt64 {
        let (sum, isCarried) = left.addingReportingOverflow(right)
        return sum &+ (isCarried ? 1 : 0)
    }

    /// Writes the checksum of an IPv4 header of `count` bytes.
    package static func writeHeader(_ header: UnsafeMutableRawPointer, count: Int) {
        unsafe header.set(10, le16: 0)
        unsafe header.set(10, le16: ~sum(header, count: count))
    }

    /// The uninverted pseudo-header sum of IPv4 (RFC 9293 section 3.1, RFC 768).
    static func pseudoHeader(addresses: UInt64, transport: UInt8, length: Int) -> UInt16 {
        let tail = UInt64(UInt16(transport).byteSwapped) &+ UInt64(UInt16(length).byteSwapped)
        return fold(UInt64(fold(addresses)) &+ tail)
    }

    /// The uninverted pseudo-header sum of the packet whose IP header, of either family, is at
    /// `network` (RFC 9293 section 3.1, RFC 768, RFC 8200 section 8.1).
    ///
    /// `length` is that of the transport header and all behind it, bytes.
    static func pseudoHeader(
        _ network: UnsafeMutableRawPointer, transport: UInt8, length: Int
    ) -> UInt16 {
        let isV6 = unsafe network.byte(0) >> 4 == 6
        let addresses = unsafe isV6 ? sum(network + 8, count: 32) : fold(network.le64(12))
        let tail = UInt64(UInt16(transport).byteSwapped) &+ UInt64(UInt32(length).byteSwapped)
        return fold(UInt64(addresses) &+ tail)
    }

    /// Whether the complete checksum of a packet with a pseudo-header is right.
    ///
    /// A UDP checksum of 0, which means none over IPv4, is not asked about here.
    package static func isTransportRight(
        _ header: UnsafeMutableRawPointer, length: Int, network: UnsafeMutableRawPointer,
        transport: UInt8
    ) -> Bool {
        let pseudo = unsafe pseudoHeader(network, transport: transport, length: length)
        return unsafe fold(UInt32(pseudo) &+ UInt32(sum(header, count: length))) == 0xffff
    }

    /// Writes the complete checksum of the TCP, UDP or ICMPv6 packet at `header`, whose IP header, of
    /// either family, is at `network`; a UDP result of 0 is written as 0xffff (RFC 768).
    package static func writeTransport(
        _ header: UnsafeMutableRawPointer, length: Int, network: UnsafeMutableRawPointer,
        transport: UInt8
    ) {
        let field = transport == 6 ? 16 : transport == 58 ? 2 : 6
        unsafe header.set(field, le16: 0)
        let pseudo = unsafe pseudoHeader(network, transport: transport, length: length)
        let sum = unsafe ~fold(UInt32(pseudo) &+ UInt32(sum(header, count: length)))
        unsafe header.set(field, le16: sum == 0 && transport == 17 ? 0xffff : sum)
    }

    /// Writes the complete checksum of the TCP or UDP packet at `header`; a UDP result of 0 is
    /// written as 0xffff (RFC 768).
    package static func writeTransport(
        _ header: UnsafeMutableRawPointer, length: Int, addresses: UInt64, transport: UInt8
    ) {
        let field = transport == 6 ? 16 : 6
        unsafe header.set(field, le16: 0)
        let pseudo = pseudoHeader(addresses: addresses, transport: transport, length: length)
        let sum = unsafe ~fold(UInt32(pseudo) &+ UInt32(sum(header, count: length)))
        unsafe header.set(field, le16: sum == 0 && transport == 17 ? 0xffff : sum)
    }
}
