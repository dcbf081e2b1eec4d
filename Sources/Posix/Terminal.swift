internal import Glibc

/// The terminal of this process: tells every key at once and shows a screen of its own, until it is let
/// go; then it is as it was.
package struct Terminal: ~Copyable {
    private let before: termios?

    /// Whether keys come from a terminal.
    package static var hasKeys: Bool { isatty(STDIN_FILENO) == 1 }

    /// Readable when keys wait.
    package static var descriptor: Int32 { STDIN_FILENO }

    /// Takes the terminal; where standard input is none, only its screen.
    package init() {
        var attributes = termios()
        let hasKeys = unsafe Self.hasKeys && tcgetattr(STDIN_FILENO, &attributes) == 0
        before = hasKeys ? attributes : nil
        begin()
    }

    deinit { Self.restore(before) }

    /// Begins again after `end`.
    package func begin() {
        if let before {
            var attributes = before
            unsafe cfmakeraw(&attributes)
            // What is written is written as ever.
            attributes.c_oflag = before.c_oflag
            unsafe _ = tcsetattr(STDIN_FILENO, TCSANOW, &attributes)
        }
        // The other screen, without the cursor.
        Program.output("\u{1b}[?1049h\u{1b}[?25l")
    }

    /// Gives the terminal back for a while.
    package func end() { Self.restore(before) }

    private static func restore(_ before: termios?) {
        Program.output("\u{1b}[?25h\u{1b}[?1049l")
        guard var before else { return }
        unsafe _ = tcsetattr(STDIN_FILENO, TCSANOW, &before)
    }

    /// The bytes of keys that wait, when there are some; nil when the terminal is gone.
    package func keys() -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            unsafe read(STDIN_FILENO, bytes.baseAddress, bytes.count)
        }
        if count < 0, errno == EINTR || errno == EAGAIN { return [] }
        return count > 0 ? Array(buffer.prefix(count)) : nil
    }
}
