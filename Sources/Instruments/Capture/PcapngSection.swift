/// What a section of a pcapng file has said so far: its byte order and its interfaces
/// (draft-ietf-opsawg-pcapng).
struct PcapngSection {
    /// An interface as the section's packets name it, by its place.
    struct Interface {
        /// Position in `CaptureReader.interfaces`.
        var index: Int
        var snapshotLength: UInt32
        var clock: PcapngClock
    }

    var order = ByteOrder.native
    var interfaces: [Interface] = []
    /// Positions in `CaptureReader.interfaces` of all of them.
    var positions: Set<Int> = []
}

/// What one unit of an interface's times is (options if_tsresol and if_tsoffset).
struct PcapngClock {
    private enum Unit {
        /// Nanoseconds in a unit.
        case long(UInt64)
        /// Units in a nanosecond; 0 for more than 64 bits hold.
        case short(UInt64)
        /// Halvings of a second.
        case binary(UInt8)
    }

    private let unit: Unit
    /// Seconds to add.
    private let offset: Int64

    /// Microseconds since 1970, which is what a file means that says nothing.
    static let usual = PcapngClock(resolution: 6, offset: 0)

    /// Takes the resolution as the file writes it: a power of ten, or of two with the highest bit set.
    init(resolution: UInt8, offset: Int64) {
        self.offset = offset
        func power(_ exponent: UInt8) -> UInt64 {
            exponent > 19 ? 0 : (0..<exponent).reduce(1) { product, _ in product * 10 }
        }
        if resolution & 0x80 != 0 {
            unit = .binary(resolution & 0x7f)
        } else if resolution <= 9 {
            unit = .long(power(9 - resolution))
        } else {
            unit = .short(power(resolution - 9))
        }
    }

    /// Nanoseconds since 1970; nil beyond what 64 bits hold.
    @inline(__always)
    func time(_ units: UInt64) -> Int64? {
        if case .long(let nanoseconds) = unit, offset == 0 {
            let (product, isTooMuch) = units.multipliedReportingOverflow(by: nanoseconds)
            return isTooMuch ? nil : Int64(exactly: product)
        }
        return rareTime(units)
    }

    @inline(never)
    private func rareTime(_ units: UInt64) -> Int64? {
        let whole: UInt128 =
            switch unit {
            case .long(let nanoseconds): UInt128(units) * UInt128(nanoseconds)
            case .short(let perNanosecond):
                perNanosecond == 0 ? 0 : UInt128(units / perNanosecond)
            case .binary(let halvings): (UInt128(units) * 1_000_000_000) >> UInt128(halvings)
            }
        return Int64(exactly: Int128(whole) + Int128(offset) * 1_000_000_000)
    }
}

/// A block of a pcapng file, whose bytes are all there and whose lengths agree.
///
/// ```
///  0      4              8              length - 4
///  | type | block length | body ...     | block length |
/// ```
struct PcapngBlock {
    /// Kinds of block that say something to us, or of which it is known that they do not.
    enum Kind: UInt32 {
        case section = 0x0a0d_0d0a
        case interface = 1
        case obsoletePacket = 2
        case simplePacket = 3
        case names = 4
        case statistics = 5
        case packet = 6
        case journal = 9
        case secrets = 10
        case custom = 0xbad
        case customLocal = 0x4000_0bad

        var isPacket: Bool {
            switch self {
            case .packet, .simplePacket, .obsoletePacket: true
            default: false
            }
        }
    }

    static let byteOrderMagic: UInt32 = 0x1a2b_3c4d
    /// A block without a body.
    static let leastBytes = 12

    /// Nil for a kind that is not listed.
    var kind: Kind?
    var type: UInt32
    var order: ByteOrder
    /// Of the whole block.
    var length: Int

    /// Walks through options from `offset` of the block on, up to the first that does not fit.
    func forEachOption(
        of bytes: UnsafeRawPointer, from offset: Int,
        _ body: (_ code: UInt16, _ value: UnsafeRawBufferPointer) -> Void
    ) {
        var position = offset
        let end = length - 4
        while position + 4 <= end {
            let code = unsafe order.u16(bytes, position)
            let count = unsafe Int(order.u16(bytes, position + 2))
            guard code != 0, position + 4 + count <= end else { return }
            unsafe body(code, UnsafeRawBufferPointer(start: bytes + position + 4, count: count))
            position += 4 + (count + 3) & ~3
        }
    }
}
