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
    /// Where the contents are good.
    let home: TableHome
    /// What the servers' numbers mean, beside a table that outlasts its process; else nil.
    let directory: ServerDirectory?

    /// Without an owner, the memory must outlive every director that uses it.
    package init(base: UnsafeMutableRawPointer, count: Int, owner: AnyObject? = nil) {
        unsafe self.base = base
        self.count = count
        self.owner = owner
        home = .here
        directory = nil
    }

    /// Memory of `keptBytes` and more that outlasts the process, so that another may adopt the table:
    /// zeroed, or as a director left it that called it by the same home.
    package init(
        kept memory: UnsafeMutableRawPointer, count: Int, home: TableHome,
        owner: AnyObject? = nil
    ) {
        precondition(count > ServerDirectory.bytes, "the memory is too small for the directory")
        unsafe base = memory + ServerDirectory.bytes
        self.count = count - ServerDirectory.bytes
        self.owner = owner
        self.home = home
        unsafe directory = ServerDirectory(memory: memory)
    }
}

/// Where a kept table is good: one boot of the machine, whose clock its times are of, and one network,
/// whose connections they are.
package struct TableHome: Hashable, Sendable {
    /// Two numbers that tell boots apart.
    package var boot: UInt64
    package var bootToo: UInt64
    /// Tells networks of one boot apart.
    package var network: UInt64

    package init(boot: UInt64, bootToo: UInt64, network: UInt64) {
        self.boot = boot
        self.bootToo = bootToo
        self.network = network
    }

    /// Of memory that ends with the process.
    package static let here = TableHome(boot: 0, bootToo: 0, network: 0)
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
            quiescence: quiescence, home: memory.home)
    }

    /// Bytes of memory that outlasts the process, for a table and what its servers' numbers mean.
    package static func keptBytes(connections: Int, workers: Int) -> Int {
        ServerDirectory.bytes + bytes(connections: connections, workers: workers)
    }
}
