internal import CPosix
internal import Glibc

/// Zeroed memory of the process's own, aligned to 2 MiB, in large pages where the kernel has them.
///
/// Safe because the address stays valid and exclusive to its owner until the owner ends.
@safe
package struct MappedMemory: ~Copyable, @unchecked Sendable {
    /// Size and alignment of a large page, bytes.
    package static let largePage = 2 << 20

    package let base: UnsafeMutableRawPointer
    /// Usable bytes.
    package let count: Int
    private let mapping: UnsafeMutableRawPointer
    private let mapped: Int

    /// Maps and touches every page now, so that no packet waits for one later.
    ///
    /// A size the machine cannot hold beside what runs already is ENOMEM instead of a kill later.
    package init(bytes: Int) throws(SystemError) {
        let (mapping, mapped) = try unsafe MappedMemory.map(bytes)
        unsafe self.mapping = mapping
        self.mapped = mapped
        count = bytes
        unsafe base = mapping.alignedUp(toMultipleOf: MappedMemory.largePage)
        _ = unsafe cposix_advise_huge(base, mapped - MappedMemory.largePage)
        var offset = 0
        while offset < bytes {
            unsafe (base + offset).storeBytes(of: 0, as: UInt8.self)
            offset += 4096
        }
    }

    deinit {
        unsafe munmap(mapping, mapped)
    }

    /// Bytes the kernel believes it can give without swapping; nil when it does not say.
    package static var available: Int? {
        guard let text = try? Files.read("/proc/meminfo") else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix("MemAvailable:") {
            let words = line.split(separator: " ")
            guard words.count >= 2, let kibibytes = Int(words[1]) else { return nil }
            return kibibytes * 1024
        }
        return nil
    }

    private static func map(
        _ bytes: Int
    ) throws(SystemError) -> (UnsafeMutableRawPointer, mapped: Int) {
        guard bytes > 0, bytes < Int.max / 2 else {
            throw SystemError("mmap", on: "\(bytes) bytes", code: EINVAL)
        }
        if let free = available, bytes > free {
            throw SystemError("mmap", on: "\(bytes) bytes (\(free) available)", code: ENOMEM)
        }
        let mapped = (bytes + largePage - 1) / largePage * largePage + largePage
        let address = unsafe mmap(
            nil, mapped, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            throw SystemError(last: "mmap", on: "\(bytes) bytes")
        }
        return unsafe (address, mapped)
    }
}
