/// What a capture takes, as a client asks for it and a director reads it: words of the form
/// `NAME=NUMBER` and then the filter.
///
///     packets=1000 bytes=10000000 snap=262144 tcp port 80
package struct CaptureRequest: Hashable, Sendable {
    /// Most packets that come in.
    package var packets = 1000
    /// Most bytes of the file.
    package var bytes: UInt64 = 10_000_000
    /// First bytes of each frame that are kept.
    package var snap = CaptureRequest.snapRange.upperBound
    /// As for `explain --next`; no words take every packet.
    package var filter = ""

    package static let packetRange = 1...1_000_000_000
    package static let byteRange: ClosedRange<UInt64> = 10_000...1_000_000_000_000
    package static let snapRange = 64...262_144

    package init() {}

    var text: String { "packets=\(packets) bytes=\(bytes) snap=\(snap) \(filter)" }

    /// Reads what a client sent.
    init(_ text: String) throws(Refusal) {
        var words = text.split(separator: " ")[...]
        packets = try Self.take("packets", Self.packetRange, &words)
        bytes = try Self.take("bytes", Self.byteRange, &words)
        snap = try Self.take("snap", Self.snapRange, &words)
        filter = words.joined(separator: " ")
    }

    private static func take<Number: FixedWidthInteger>(
        _ name: String, _ range: ClosedRange<Number>, _ words: inout ArraySlice<Substring>
    ) throws(Refusal) -> Number {
        guard let word = words.popFirst(), word.hasPrefix("\(name)="),
            let number = Number(word.dropFirst(name.utf8.count + 1)), range.contains(number)
        else {
            throw Refusal(
                .invalid,
                "a capture begins with packets=, bytes= and snap=; \(name) is accepted from "
                    + "\(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}

/// How far a capture has come, which travels as a line of words.
///
///     capture 1 PACKETS FRAMES BYTES LOST going|packets|bytes|stopped
package struct CaptureState: Hashable, Sendable {
    /// Why a director captures no more.
    package enum End: String, Sendable {
        case packets, bytes, stopped
    }

    /// Packets that came in and are in the file.
    package var packets: UInt64
    /// Frames in it that left because of them.
    package var frames: UInt64
    package var bytes: UInt64
    /// Packets, and frames that left, which the director had no room for.
    package var lost: UInt64
    /// nil as long as the capture goes on.
    package var end: End?

    package init(packets: UInt64, frames: UInt64, bytes: UInt64, lost: UInt64, end: End?) {
        self.packets = packets
        self.frames = frames
        self.bytes = bytes
        self.lost = lost
        self.end = end
    }

    var text: String {
        "capture 1 \(packets) \(frames) \(bytes) \(lost) \(end?.rawValue ?? "going")\n"
    }

    /// Reads what a director told; nil when it is something else.
    init?(_ text: String) {
        let words = text.split { $0 == " " || $0 == "\n" }
        guard words.count == 7, words[0] == "capture", words[1] == "1",
            let packets = UInt64(words[2]), let frames = UInt64(words[3]),
            let bytes = UInt64(words[4]), let lost = UInt64(words[5])
        else { return nil }
        let end = End(rawValue: String(words[6]))
        guard end != nil || words[6] == "going" else { return nil }
        self.init(packets: packets, frames: frames, bytes: bytes, lost: lost, end: end)
    }
}
