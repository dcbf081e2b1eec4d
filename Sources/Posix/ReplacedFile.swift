internal import Glibc

extension Files {
    /// Gives a file new contents in one step: whoever reads it, whenever the machine stops, finds the
    /// old ones or the new ones as a whole.
    ///
    /// They are written to `PATH.new` first, which only the owner can read, brought to the disk, and
    /// renamed.
    package static func replace(_ path: String, with bytes: [UInt8]) throws(SystemError) {
        let fresh = path + ".new"
        // What a director that was stopped in the middle has left is of no use, and may be anything.
        remove(fresh)
        do throws(SystemError) {
            let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
            let number = try checked("create", on: fresh) { unsafe open(fresh, flags, 0o600) }
            let file = FileDescriptor(owning: number)
            try writeAll(bytes, to: file, fresh)
            _ = try checked("fsync", on: fresh) { fsync(file.number) }
            _ = try checked("rename", on: path) { unsafe rename(fresh, path) }
        } catch {
            remove(fresh)
            throw error
        }
        try synchronizeDirectory(of: path)
    }

    private static func writeAll(
        _ bytes: [UInt8], to file: borrowing FileDescriptor, _ path: String
    ) throws(SystemError) {
        let number = file.number
        var rest = bytes[...]
        while !rest.isEmpty {
            let taken = try checked("write", on: path) {
                unsafe rest.withUnsafeBytes { unsafe Glibc.write(number, $0.baseAddress, $0.count) }
            }
            rest = rest.dropFirst(taken)
        }
    }

    /// Brings the new name to the disk as well.
    private static func synchronizeDirectory(of path: String) throws(SystemError) {
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        let number = try checked("open", on: directory) {
            unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        }
        let file = FileDescriptor(owning: number)
        _ = try checked("fsync", on: directory) { fsync(file.number) }
    }
}
