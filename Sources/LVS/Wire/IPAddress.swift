/// An IPv4 or IPv6 address in 16 bytes.
///
/// Values are host order: `high` holds the first eight bytes of the address as a number. An IPv4
/// address is kept as its IPv4-mapped form (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2). An IPv6
/// header that carries such a form means another address all the same; see `init(wireHigh:low:)`.
package struct IPAddress: Hashable, Sendable, BitwiseCopyable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// The IPv4 address with this value, host order (10.1.0.2 is 0x0a010002).
    package init(v4 value: UInt32) {
        self.init(high: 0, low: 0xffff_0000_0000 | UInt64(value))
    }

    /// The address that an IPv6 header carries as these two numbers.
    ///
    /// What is IPv4-mapped there trades places with the same under `ffff:ffff:ffff:ffff::/64`, which
    /// is multicast of no scope and nobody's address, so that it is not taken for IPv4.
    package init(wireHigh: UInt64, low: UInt64) {
        self.init(high: IPAddress.trade(wireHigh, low), low: low)
    }

    /// The first half of what an IPv6 header carries for this address; the second is `low`.
    package var wireHigh: UInt64 { IPAddress.trade(high, low) }

    /// What a header carries for it, network order: 4 bytes or 16.
    package var wireBytes: [UInt8] {
        let bytes = [wireHigh, low].flatMap { half in
            stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: half >> $0) }
        }
        return isV4 ? bytes.suffix(4) : bytes
    }

    private static func trade(_ high: UInt64, _ low: UInt64) -> UInt64 {
        low >> 32 == 0xffff && (high == 0 || high == .max) ? ~high : high
    }

    /// 0.0.0.0.
    package static let anyV4 = IPAddress(v4: 0)
    /// `::`.
    package static let anyV6 = IPAddress(high: 0, low: 0)

    /// In 127.0.0.0/8, or `::1`.
    package var isLoopback: Bool { isV4 ? v4 >> 24 == 127 : high == 0 && low == 1 }
    /// In 224.0.0.0/4, or `ff00::/8`.
    package var isMulticast: Bool { isV4 ? v4 >> 28 == 0xe : wireHigh >> 56 == 0xff }
    /// One host's: neither 0.0.0.0, `::`, multicast nor broadcast.
    var isUnicast: Bool {
        isV4 ? v4 != 0 && v4 >> 28 < 0xe : self != .anyV6 && !isMulticast
    }
    /// For IPv6: neither multicast, `::`, IPv4-mapped nor link-local.
    var isGlobalUnicast: Bool {
        let first = wireHigh >> 48
        let isMapped = wireHigh == 0 && low >> 32 == 0xffff
        return self != .anyV6 && !isMulticast && !isMapped && first & 0xffc0 != 0xfe80
    }
    /// The same address with all bits behind the first `length` of its family 0.
    package func prefix(_ length: UInt8) -> IPAddress {
        if isV4 { return IPAddress(v4: length == 0 ? 0 : v4 & UInt32.max << UInt32(32 - length)) }
        let all = UInt128(wireHigh) << 64 | UInt128(low)
        let kept = length == 0 ? 0 : all & UInt128.max << UInt128(128 - length)
        return IPAddress(
            wireHigh: UInt64(truncatingIfNeeded: kept >> 64), low: UInt64(truncatingIfNeeded: kept))
    }
    package var isV4: Bool { high == 0 && low >> 32 == 0xffff }
    package var family: AddressFamily { isV4 ? .v4 : .v6 }

    /// The IPv4 value in host order; the last four bytes of an IPv6 address.
    package var v4: UInt32 { UInt32(truncatingIfNeeded: low) }
}

/// Which of the two network protocols an address or a service belongs to.
package enum AddressFamily: UInt8, Hashable, Sendable {
    case v4 = 4
    case v6 = 6
}
