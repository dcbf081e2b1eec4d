/// An IPv4 or IPv6 address in 16 bytes.
///
/// Values are host order: `high` holds the first eight bytes of the address as a number. An IPv4
/// address is kept as its IPv4-mapped form (`::ffff:a.b.c.d`, RFC 4291 section 2.5.5.2); frames
/// that carry such a form on the wire never reach the engine's tables (see `Packet`).
package struct IPAddress: Hashable, Sendable {
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

    /// 0.0.0.0.
    package static let anyV4 = IPAddress(v4: 0)
    /// `::`.
    package static let anyV6 = IPAddress(high: 0, low: 0)

    /// In 127.0.0.0/8, or `::1`.
    package var isLoopback: Bool { isV4 ? v4 >> 24 == 127 : high == 0 && low == 1 }
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
