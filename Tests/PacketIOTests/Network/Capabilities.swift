import Glibc

/// Capabilities of threads; those of other threads stay as they are.
enum Capabilities {
    private struct Header {
        var version: UInt32 = 0x2008_0522
        var process: Int32 = 0
    }

    private typealias Call =
        @convention(c) (UnsafeMutableRawPointer, UnsafeMutableRawPointer) -> Int32

    struct Refused: Error {
        var code: Int32
    }

    /// Gives up every capability of the calling thread, for ever.
    static func dropThoseOfThisThread() throws {
        // The C library has the call and no header for it.
        guard let symbol = unsafe dlsym(nil, "capset") else { throw Refused(code: ENOSYS) }
        let capset = unsafe unsafeBitCast(symbol, to: Call.self)
        var header = Header()
        var sets = [UInt32](repeating: 0, count: 6)
        guard unsafe capset(&header, &sets) == 0 else { throw Refused(code: errno) }
    }
}
