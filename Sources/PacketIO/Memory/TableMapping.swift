package import LVS
package import Posix

/// Anonymous memory for a connection table, on large pages where there are some.
///
/// The mapping lasts as long as this object.
package final class TableMapping {
    private let mapping: MappedMemory

    /// Maps and touches the memory, so that no packet has to wait for a page.
    package init(bytes: Int) throws(SystemError) {
        mapping = try MappedMemory(bytes: bytes)
    }

    package var memory: TableMemory {
        unsafe TableMemory(base: mapping.base, count: mapping.count)
    }

    package var count: Int { mapping.count }

    /// In which pages the memory lies now, for `status`.
    package var pages: String {
        TableMapping.pages(
            bytes: mapping.count, large: mapping.bytesInLargePages ?? 0,
            isReserved: mapping.isReserved, isLocked: mapping.isLocked)
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
