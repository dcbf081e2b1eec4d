/// The checksum of SCTP, CRC32c (RFC 9260 appendix A): eight bytes a step by eight tables.
@safe
package struct CRC32C: @unchecked Sendable {
    /// Made with the first checksum and kept for good.
    private static let shared = CRC32C()
    /// The polynomial, lowest power in the highest bit.
    private static let polynomial: UInt32 = 0x82f6_3b78
    private static let tableCount = 8

    /// Table n, entry b: what the byte b does to the remainder n bytes later.
    private let tables: UnsafeMutablePointer<UInt32>

    private init() {
        let count = CRC32C.tableCount * 256
        unsafe tables = .allocate(capacity: count)
        unsafe tables.initialize(repeating: 0, count: count)
        for byte in 0..<256 {
            var remainder = UInt32(byte)
            for _ in 0..<8 {
                remainder = remainder >> 1 ^ (remainder & 1 != 0 ? CRC32C.polynomial : 0)
            }
            unsafe tables[byte] = remainder
        }
        for index in 256..<count {
            let before = unsafe tables[index - 256]
            unsafe tables[index] = before >> 8 ^ tables[Int(before & 0xff)]
        }
    }

    /// The checksum of `count` bytes, as the number that stands little-endian on the wire.
    package static func checksum(_ bytes: UnsafeMutableRawPointer, count: Int) -> UInt32 {
        unsafe ~shared.update(.max, bytes, count)
    }

    /// The checksum of any bytes.
    package static func checksum(of bytes: ArraySlice<UInt8>) -> UInt32 {
        unsafe bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return 0 }
            return unsafe checksum(UnsafeMutableRawPointer(mutating: base), count: buffer.count)
        }
    }

    /// Writes the checksum of an SCTP packet of `length` bytes, which hold a whole common header.
    static func writeSCTP(_ header: UnsafeMutableRawPointer, length: Int) {
        unsafe header.set(8, le32: 0)
        unsafe header.set(8, le32: checksum(header, count: length))
    }

    private func update(
        _ start: UInt32, _ bytes: UnsafeMutableRawPointer, _ count: Int
    ) -> UInt32 {
        var remainder = start
        var offset = 0
        while offset &+ 8 <= count {
            let word = unsafe bytes.le64(offset) ^ UInt64(remainder)
            remainder = 0
            for position in 0..<8 {
                let byte = Int(word >> UInt64(position &* 8) & 0xff)
                remainder ^= unsafe tables[(7 &- position) &* 256 &+ byte]
            }
            offset &+= 8
        }
        while offset < count {
            let byte = unsafe UInt32(bytes.byte(offset))
            remainder = unsafe remainder >> 8 ^ tables[Int((remainder ^ byte) & 0xff)]
            offset &+= 1
        }
        return remainder
    }
}
