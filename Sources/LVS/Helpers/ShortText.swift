/// Some bytes without memory of their own: what is written into a packet.
package struct ShortText {
    /// A line of the PROXY protocol has 107 at most.
    private var bytes: InlineArray<112, UInt8> = InlineArray(repeating: 0)
    package private(set) var count = 0

    package init() {}

    /// The byte at an index, 0 behind the last.
    package subscript(index: Int) -> UInt8 { index < count ? bytes[index] : 0 }

    /// Bytes beyond the 112th are left out.
    mutating func append(byte: UInt8) {
        guard count < bytes.count else { return }
        bytes[count] = byte
        count += 1
    }

    mutating func append(_ word: StaticString) {
        for byte in word.description.utf8 { append(byte: byte) }
    }

    /// In network order.
    mutating func append(be16 value: UInt16) {
        append(byte: UInt8(value >> 8))
        append(byte: UInt8(value & 0xff))
    }

    /// The four or sixteen bytes of an address.
    mutating func append(wireBytesOf address: IPAddress) {
        guard !address.isV4 else {
            append(be16: UInt16(address.v4 >> 16))
            append(be16: UInt16(address.v4 & 0xffff))
            return
        }
        for index in 0..<8 { append(be16: address.group(index)) }
    }

    /// An address as people write it, the IPv6 form of RFC 5952.
    mutating func append(_ address: IPAddress) {
        guard !address.isV4 else {
            for shift in [24, 16, 8, 0] as [UInt32] {
                append(decimal: UInt16(address.v4 >> shift & 0xff))
                if shift != 0 { append(".") }
            }
            return
        }
        let gap = address.longestRunOfZeros
        var index = 0
        while index < 8 {
            if index == gap.lowerBound, gap.count > 1 {
                append("::")
                index = gap.upperBound
                continue
            }
            if index != 0, !(gap.count > 1 && index == gap.upperBound) { append(":") }
            append(hexadecimal: address.group(index))
            index += 1
        }
    }

    mutating func append(decimal number: UInt16) { append(number, base: 10, from: 10_000) }

    private mutating func append(hexadecimal number: UInt16) {
        append(number, base: 16, from: 0x1000)
    }

    /// A number without zeros in front; `first` is the weight of the first possible digit.
    private mutating func append(_ number: UInt16, base: UInt16, from first: UInt16) {
        var divisor = first
        while divisor > 1, number / divisor == 0 { divisor /= base }
        while divisor != 0 {
            let digit = UInt8(number / divisor % base)
            append(byte: digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            divisor /= base
        }
    }
}
