/// SipHash with one round for each block and three at the end (Aumasson and Bernstein, "SipHash: a
/// fast short-input PRF"), as far as mh and persistence engines need it.
package struct SipHash13 {
    private var v0: UInt64
    private var v1: UInt64
    private var v2: UInt64
    private var v3: UInt64

    /// Hash of the four bytes of a number, least significant first; both words of the hash's key are
    /// `key`, and of the 64 bits the lower half is kept (ipvs-semantics 2.9).
    package static func hash(_ value: UInt32, key: UInt64) -> UInt32 {
        var state = SipHash13(key: (key, key))
        state.finish(block: 4 << 56 | UInt64(value))
        return UInt32(truncatingIfNeeded: state.v0 ^ state.v1 ^ state.v2 ^ state.v3)
    }

    /// Hash of a part of a text.
    static func hash(_ text: some ByteText, _ range: Range<Int>, key: (UInt64, UInt64)) -> UInt64 {
        var state = SipHash13(key: key)
        var block: UInt64 = 0
        var filled: UInt64 = 0
        for index in range {
            block |= UInt64(text[index]) << filled
            filled += 8
            if filled == 64 {
                state.take(block)
                block = 0
                filled = 0
            }
        }
        state.finish(block: UInt64(range.count & 0xff) << 56 | block)
        return state.v0 ^ state.v1 ^ state.v2 ^ state.v3
    }

    /// Hash of four words.
    static func hash(
        _ words: (UInt64, UInt64, UInt64, UInt64), key: (UInt64, UInt64)
    ) -> UInt64 {
        var state = SipHash13(key: key)
        state.take(words.0)
        state.take(words.1)
        state.take(words.2)
        state.take(words.3)
        state.finish(block: 32 << 56)
        return state.v0 ^ state.v1 ^ state.v2 ^ state.v3
    }

    private init(key: (UInt64, UInt64)) {
        v0 = 0x736f_6d65_7073_6575 ^ key.0
        v1 = 0x646f_7261_6e64_6f6d ^ key.1
        v2 = 0x6c79_6765_6e65_7261 ^ key.0
        v3 = 0x7465_6462_7974_6573 ^ key.1
    }

    private mutating func take(_ block: UInt64) {
        v3 ^= block
        round()
        v0 ^= block
    }

    /// Takes the last block, whose top byte is the length of the input.
    private mutating func finish(block: UInt64) {
        take(block)
        v2 ^= 0xff
        for _ in 0..<3 { round() }
    }

    private mutating func round() {
        v0 &+= v1
        v1 = Self.rotate(v1, 13) ^ v0
        v0 = Self.rotate(v0, 32)
        v2 &+= v3
        v3 = Self.rotate(v3, 16) ^ v2
        v0 &+= v3
        v3 = Self.rotate(v3, 21) ^ v0
        v2 &+= v1
        v1 = Self.rotate(v1, 17) ^ v2
        v2 = Self.rotate(v2, 32)
    }

    private static func rotate(_ word: UInt64, _ bits: UInt64) -> UInt64 {
        word << bits | word >> (64 - bits)
    }
}
