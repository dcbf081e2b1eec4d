internal import LVS

/// The file of `--state`: what a director remembers, a line an item.
///
///     swift-lvs state 1
///     1d7a5e02 setting expire_nodest_conn 1
///     90b2c3fe service 6 172.16.254.200 80 rr 0 0 4294967295 -
///     ...
///     5c0d9f11 end 27 8e3a1b40
///
/// Each line begins with its own checksum, so that of a damaged file the rest can still be trusted;
/// the last one has the number of lines before it and the checksum of all of them, so that none can
/// be missing unnoticed. It is for directors to read; people keep theirs in rules files.
package enum StateFile {
    private static let title = "swift-lvs state 1"

    /// The whole file.
    package static func bytes(of items: [StateItem]) -> [UInt8] {
        var bytes = Array("\(title)\n".utf8)
        for item in items { append(item.line, to: &bytes) }
        append("end \(items.count + 1) \(text(CRC32C.checksum(of: bytes[...])))", to: &bytes)
        return bytes
    }

    private static func append(_ line: String, to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.append(contentsOf: "00000000 ".utf8)
        bytes.append(contentsOf: line.utf8)
        let checksum = CRC32C.checksum(of: bytes[(start + 9)...])
        bytes.replaceSubrange(start..<start + 8, with: text(checksum).utf8)
        bytes.append(0x0a)
    }

    /// Eight digits.
    private static func text(_ checksum: UInt32) -> String {
        let digits = String(checksum, radix: 16)
        return String(repeating: "0", count: 8 - digits.utf8.count) + digits
    }

    /// What is wrong with a file, and where; lines count from 1.
    package struct Damage: Hashable, Sendable, CustomStringConvertible {
        package var line: Int
        package var text: String

        package init(line: Int, text: String) {
            self.line = line
            self.text = text
        }

        package var description: String { "line \(line): \(text)" }
    }

    /// What was read: items that can be trusted with their lines, and everything that is wrong.
    package struct Reading: Sendable {
        package var items: [(line: Int, item: StateItem)] = []
        package var damage: [Damage] = []

        package init() {}
    }

    /// Reads a file; nothing in it makes this fail.
    package static func read(_ bytes: [UInt8]) -> Reading {
        var reading = Reading()
        guard !bytes.isEmpty else {
            reading.damage = [Damage(line: 1, text: "the file is empty")]
            return reading
        }
        var number = 0
        var hasEnded = false
        var start = bytes.startIndex
        while start < bytes.endIndex {
            number += 1
            let end = bytes[start...].firstIndex(of: 0x0a)
            let line = bytes[start..<(end ?? bytes.endIndex)]
            if hasEnded {
                reading.note(number, "nothing may stand behind the end")
                break
            } else if end == nil {
                reading.note(number, "the line ends in the middle")
            } else if number == 1 {
                guard line.elementsEqual(title.utf8) else {
                    reading.note(number, "expected '\(title)'")
                    return reading
                }
            } else if let text = trusted(line, number, &reading) {
                if text.hasPrefix("end ") {
                    hasEnded = true
                    let all = Self.text(CRC32C.checksum(of: bytes[..<start]))
                    if text != "end \(number - 1) \(all)" {
                        reading.note(number, "lines before it are missing, changed or too many")
                    }
                } else {
                    take(text, number, &reading)
                }
            }
            start = end.map { $0 + 1 } ?? bytes.endIndex
        }
        if !hasEnded { reading.note(number, "the end of the file is missing") }
        return reading
    }

    /// The text of a line whose checksum holds.
    private static func trusted(
        _ line: ArraySlice<UInt8>, _ number: Int, _ reading: inout Reading
    ) -> String? {
        let text = line.dropFirst(9)
        guard line.count > 9,
            line.prefix(9).elementsEqual("\(Self.text(CRC32C.checksum(of: text))) ".utf8)
        else {
            reading.note(number, "the checksum does not hold")
            return nil
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func take(_ text: String, _ number: Int, _ reading: inout Reading) {
        do throws(StateLineMistake) {
            reading.items.append((number, try StateItem(text)))
        } catch {
            reading.note(number, "\(error.text): \(text)")
        }
    }
}

extension StateFile.Reading {
    fileprivate mutating func note(_ line: Int, _ text: String) {
        damage.append(StateFile.Damage(line: line, text: text))
    }
}
