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
}
