package import LVS
package import Posix

/// Memory for a connection table, on large pages where there are some: the process's own, or that of a
/// file which the next process can adopt.
///
/// The mapping lasts as long as this object.
package final class TableMapping {
    private let bytesInLargePages: () -> Int?
    private let isReserved: Bool
    private let isLocked: Bool
    package let memory: TableMemory
    package let count: Int
    /// The file, unless the memory is the process's own.
    package let path: String?
    /// Nobody has written there before.
    package let isNew: Bool

    /// Maps and touches memory of the process's own, so that no packet has to wait for a page.
    package init(bytes: Int) throws(SystemError) {
        let own = Own(try MappedMemory(bytes: bytes))
        memory = unsafe TableMemory(base: own.mapping.base, count: own.mapping.count, owner: own)
        count = own.mapping.count
        isReserved = own.mapping.isReserved
        isLocked = own.mapping.isLocked
        bytesInLargePages = { own.mapping.bytesInLargePages }
        path = nil
        isNew = true
    }

    /// Maps a file of at least so many bytes, and makes it if there is none.
    package init(path: String, bytes: Int, home: TableHome) throws(SystemError) {
        let shared = Shared(try SharedMemory(path: path, bytes: bytes))
        memory = unsafe TableMemory(
            kept: shared.mapping.base, count: shared.mapping.count, home: home, owner: shared)
        count = shared.mapping.count
        isReserved = false
        isLocked = shared.mapping.isLocked
        bytesInLargePages = { shared.mapping.bytesInLargePages }
        isNew = shared.mapping.isNew
        self.path = path
    }

    private final class Own {
        let mapping: MappedMemory
        init(_ mapping: consuming MappedMemory) { self.mapping = mapping }
    }

    private final class Shared {
        let mapping: SharedMemory
        init(_ mapping: consuming SharedMemory) { self.mapping = mapping }
    }

    /// In which pages the memory lies now, for `status`.
    package var pages: String {
        TableMapping.pages(
            bytes: count, large: bytesInLargePages() ?? 0, isReserved: isReserved,
            isLocked: isLocked)
    }

    /// How pages are told: `84 MiB in reserved large pages, locked`.
    package static func pages(
        bytes: Int, large: Int, isReserved: Bool, isLocked: Bool
    ) -> String {
        let all = bytes >> 20
        let kind =
            if isReserved {
                "\(all) MiB in reserved large pages"
            } else if large >> 20 >= all {
                "\(all) MiB in transparent large pages"
            } else if large > 0 {
                "\(all) MiB, \(large >> 20) of them in transparent large pages"
            } else {
                "\(all) MiB in small pages"
            }
        return kind + (isLocked ? ", locked" : ", not locked")
    }
}
