internal import Glibc

/// A file, pipe or standard output (`-`), open to be written from its beginning.
package struct OutputFile: ~Copyable, Sendable {
    private let file: FileDescriptor
    private let path: String
    /// Whether what was written can be taken back.
    package let isRegular: Bool

    /// Makes a file that only its owner reads, or empties one that is there.
    ///
    /// EEXIST for a file among `spared`, EINVAL for a disk or a socket, ENXIO for a FIFO that nobody
    /// reads; none of them is touched.
    package init(path: String, sparing spared: [Files.Identity] = []) throws(SystemError) {
        let name = path == "-" ? "standard output" : path
        let number =
            if path == "-" {
                try checked("write", on: name) { fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3) }
            } else {
                // Not waiting: a FIFO without a reader would hold the program for ever.
                try checked("create", on: name) {
                    unsafe open(
                        path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0o600)
                }
            }
        let opened = FileDescriptor(owning: number)
        var status = stat()
        _ = try checked("fstat", on: name) { unsafe fstat(number, &status) }
        let kind = status.st_mode & S_IFMT
        guard kind == S_IFREG || kind == S_IFIFO || kind == S_IFCHR else {
            throw SystemError("write", on: name, code: EINVAL)
        }
        guard !spared.contains(where: { $0.isSameFile(as: Files.Identity(status)) }) else {
            throw SystemError("write", on: name, code: EEXIST)
        }
        if path != "-" {
            if kind == S_IFREG { _ = try checked("empty", on: name) { ftruncate(number, 0) } }
            try opened.setNonBlocking(false)
        }
        // Somebody may append to a file behind standard output: that is not ours to cut.
        isRegular = kind == S_IFREG && path != "-"
        self.path = name
        file = opened
    }

    /// Whether people would look at the bytes.
    package var isTerminal: Bool { isatty(file.number) == 1 }

    /// Writes what the kernel takes at once.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        let number = file.number
        let taken = try checked("write", on: path) {
            unsafe Glibc.write(number, bytes.baseAddress, bytes.count)
        }
        // A kernel that takes nothing and tells no error would be asked for ever.
        guard unsafe taken > 0 || bytes.isEmpty else {
            throw SystemError("write", on: path, code: EIO)
        }
        return taken
    }

    /// Writes all of the bytes, waiting where a pipe is full; at an error some may have been written.
    package func write(all bytes: ArraySlice<UInt8>) throws(SystemError) {
        var rest = bytes
        while !rest.isEmpty {
            let taken = try unsafe rest.withUnsafeBufferPointer { bytes throws(SystemError) in
                try unsafe write(UnsafeRawBufferPointer(bytes))
            }
            rest = rest.dropFirst(taken)
        }
    }

    /// Leaves the file's first `bytes` bytes; does nothing to a pipe.
    package func cut(to bytes: UInt64) throws(SystemError) {
        guard isRegular else { return }
        let number = file.number
        _ = try checked("cut", on: path) { ftruncate(number, off_t(clamping: bytes)) }
    }
}

extension Files.Identity {
    /// Whether both name one file, whatever its permissions have become.
    package func isSameFile(as other: Files.Identity) -> Bool {
        device == other.device && inode == other.inode
    }
}
