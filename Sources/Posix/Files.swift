internal import Glibc

/// Whole small files.
package enum Files {
    /// The bytes of a file.
    package static func readBytes(_ path: String) throws(SystemError) -> [UInt8] {
        let number = try checked("open", on: path) { unsafe open(path, O_RDONLY | O_CLOEXEC) }
        let file = FileDescriptor(owning: number)
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65536)
        while true {
            let got = try checked("read", on: path) {
                unsafe piece.withUnsafeMutableBytes { buffer in
                    unsafe Glibc.read(file.number, buffer.baseAddress, buffer.count)
                }
            }
            guard got > 0 else { return bytes }
            bytes.append(contentsOf: piece[..<got])
        }
    }

    /// The first bytes of a file, at most `count`.
    package static func readBytes(
        _ path: String, first count: Int
    ) throws(SystemError) -> [UInt8] {
        let number = try checked("open", on: path) { unsafe open(path, O_RDONLY | O_CLOEXEC) }
        let file = FileDescriptor(owning: number)
        var bytes = [UInt8](repeating: 0, count: count)
        let got = try checked("read", on: path) {
            unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe Glibc.read(file.number, buffer.baseAddress, buffer.count)
            }
        }
        bytes.removeLast(count - got)
        return bytes
    }

    /// The text of a file; bytes that are not UTF-8 are replaced.
    package static func read(_ path: String) throws(SystemError) -> String {
        String(decoding: try readBytes(path), as: UTF8.self)
    }

    /// Writes into an existing file in one call, as files under /proc/sys want it.
    package static func write(_ text: String, to path: String) throws(SystemError) {
        let number = try checked("open", on: path) { unsafe open(path, O_WRONLY | O_CLOEXEC) }
        let file = FileDescriptor(owning: number)
        var text = text
        _ = try checked("write", on: path) {
            text.withUTF8 { bytes in
                unsafe Glibc.write(file.number, bytes.baseAddress, bytes.count)
            }
        }
    }

    /// Makes a directory for the owner alone; one that exists is no error.
    package static func makeDirectory(_ path: String, mode: UInt32 = 0o700) throws(SystemError) {
        do throws(SystemError) {
            _ = try checked("mkdir", on: path) { unsafe mkdir(path, mode_t(mode)) }
        } catch {
            guard error.code == EEXIST else { throw error }
        }
    }

    /// Names of what is in a directory, in order, without those that begin with a dot; none where there
    /// is no directory.
    package static func list(_ path: String) -> [String] {
        guard let directory = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    package static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// Whether a path leads to a file that may be started as a program.
    package static func isProgram(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
            && access(path, X_OK) == 0
    }

    /// Whether a program runs with the rights of its file's owner or group and not of the caller.
    package static func isPrivileged(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & (S_ISUID | S_ISGID) != 0
    }

    /// The path from the root, seen from where the process is.
    package static func absolute(_ path: String) throws(SystemError) -> String {
        if path.hasPrefix("/") { return path }
        guard let directory = unsafe getcwd(nil, 0) else { throw SystemError(last: "getcwd") }
        defer { unsafe free(directory) }
        return unsafe String(cString: directory) + "/" + path
    }

    /// What tells a file from every other, as long as it exists: device and inode.
    package struct Identity: Hashable, Sendable {
        package var device: UInt64
        package var inode: UInt64
        package var isSocket: Bool
        /// Permission bits.
        package var mode: UInt32
    }

    /// The file at a path, a symbolic link being a file of its own; nil when there is none.
    package static func identity(_ path: String) -> Identity? {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return nil }
        return Identity(status)
    }

    /// Whether a directory is the caller's own, and nobody else may change what is in it.
    package static func isOwnDirectory(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            && status.st_uid == geteuid() && status.st_mode & 0o022 == 0
    }

    /// Gives a file another name, in place of whatever has it.
    package static func move(_ path: String, to name: String) throws(SystemError) {
        _ = try checked("rename", on: path) { unsafe Glibc.rename(path, name) }
    }

    /// Removes a file; a missing one is no error.
    package static func remove(_ path: String) { _ = unsafe unlink(path) }

    /// Removes an empty directory; a missing one is no error.
    package static func removeDirectory(_ path: String) { _ = unsafe rmdir(path) }
}

/// A file that one process at a time can hold; let go of at the latest with the process.
package struct FileLock: ~Copyable {
    private let file: FileDescriptor

    /// Takes the lock, whose file is made if it is missing; EAGAIN when somebody has it.
    package init(path: String) throws(SystemError) {
        let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW
        let number = try checked("open", on: path) { unsafe open(path, flags, 0o600) }
        let opened = FileDescriptor(owning: number)
        _ = try checked("flock", on: path) { flock(number, LOCK_EX | LOCK_NB) }
        file = opened
    }
}
