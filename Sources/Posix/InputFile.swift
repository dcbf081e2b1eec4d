internal import Glibc

/// A file, pipe or standard input (`-`), open to be read from its beginning to its end.
package struct InputFile: ~Copyable, Sendable {
    private let file: FileDescriptor
    /// Bytes that it has; nil for what has no size, as pipes.
    package let size: UInt64?
    /// Which file it is, so that nobody writes over it while it is read.
    package let identity: Files.Identity

    /// Opens it; a FIFO waits here for its writer.
    package init(path: String) throws(SystemError) {
        let number =
            if path == "-" {
                try checked("read", on: "standard input") {
                    fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                }
            } else {
                try checked("open", on: path) { unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) }
            }
        let opened = FileDescriptor(owning: number)
        var status = stat()
        _ = try checked("fstat", on: path) { unsafe fstat(number, &status) }
        guard status.st_mode & S_IFMT != S_IFDIR else {
            throw SystemError("read", on: path, code: EISDIR)
        }
        size = status.st_mode & S_IFMT == S_IFREG ? UInt64(max(0, status.st_size)) : nil
        identity = Files.Identity(status)
        file = opened
    }

    /// Whether somebody would have to type what is read.
    package var isTerminal: Bool { isatty(file.number) == 1 }

    /// Reads up to the buffer's size, waiting for the first byte; 0 at the end.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        try unsafe file.read(into: buffer)
    }
}

extension Files.Identity {
    init(_ status: stat) {
        self.init(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino),
            isSocket: status.st_mode & S_IFMT == S_IFSOCK,
            mode: UInt32(status.st_mode & 0o7777))
    }
}
