internal import Glibc

/// The running program: its standard streams and its end.
package enum Program {
    /// Writes all of the text to standard output; what a closed pipe does not take is lost.
    package static func output(_ text: String) { write(text, to: STDOUT_FILENO) }

    /// Writes all of the text to standard error.
    package static func complain(_ text: String) { write(text, to: STDERR_FILENO) }

    /// Lines and columns of the terminal that standard output is; nil when it is something else.
    package static var terminalSize: (lines: Int, columns: Int)? {
        var size = winsize()
        guard isatty(STDOUT_FILENO) == 1,
            unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0
        else { return nil }
        return (max(1, Int(size.ws_row)), max(1, Int(size.ws_col)))
    }

    /// Whether standard error is a terminal.
    package static var isErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Waits; a signal may end it early.
    package static func sleep(seconds: Double) {
        var time = timespec()
        time.tv_sec = Int(seconds)
        time.tv_nsec = Int((seconds - seconds.rounded(.down)) * 1e9)
        _ = unsafe nanosleep(&time, nil)
    }

    /// Stops the program until it is told to go on, as Ctrl-Z does.
    package static func stop() { raise(SIGSTOP) }

    /// Ends the program with this status.
    package static func exit(_ status: Int32) -> Never { Glibc.exit(status) }

    /// The path of the running program's file.
    package static func path() throws(SystemError) -> String {
        let link = "/proc/self/exe"
        guard let path = unsafe realpath(link, nil) else {
            throw SystemError(last: "realpath", on: link)
        }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }

    /// Goes on as another program, with the environment as it is; returns only what kept it from that.
    package static func become(_ path: String, _ arguments: [String]) -> SystemError {
        var words = unsafe arguments.map { unsafe strdup($0) }
        unsafe words.append(nil)
        defer { unsafe words.forEach { unsafe free($0) } }
        unsafe execv(path, words)
        return SystemError(last: "execute", on: path)
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { bytes in
            var rest = UnsafeRawBufferPointer(bytes)
            while unsafe !rest.isEmpty {
                let taken = unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
                if taken < 0, errno == EINTR { continue }
                guard taken > 0 else { return }
                unsafe rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
            }
        }
    }
}
