internal import CPosix
internal import Glibc

/// Other programs, run to their end.
package enum ChildProgram {
    /// Where the programs of an administrator lie, whatever the path of the process.
    private static let places = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/sbin"]

    /// The path of a program of this name; nil when it is not installed.
    package static func find(_ name: String) -> String? {
        places.lazy.map { "\($0)/\(name)" }.first { unsafe access($0, X_OK) == 0 }
    }

    /// What a program writes to its standard output.
    ///
    /// It is killed when it takes too long, and runs in
    /// the network namespace of the calling thread.
    package static func output(
        of path: String, _ arguments: [String], capacity: Int = 4 << 20, milliseconds: Int32 = 3000
    ) throws(SystemError) -> String {
        let bytes = UnsafeMutablePointer<CChar>.allocate(capacity: capacity)
        defer { unsafe bytes.deallocate() }
        var words = unsafe ([path] + arguments).map { unsafe strdup($0) }
        unsafe words.append(nil)
        defer { unsafe words.forEach { unsafe free($0) } }
        let count = unsafe cposix_output(words, bytes, capacity, milliseconds)
        guard count >= 0 else { throw SystemError(last: "run", on: path) }
        return unsafe String(
            decoding: UnsafeRawBufferPointer(start: bytes, count: Int(count)), as: UTF8.self)
    }
}
