import Foundation
import Testing

/// Messages that the master daemon of Linux 6.1.176 sent (Fixtures/README.md).
enum Recorded {
    /// Name of the recording and number of the message, and the datagram's payload.
    static func messages() throws -> [(name: String, bytes: [UInt8])] {
        let path = Bundle.module.bundlePath + "/Fixtures/messages.txt"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        return try text.split(separator: "\n").map { line in
            let words = line.split(separator: " ")
            try #require(words.count == 2, "\(line)")
            return (String(words[0]), try bytes(words[1]))
        }
    }

    private static func bytes(_ text: Substring) throws -> [UInt8] {
        let digits = Array(text)
        return try stride(from: 0, to: digits.count - 1, by: 2).map { index in
            try #require(UInt8(String(digits[index...index + 1]), radix: 16), "\(text)")
        }
    }
}
