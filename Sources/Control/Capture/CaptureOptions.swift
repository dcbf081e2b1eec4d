/// The options of `directorctl capture`; every other word is the filter's.
///
///     capture [FILTER] --write FILE [--packets N] [--bytes N[K|M|G]] [--seconds N] [--snap N]
struct CaptureOptions: Equatable {
    /// Where the capture goes; `-` is standard output.
    var path = ""
    /// Ends after so long; nil goes on until something else ends it.
    var seconds: Double?
    var request = CaptureRequest()

    init(_ words: [String]) throws(CommandError) {
        var rest = words[...]
        var filter: [String] = []
        while let word = rest.popFirst() {
            guard word.hasPrefix("-") else {
                // A filter in one word has several in it.
                filter += word.split(separator: " ").map(String.init)
                continue
            }
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard ["--write", "--packets", "--bytes", "--seconds", "--snap"].contains(name) else {
                throw .line(
                    "capture: unexpected argument \(word); known: [FILTER] --write FILE, "
                        + "--packets N, --bytes N[K|M|G], --seconds N, --snap BYTES")
            }
            guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst() else {
                throw .option(name, "missing argument")
            }
            try take(name, value)
        }
        guard !path.isEmpty else {
            throw .line("capture needs --write FILE; '-' is standard output")
        }
        // Words that begin like the numbers of a request are none of a filter's.
        request.filter = filter.joined(separator: " ")
    }

    private mutating func take(_ name: String, _ value: String) throws(CommandError) {
        switch name {
        case "--write":
            guard !value.isEmpty else { throw .line("--write: a file has a name") }
            path = value
        case "--packets":
            let range = CaptureRequest.packetRange
            guard let number = Int(value), range.contains(number) else {
                throw Self.outside(name, value, range)
            }
            request.packets = number
        case "--bytes":
            let range = CaptureRequest.byteRange
            guard let number = Self.bytes(value), range.contains(number) else {
                throw Self.outside(name, value, range, "; K, M and G behind it are thousands")
            }
            request.bytes = number
        case "--snap":
            let range = CaptureRequest.snapRange
            guard let number = Int(value), range.contains(number) else {
                throw Self.outside(name, value, range)
            }
            request.snap = number
        default:
            guard let number = Double(value), (0.1...86_400).contains(number) else {
                throw .line("--seconds: '\(value)' is not a number of seconds from 0.1 to 86400")
            }
            seconds = number
        }
    }

    private static func outside<Number>(
        _ name: String, _ value: String, _ range: ClosedRange<Number>, _ more: String = ""
    ) -> CommandError {
        .line(
            "\(name): '\(value)' is not a number from \(range.lowerBound) to "
                + "\(range.upperBound)\(more)")
    }

    /// A number of bytes; K, M and G behind it multiply by thousands.
    private static func bytes(_ text: String) -> UInt64? {
        let units: [Character: UInt64] = ["K": 1000, "M": 1_000_000, "G": 1_000_000_000]
        let unit = text.last.flatMap { units[$0] }
        guard let number = UInt64(unit == nil ? text[...] : text.dropLast()) else { return nil }
        let (bytes, isTooLarge) = number.multipliedReportingOverflow(by: unit ?? 1)
        return isTooLarge ? nil : bytes
    }
}
