internal import Glibc

/// The one owner of an open descriptor; closes it at the end of its life.
package struct FileDescriptor: ~Copyable, Sendable {
    /// The number, for calls; valid while the owner lives.
    package let number: Int32

    /// Takes ownership of an open descriptor.
    package init(owning number: Int32) {
        self.number = number
    }

    deinit {
        close(number)
    }

    /// Reads up to the buffer's size; 0 at the end.
    package func read(
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> Int {
        try checked("read") { unsafe Glibc.read(number, buffer.baseAddress, buffer.count) }
    }

    /// Writes what the kernel takes at once.
    package func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        try checked("write") { unsafe Glibc.write(number, bytes.baseAddress, bytes.count) }
    }

    /// Whether reads and writes return instead of waiting.
    package func setNonBlocking(_ on: Bool) throws(SystemError) {
        let flags = try checked("fcntl") { fcntl(number, F_GETFL) }
        let wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK
        _ = try checked("fcntl") { fcntl(number, F_SETFL, wanted) }
    }
}
