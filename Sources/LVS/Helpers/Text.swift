/// Bytes that are meant to be text, counted from 0: a packet's payload, or an array in a test.
package protocol ByteText: RandomAccessCollection where Element == UInt8, Index == Int {}

extension Payload: ByteText {}
extension Array: ByteText where Element == UInt8 {}

/// What helpers ask of text.
enum Text {
    /// True when the text has this word at a position, whatever the case of its letters.
    static func begins(_ text: some ByteText, at start: Int, with word: StaticString) -> Bool {
        guard start >= 0, text.count - start >= word.utf8CodeUnitCount else { return false }
        var position = start
        for letter in word.description.utf8 {
            guard lowercased(text[position]) == lowercased(letter) else { return false }
            position += 1
        }
        return true
    }

    static func position(of byte: UInt8, in text: some ByteText, from start: Int) -> Int? {
        var position = start
        while position < text.count {
            if text[position] == byte { return position }
            position += 1
        }
        return nil
    }

    static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// A letter of ISO 8859-1, which is the kernel's idea of one.
    static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(lowercased(byte))
            || (byte >= 0xc0 && byte != 0xd7 && byte != 0xf7)
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    /// The address of this family that a part of the text is.
    ///
    /// Unlike elsewhere the parts of an IPv4 address may begin with zeros; they are decimal all the
    /// same.
    static func address(
        _ text: some ByteText, _ range: Range<Int>, family: AddressFamily
    ) -> IPAddress? {
        guard family == .v4 else {
            // The longest form has 45 characters.
            guard range.count <= 45 else { return nil }
            let address = IPAddress(parsing: String(decoding: text[range], as: UTF8.self))
            return address?.isV4 == false ? address : nil
        }
        var value: UInt32 = 0
        var part: UInt32?
        var parts = 1
        for byte in text[range] {
            if isDigit(byte) {
                let number = (part ?? 0) * 10 + UInt32(byte - UInt8(ascii: "0"))
                guard number <= 255 else { return nil }
                part = number
            } else {
                guard byte == UInt8(ascii: "."), let number = part, parts < 4 else { return nil }
                value = value << 8 | number
                part = nil
                parts += 1
            }
        }
        guard let number = part, parts == 4 else { return nil }
        return IPAddress(v4: value << 8 | number)
    }
}
