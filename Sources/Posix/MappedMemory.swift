internal import CPosix
internal import Glibc

/// Zeroed memory of the process's own, aligned to 2 MiB, in large pages where the kernel has them.
///
/// Large pages that an operator reserved (`vm.nr_hugepages`) come first, since only they are sure;
/// else the kernel is asked to use large pages by itself. All of it is touched at once, and locked
/// where that is allowed: on a machine with swap a table that lay still for a night would otherwise
/// have to be read back packet by packet in the morning.
///
/// Safe because the address stays valid and exclusive to its owner until the owner ends.
@safe
package struct MappedMemory: ~Copyable, @unchecked Sendable {
    /// Size and alignment of a large page, bytes.
    package static let largePage = 2 << 20

    package let base: UnsafeMutableRawPointer
    /// Usable bytes.
    package let count: Int
    /// In pages that the operator reserved.
    package let isReserved: Bool
    /// Never written to swap.
    package let isLocked: Bool
    private let mapping: UnsafeMutableRawPointer
    private let mapped: Int

    /// Maps and touches every page now, so that no packet waits for one later; unless `isTouched` is
    /// false, where pages come with their first use and are not locked.
    ///
    /// A size the machine cannot hold beside what runs already is ENOMEM instead of a kill later.
    package init(bytes: Int, isTouched: Bool = true) throws(SystemError) {
        guard bytes > 0, bytes < Int.max / 2 else {
            throw SystemError("mmap", on: "\(bytes) bytes", code: EINVAL)
        }
        let (address, length, isReserved) = try unsafe MappedMemory.map(bytes)
        count = bytes
        unsafe mapping = address
        mapped = length
        self.isReserved = isReserved
        unsafe base = address.alignedUp(toMultipleOf: MappedMemory.largePage)
        if !isReserved {
            _ = unsafe cposix_advise_huge(base, length - MappedMemory.largePage)
        }
        guard isTouched else {
            isLocked = false
            return
        }
        var offset = 0
        while offset < bytes {
            unsafe (base + offset).storeBytes(of: 0, as: UInt8.self)
            offset += 4096
        }
        isLocked = unsafe mlock(base, bytes) == 0
    }

    deinit {
        unsafe munmap(mapping, mapped)
    }

    /// Whether the reserved large pages that nobody uses are enough for so many bytes.
    package static func hasReservedPages(for bytes: Int) -> Bool {
        let needed = (bytes + largePage - 1) / largePage
        guard let memory = MemoryState.now, memory.largePageBytes == largePage else { return false }
        return memory.freeLargePages >= needed
    }

    /// Bytes of it that lie in large pages at the moment; nil when the kernel does not say.
    package var bytesInLargePages: Int? {
        if isReserved { return count }
        guard let text = try? Files.read("/proc/self/smaps") else { return nil }
        let start = unsafe UInt64(UInt(bitPattern: base))
        return MemoryState.bytesInLargePages(of: start..<start + UInt64(count), smaps: text)
    }

    private static func map(
        _ bytes: Int
    ) throws(SystemError) -> (UnsafeMutableRawPointer, mapped: Int, isReserved: Bool) {
        let whole = (bytes + largePage - 1) / largePage * largePage
        // Small areas would waste most of a page that was reserved for something larger.
        if bytes >= largePage, hasReservedPages(for: bytes) {
            let address = unsafe cposix_map_huge(whole)
            if let address = unsafe address { return unsafe (address, whole, true) }
        }
        if let free = MemoryState.now?.available, bytes > free {
            throw SystemError("mmap", on: "\(bytes) bytes (\(free) available)", code: ENOMEM)
        }
        let mapped = whole + largePage
        let address = unsafe mmap(
            nil, mapped, PROT_READ | PROT_WRITE,
            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let address = unsafe address, unsafe address != MAP_FAILED else {
            throw SystemError(last: "mmap", on: "\(bytes) bytes")
        }
        return unsafe (address, mapped, false)
    }
}
