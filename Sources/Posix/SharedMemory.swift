internal import CPosix
internal import Glibc

/// Memory of a file in memory (tmpfs or hugetlbfs), which stays when the process ends however it does, and
/// which one process at a time has.
///
/// The file has memory behind all of its size before it is mapped, so that no access can fail later. Its
/// pages are made large ones when the file is made, which the kernel does for tmpfs on request whatever
/// `shmem_enabled` says (MADV_COLLAPSE, Linux 6.1).
///
/// Safe because the address stays valid until the owner ends, and the lock keeps other processes off.
@safe
package struct SharedMemory: ~Copyable, @unchecked Sendable {
    package let path: String
    package let base: UnsafeMutableRawPointer
    /// Bytes, all of them usable: what was asked for, in whole large pages; the file may have more.
    package let count: Int
    /// The file was made now, and is zeroed.
    package let isNew: Bool
    /// Never written to swap.
    package let isLocked: Bool
    private let file: FileDescriptor

    /// Opens or makes the file, which only its owner may read, and takes it for this process.
    ///
    /// EAGAIN when another process has it, EPERM when it is not a plain file of the caller's alone, and
    /// EMEDIUMTYPE when it lies on a disk.
    package init(path: String, bytes: Int) throws(SystemError) {
        let opened = try SharedMemory.open(path)
        let number = opened.number
        let kind = cposix_memory_kind(number)
        guard kind > 0 else { throw SystemError("map", on: path, code: EMEDIUMTYPE) }
        var status = stat()
        _ = try checked("fstat", on: path) { unsafe fstat(number, &status) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == Identity.user,
            status.st_mode & 0o077 == 0, status.st_nlink == 1
        else { throw SystemError("map", on: path, code: EPERM) }
        let isNew = status.st_size == 0
        let page = MappedMemory.largePage
        let whole = (bytes + page - 1) / page * page
        if isNew, kind == 1, let free = MemoryState.now?.available, whole > free {
            throw SystemError("map", on: "\(path) (\(free) bytes available)", code: ENOMEM)
        }
        // Addresses first: they cost nothing, and where they are short no memory is taken at all.
        guard let address = unsafe cposix_map_shared(number, whole, page) else {
            let error = SystemError(last: "mmap", on: path)
            if isNew { Files.remove(path) }
            throw error
        }
        do throws(SystemError) {
            _ = try checked("fallocate", on: path) { cposix_fill(number, Int64(whole)) }
        } catch {
            unsafe munmap(address, whole)
            // What there is of it would be taken for a table the next time.
            if isNew { Files.remove(path) }
            throw error
        }
        self.path = path
        self.isNew = isNew
        unsafe base = address
        count = whole
        file = opened
        _ = unsafe cposix_advise_huge(address, whole)
        if isNew { _ = unsafe cposix_collapse(address, whole) }
        _ = unsafe cposix_populate(address, whole)
        isLocked = unsafe mlock(address, whole) == 0
    }

    deinit {
        unsafe munmap(base, count)
    }

    /// Bytes of it that lie in large pages at the moment; nil when the kernel does not say.
    package var bytesInLargePages: Int? {
        if cposix_memory_kind(file.number) == 2 { return count }
        guard let text = try? Files.read("/proc/self/smaps") else { return nil }
        let start = unsafe UInt64(UInt(bitPattern: base))
        return MemoryState.bytesInLargePages(of: start..<start + UInt64(count), smaps: text)
    }

    /// Whether files of a directory lie in memory; false where there is no such directory.
    package static func isInMemory(directory: String) -> Bool {
        let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC
        guard let number = try? checked("open", { unsafe Glibc.open(directory, flags) }) else {
            return false
        }
        let file = FileDescriptor(owning: number)
        return cposix_memory_kind(file.number) > 0
    }

    /// The file with its lock; not one that somebody renamed meanwhile.
    private static func open(_ path: String) throws(SystemError) -> FileDescriptor {
        let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        for _ in 0..<8 {
            let number = try checked("open", on: path) { unsafe Glibc.open(path, flags, 0o600) }
            let opened = FileDescriptor(owning: number)
            var status = stat()
            _ = try checked("fstat", on: path) { unsafe fstat(number, &status) }
            _ = try checked("flock", on: path) { flock(number, LOCK_EX | LOCK_NB) }
            if Files.identity(path)?.isSameFile(as: Files.Identity(status)) == true {
                return opened
            }
        }
        throw SystemError("open", on: path, code: EAGAIN)
    }
}
