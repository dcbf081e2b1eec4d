internal import Posix

/// `directorctl capture`: asks the director for finished blocks of a capture file and stores them.
struct CaptureSession {
    /// Lets time pass; false when the user has seen enough.
    typealias Pause = (_ seconds: Double) -> Bool

    /// Seconds between two questions where nothing came.
    private static let askingSeconds = 0.1
    /// Answers of so many bytes are followed by the next question at once.
    private static let manyBytes = 100_000

    let options: CaptureOptions
    let table: any DirectorTable
    let pause: Pause
    let nanoseconds: () -> UInt64

    /// Captures until something ends that; what was captured, in words.
    ///
    /// The file holds whole blocks only, also when this throws.
    func run() throws(CommandError) -> String {
        // A terminal is refused before anything begins; other files are made once the director agrees.
        if options.path == "-" { _ = try BlockFile(options.path) }
        try ask { () throws(Refusal) in
            try table.capture("start", options.request.text)
        }
        let file = try BlockFile(options.path)
        let began = nanoseconds()
        var state: CaptureState?
        var reason: String?
        do throws(CommandError) {
            while true {
                let taken = try store(in: file)
                let now = try askState()
                state = now
                if let end = now.end {
                    // The blocks from before the end may have come after the last question.
                    if taken == 0 {
                        return "\(summary(now, file)); ended by \(reason ?? Self.words(for: end))\n"
                    }
                    continue
                }
                let seconds = Double(nanoseconds() &- began) / 1e9
                let isOver = options.seconds.map { seconds >= $0 } ?? false
                let isMuch = taken >= Self.manyBytes
                if isOver || !pause(isMuch ? 0 : rest(after: seconds)) {
                    reason = isOver ? "--seconds" : "a signal"
                    try ask { () throws(Refusal) in try table.capture("stop", "") }
                }
            }
        } catch {
            guard let state else { throw error }
            let text = "the capture broke off: \(error.text)\nuntil then: \(summary(state, file))"
            throw CommandError(status: 1, text: text, endsRestore: false)
        }
    }

    private func rest(after seconds: Double) -> Double {
        min(Self.askingSeconds, max(0, (options.seconds ?? .infinity) - seconds))
    }

    /// Stores what the director has now; how many bytes came.
    private func store(in file: BlockFile) throws(CommandError) -> Int {
        var count = 0
        var failure: CommandError?
        try ask { () throws(Refusal) in
            try table.read("capture") { piece in
                count += piece.count
                guard failure == nil else { return }
                do throws(CommandError) {
                    try file.take(piece)
                } catch {
                    failure = error
                }
            }
        }
        if let failure { throw failure }
        return count
    }

    private func askState() throws(CommandError) -> CaptureState {
        let text = try ask { () throws(Refusal) in try table.text("capture.state") }
        guard let state = CaptureState(text) else {
            throw Self.failure(
                "the director's answer is not understood: '\(text.prefix(80).filter { $0 != "\n" })'"
            )
        }
        return state
    }

    private func ask<Answer>(
        _ request: () throws(Refusal) -> Answer
    ) throws(CommandError) -> Answer {
        do throws(Refusal) {
            return try request()
        } catch {
            throw CommandError(status: 255, text: error.ownWords, endsRestore: false)
        }
    }

    private static func failure(_ text: String) -> CommandError {
        CommandError(status: 1, text: text, endsRestore: false)
    }

    private static func words(for end: CaptureState.End) -> String {
        switch end {
        case .packets: "--packets"
        case .bytes: "--bytes"
        case .stopped: "the director"
        }
    }

    private func summary(_ state: CaptureState, _ file: BlockFile) -> String {
        let packets = state.packets == 1 ? "1 packet" : "\(state.packets) packets"
        let frames = state.frames == 1 ? "1 frame" : "\(state.frames) frames"
        let lost = state.lost == 0 ? "nothing lost" : "\(state.lost) lost for want of room"
        return "\(packets) as they came, \(frames) that left because of them, "
            + "\(file.bytes) bytes to \(file.name); \(lost)"
    }
}

/// A file that takes a stream of pcapng in pieces and holds whole blocks of it only.
final class BlockFile {
    /// Longer than any block that a director makes.
    private static let mostBytes = 1 << 20

    let name: String
    /// Bytes in the file.
    private(set) var bytes: UInt64 = 0
    private let file: OutputFile
    /// The beginning of a block that has not come whole.
    private var rest: [UInt8] = []

    /// Makes the file, or empties one that is there; a terminal is refused.
    init(_ path: String) throws(CommandError) {
        name = path == "-" ? "standard output" : path
        do throws(SystemError) {
            file = try OutputFile(path: path)
        } catch {
            throw Self.failure("\(error)")
        }
        guard !file.isTerminal else {
            throw CommandError.line(
                "\(name) is a terminal; write the capture to a file or a pipe")
        }
    }

    /// Takes the next bytes of the stream.
    func take(_ piece: ArraySlice<UInt8>) throws(CommandError) {
        rest += piece
        var end = 0
        // Kind, then length in bytes, both of 32 bits in the byte order of the file: little-endian.
        while rest.count - end >= 8 {
            let length = rest[end + 4..<end + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
            guard length >= 12, length % 4 == 0, length <= Self.mostBytes else {
                throw Self.failure(
                    "the director's answer is not understood: a block of \(length) bytes")
            }
            guard end + length <= rest.count else { break }
            end += length
        }
        guard end > 0 else { return }
        try write(rest[..<end])
        rest.removeFirst(end)
    }

    private func write(_ blocks: ArraySlice<UInt8>) throws(CommandError) {
        do throws(SystemError) {
            try file.write(all: blocks)
        } catch {
            // Back to the last whole block; a file that cannot be cut is read up to there all the same.
            try? file.cut(to: bytes)
            throw Self.failure("\(error)")
        }
        bytes += UInt64(blocks.count)
    }

    private static func failure(_ text: String) -> CommandError {
        CommandError(status: 1, text: text, endsRestore: false)
    }
}
