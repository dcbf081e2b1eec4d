/// The SIP persistence engine: datagrams of one call are kept on one server (ipvs-semantics 5.6).
package enum SIP {
    /// Longest Call-ID that is told apart, bytes; longer ones are none at all.
    package static let longestCallID = 255

    /// Where the value of the Call-ID header of a message lies (RFC 3261 section 20.8); nil when there
    /// is none that counts.
    ///
    /// The header stands in a line of its own that is not the first, in its long or its compact form,
    /// and its value is `word` or `word@word` with the end of the line behind it.
    package static func callID(in text: some ByteText) -> Range<Int>? {
        var start = 0
        while true {
            switch header(in: text, from: start) {
            case .absent: return nil
            case .empty(let position):
                // As the kernel goes on: by the distance from the beginning of the message.
                start += Swift.max(position, 1)
            case .value(let range):
                guard range.count <= longestCallID, range.upperBound < text.count,
                    isLineEnd(text[range.upperBound])
                else { return nil }
                return range
            }
        }
    }

    /// What the search for a header found.
    private enum Found {
        case absent
        /// A header whose value is not one of a Call-ID, and where that would begin.
        case empty(Int)
        case value(Range<Int>)
    }

    private static func header(in text: some ByteText, from start: Int) -> Found {
        var position = start
        while position < text.count {
            guard isLineEnd(text[position]) else {
                position += 1
                continue
            }
            let line = behindLineEnd(text, position)
            guard line < text.count else { return .absent }
            // The search goes on behind the line's first byte, even when that is the end of a line.
            position = line + 1
            guard !isBlank(text[line]), let name = nameLength(text, line) else { continue }
            guard let colon = skipBlanks(text, line + name), colon < text.count,
                text[colon] == UInt8(ascii: ":"), colon + 1 < text.count,
                let value = skipBlanks(text, colon + 1)
            else { return .absent }
            let length = callIDLength(text, value)
            return length == 0 ? .empty(value) : .value(value..<value + length)
        }
        return .absent
    }

    /// Length of the header's name at a position; nil when it is another header.
    ///
    /// The compact form must not be the beginning of a longer name.
    private static func nameLength(_ text: some ByteText, _ position: Int) -> Int? {
        if Text.begins(text, at: position, with: "Call-ID") { return 7 }
        guard position + 2 <= text.count, Text.begins(text, at: position, with: "i"),
            !Text.isLetter(text[position + 1])
        else { return nil }
        return 1
    }

    /// The first byte behind spaces, which may be those of a continued line; nil when the line ends
    /// and is not continued.
    private static func skipBlanks(_ text: some ByteText, _ start: Int) -> Int? {
        var position = start
        while position < text.count, text[position] == UInt8(ascii: " ") { position += 1 }
        guard position < text.count, isLineEnd(text[position]) else { return position }
        position = behindLineEnd(text, position)
        guard position < text.count, isBlank(text[position]) else { return nil }
        while position < text.count, isBlank(text[position]) { position += 1 }
        return position
    }

    /// Length of `word [ "@" word ]`; 0 when there is none, or nothing behind the at sign.
    private static func callIDLength(_ text: some ByteText, _ start: Int) -> Int {
        let length = wordLength(text, start)
        let at = start + length
        guard length != 0, at < text.count, text[at] == UInt8(ascii: "@") else { return length }
        let domain = wordLength(text, at + 1)
        return domain == 0 ? 0 : length + 1 + domain
    }

    private static func wordLength(_ text: some ByteText, _ start: Int) -> Int {
        var position = start
        while position < text.count, isWord(text[position]) { position += 1 }
        return position - start
    }

    /// A character of `word` (RFC 3261 section 25.1).
    private static func isWord(_ byte: UInt8) -> Bool {
        if Text.isLetter(byte) || Text.isDigit(byte) { return true }
        switch Unicode.Scalar(byte) {
        case "-", ".", "!", "%", "*", "_", "+", "`", "'", "~", "(", ")", "<", ">", ":", "\\",
            "\"", "/", "[", "]", "?", "{", "}":
            return true
        default: return false
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }

    private static func isLineEnd(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n")
    }

    /// The byte behind the line end at a position: CR, LF, or both.
    private static func behindLineEnd(_ text: some ByteText, _ position: Int) -> Int {
        let next = position + 1
        let isPair =
            next < text.count && text[position] == UInt8(ascii: "\r")
            && text[next] == UInt8(ascii: "\n")
        return isPair ? next + 1 : next
    }
}
