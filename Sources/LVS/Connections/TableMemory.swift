/// Zeroed memory for a connection table, handed in from outside; best aligned to 2 MiB.
///
/// Safe to pass on: whoever makes one vouches for the bytes, and the table alone touches them.
@safe
package struct TableMemory: @unchecked Sendable {
    let base: UnsafeMutableRawPointer
    /// Bytes.
    package let count: Int
    /// What gives the memory back when it ends; a director that uses the memory keeps it.
    let owner: AnyObject?

    /// Without an owner, the memory must outlive every director that uses it.
    package init(base: UnsafeMutableRawPointer, count: Int, owner: AnyObject? = nil) {
        unsafe self.base = base
        self.count = count
        self.owner = owner
    }
}

extension ConnectionTable {
    /// Lays a table into memory that must hold `ConnectionTable.bytes(connections:workers:)`.
    init(
        _ memory: TableMemory, connections: Int, workers: Int, seed: (UInt64, UInt64),
        quiescence: QuiescentState
    ) {
        let bytes = ConnectionTable.bytes(connections: connections, workers: workers)
        precondition(memory.count >= bytes, "the memory is too small for the table")
        unsafe self.init(
            memory: memory.base, connections: connections, workers: workers, seed: seed,
            quiescence: quiescence)
    }
}
