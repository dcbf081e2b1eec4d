internal import Posix

/// Where a session prints, as far as a listing that goes on has to know.
package struct Surface: Sendable {
    /// Whether it is a terminal, of so many lines and columns.
    package var size: @Sendable () -> (lines: Int, columns: Int)?
    package var wait: @Sendable (_ seconds: Double) -> Void
    package var nanoseconds: @Sendable () -> UInt64

    package init(
        size: @escaping @Sendable () -> (lines: Int, columns: Int)?,
        wait: @escaping @Sendable (Double) -> Void,
        nanoseconds: @escaping @Sendable () -> UInt64
    ) {
        self.size = size
        self.wait = wait
        self.nanoseconds = nanoseconds
    }

    /// Standard output of this process.
    package static let standard = Surface(
        size: { Program.terminalSize }, wait: { Program.sleep(seconds: $0) },
        nanoseconds: { MonotonicClock.now() })
}

/// Shows a listing again and again: in place on a terminal, one below the other elsewhere.
struct Watch {
    let surface: Surface
    let seconds: Double
    let count: Int?
    /// Stands between listings that are one below the other.
    var separator = "\n"
    /// A failure as it is shown in the place of a listing.
    var complaint: (String) -> String = { $0 + "\n" }

    /// Calls `listing` at every turn; it may fail as long as it has not succeeded once, later failures
    /// are shown and the listing is tried again.
    func run(
        _ title: String, output: (String) -> Void, forget: () -> Void,
        _ listing: () throws(CommandError) -> String
    ) throws(CommandError) {
        var turns = 0
        while true {
            var text: String
            do throws(CommandError) {
                text = try listing()
            } catch {
                guard turns > 0 else { throw error }
                text = complaint(error.text)
                forget()
            }
            show(text, title, isFirst: turns == 0, output)
            turns += 1
            if let count, turns >= count { return }
            surface.wait(seconds)
        }
    }

    private func show(
        _ text: String, _ title: String, isFirst: Bool, _ output: (String) -> Void
    ) {
        guard let size = surface.size() else {
            return output((isFirst ? "" : separator) + text)
        }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        let room = max(1, size.lines - 3)
        let hidden = lines.count - room
        if hidden > 0 { lines = lines.prefix(room - 1) + ["... and \(hidden + 1) lines more"] }
        // Home; each line cleared to its end; then everything below. Nothing flickers that way.
        var screen = isFirst ? "\u{1b}[2J\u{1b}[H" : "\u{1b}[H"
        for line in [title[...], ""] + lines {
            screen += line.prefix(size.columns) + "\u{1b}[K\r\n"
        }
        output(screen + "\u{1b}[J")
    }
}
