import Synchronization

/// The first bytes of a table's memory.
struct TableHeader: ~Copyable {
    /// Tells a table from other memory.
    static let magic: UInt64 = 0x4c56_5363_6f6e_7461
    /// To be raised with every change of what entries, lines, slots or the directory mean.
    private static let version: UInt64 = 4
    /// The layout of this build: a table of another one is not understood.
    static let layout =
        version << 48 | UInt64(Connection.bytes) << 32 | UInt64(Connection.lineBytes) << 16
        | UInt64(ConnectionTable.loadPercent)

    /// Written last: a table whose making was cut short has none.
    var magic: UInt64 = 0
    var layout: UInt64 = TableHeader.layout
    var connections: UInt32
    var seed0: UInt64
    var seed1: UInt64
    /// Where and for how long the contents are good.
    var home: TableHome
    /// First number that was never given out; may run past the capacity.
    let fresh = Atomic<UInt32>(0)
    /// Keys in the overflow area.
    let overflowCount = Atomic<UInt32>(0)
    /// Top of the stack of free blocks: entry number 32 | change count 32, against reuse between
    /// a load and its exchange.
    let blocks = Atomic<UInt64>(UInt64(ConnectionTable.noEntry))
    /// Connections whose client's port is not known yet.
    let unknownPorts = Atomic<UInt32>(0)
}

/// The entries that one worker, or the housekeeper, has at hand; only `live` is read by others.
struct TableOwner: ~Copyable {
    /// Connections made less connections ended here; may be negative.
    let live = Atomic<Int64>(0)
    var free: UInt32 = ConnectionTable.noEntry
    var freeCount: UInt32 = 0
    /// Removed since the last epoch was begun.
    var retiring: UInt32 = ConnectionTable.noEntry
    var retiringCount: UInt32 = 0
    /// Removed before `epoch` was begun.
    var waiting: UInt32 = ConnectionTable.noEntry
    var waitingCount: UInt32 = 0
    var epoch: UInt64 = 0
    /// First number of the block that is being used up, and how many are left of it.
    var fresh: UInt32 = 0
    var freshCount: UInt32 = 0
}

extension ConnectionTable {
    /// Entries that are handed from one owner to another at once.
    static let blockSize: UInt32 = 64
    private static let headerBytes = 4096
    private static let ownerBytes = 128
    /// Room for this many owners at least, so that the number of workers may change with a restart.
    private static let ownersAtLeast = 65
    /// Load of the index at the configured maximum: at 0.66 one key in some ten thousand finds both
    /// its buckets full (swift-data-plane 3.1).
    static let loadPercent = 66

    private static func bucketCount(_ connections: Int) -> Int {
        max(1, (connections * 2 * 100 + loadPercent * 8 - 1) / (loadPercent * 8))
    }

    private static func overflowCount(_ connections: Int) -> Int {
        max(2, bucketCount(connections) / 256)
    }

    /// Bytes of memory a table of `connections` takes: 88 for each connection and a little; one of
    /// IPv6, which has an extension line, counts as two.
    package static func bytes(connections: Int, workers: Int) -> Int {
        headerBytes + max(ownersAtLeast, workers + 1) * ownerBytes
            + (bucketCount(connections) + overflowCount(connections)) * 64
            + connections * Connection.bytes + 64
    }

    /// Makes an empty table in zeroed memory of `bytes(connections:workers:)` bytes, which must
    /// outlive it; 2 MiB alignment lets the machine use large pages.
    package init(
        memory: UnsafeMutableRawPointer, connections: Int, workers: Int, seed: (UInt64, UInt64),
        quiescence: QuiescentState? = nil, home: TableHome = .here
    ) {
        unsafe self.init(
            viewing: memory, connections: connections, workers: workers, seed: seed,
            quiescence: quiescence ?? QuiescentState(workers: workers))
        unsafe header.initialize(
            to: TableHeader(
                connections: UInt32(connections), seed0: seed.0, seed1: seed.1, home: home))
        unsafe header.pointee.magic = TableHeader.magic
    }

    /// Views memory as a table; what stands there is left as it is, but for the owners, who begin
    /// with nothing at hand.
    init(
        viewing memory: UnsafeMutableRawPointer, connections: Int, workers: Int,
        seed: (UInt64, UInt64), quiescence: QuiescentState
    ) {
        precondition(
            connections > 0 && connections <= ConnectionTable.mostConnections,
            "1 to \(ConnectionTable.mostConnections) connections")
        self.capacity = UInt32(connections)
        self.workers = workers
        self.seed = seed
        self.quiescence = quiescence
        bucketCount = UInt32(ConnectionTable.bucketCount(connections))
        overflowBuckets = UInt32(ConnectionTable.overflowCount(connections))
        memoryBytes = ConnectionTable.bytes(connections: connections, workers: workers)
        unsafe header = memory.bindMemory(to: TableHeader.self, capacity: 1)
        let index = UInt(bitPattern: memory) + UInt(ConnectionTable.headerBytes)
        let aligned = (index + 63) & ~63
        unsafe buckets = memory + Int(aligned - UInt(bitPattern: memory))
        unsafe overflow = buckets + Int(bucketCount) * 64
        unsafe entries = overflow + Int(overflowBuckets) * 64
        unsafe owners = entries + connections * Connection.bytes
        for worker in 0...workers { unsafe owner(worker).initialize(to: TableOwner()) }
    }

    func owner(_ worker: Int) -> UnsafeMutablePointer<TableOwner> {
        assert(worker <= workers)
        return unsafe (owners + worker * ConnectionTable.ownerBytes)
            .assumingMemoryBound(to: TableOwner.self)
    }

    // MARK: Entries

    /// An entry of the worker's own, or nil when the table is full.
    func takeEntry(_ worker: Int) -> Connection? {
        let owner = unsafe owner(worker)
        if unsafe owner.pointee.free == ConnectionTable.noEntry, !refill(worker) {
            return nil
        }
        if unsafe owner.pointee.free != ConnectionTable.noEntry {
            let taken = unsafe connection(owner.pointee.free)
            unsafe owner.pointee.free = taken.link
            unsafe owner.pointee.freeCount &-= 1
            return taken
        }
        let number = unsafe owner.pointee.fresh
        unsafe owner.pointee.fresh &+= 1
        unsafe owner.pointee.freshCount &-= 1
        return connection(number)
    }

    /// Finds entries for a worker that has no free ones: the rest of its block, what it removed
    /// itself, a block that others gave back, a block never used.
    private func refill(_ worker: Int) -> Bool {
        let owner = unsafe owner(worker)
        if unsafe owner.pointee.freshCount != 0 { return true }
        reclaim(worker)
        if unsafe owner.pointee.free != ConnectionTable.noEntry { return true }
        let block = takeBlock()
        if block != ConnectionTable.noEntry {
            unsafe owner.pointee.free = block
            unsafe owner.pointee.freeCount = ConnectionTable.blockSize
            return true
        }
        guard highWater < capacity else { return false }
        let first = unsafe header.pointee.fresh.wrappingAdd(
            ConnectionTable.blockSize, ordering: .relaxed
        ).oldValue
        guard first < capacity else {
            unsafe header.pointee.fresh.store(capacity, ordering: .relaxed)
            return false
        }
        unsafe owner.pointee.fresh = first
        unsafe owner.pointee.freshCount = min(ConnectionTable.blockSize, capacity - first)
        return true
    }

    /// Puts an entry or a line that nobody can reach, nor ever could, on the worker's free list.
    func giveBack(_ connection: Connection, _ worker: Int) {
        let owner = unsafe owner(worker)
        unsafe connection.link = owner.pointee.free
        unsafe owner.pointee.free = connection.number
        unsafe owner.pointee.freeCount &+= 1
    }

    /// Puts an entry that nobody can find any more on the worker's list of removed ones.
    func retire(_ connection: Connection, _ worker: Int) {
        let owner = unsafe owner(worker)
        unsafe connection.waitingLink = owner.pointee.retiring
        unsafe owner.pointee.retiring = connection.number
        unsafe owner.pointee.retiringCount &+= 1
    }

    /// Moves removed entries whose epoch every worker has passed to the free ones, and begins an
    /// epoch for those removed since.
    ///
    /// Whole blocks beyond the first two go to the shared list.
    package func reclaim(_ worker: Int) {
        let owner = unsafe owner(worker)
        if unsafe owner.pointee.waiting != ConnectionTable.noEntry,
            unsafe quiescence.hasPassed(owner.pointee.epoch)
        {
            while unsafe owner.pointee.waiting != ConnectionTable.noEntry {
                let freed = unsafe connection(owner.pointee.waiting)
                unsafe owner.pointee.waiting = freed.waitingLink
                if freed.hasExtension { giveBackLines(from: freed.firstLine.number, worker) }
                giveBack(freed, worker)
            }
            unsafe owner.pointee.waitingCount = 0
            while unsafe owner.pointee.freeCount >= 3 * ConnectionTable.blockSize {
                unsafe giveBlock(owner)
            }
        }
        if unsafe owner.pointee.waiting == ConnectionTable.noEntry,
            unsafe owner.pointee.retiring != ConnectionTable.noEntry
        {
            unsafe owner.pointee.waiting = owner.pointee.retiring
            unsafe owner.pointee.waitingCount = owner.pointee.retiringCount
            unsafe owner.pointee.retiring = ConnectionTable.noEntry
            unsafe owner.pointee.retiringCount = 0
            unsafe owner.pointee.epoch = quiescence.advance()
        }
    }

    /// Cuts a block off an owner's free list and pushes it on the shared stack.
    private func giveBlock(_ owner: UnsafeMutablePointer<TableOwner>) {
        let head = unsafe connection(owner.pointee.free)
        var last = head
        for _ in 1..<ConnectionTable.blockSize { last = connection(last.link) }
        unsafe owner.pointee.free = last.link
        unsafe owner.pointee.freeCount &-= ConnectionTable.blockSize
        last.link = ConnectionTable.noEntry
        var top = unsafe header.pointee.blocks.load(ordering: .acquiring)
        while true {
            head.blockLink = UInt32(truncatingIfNeeded: top)
            let new = (top >> 32 &+ 1) << 32 | UInt64(head.number)
            let result = unsafe header.pointee.blocks.compareExchange(
                expected: top, desired: new, ordering: .acquiringAndReleasing)
            if result.exchanged { return }
            top = result.original
        }
    }

    private func takeBlock() -> UInt32 {
        var top = unsafe header.pointee.blocks.load(ordering: .acquiring)
        while true {
            let number = UInt32(truncatingIfNeeded: top)
            guard number != ConnectionTable.noEntry else { return number }
            let next = connection(number).blockLink
            let new = (top >> 32 &+ 1) << 32 | UInt64(next)
            let result = unsafe header.pointee.blocks.compareExchange(
                expected: top, desired: new, ordering: .acquiringAndReleasing)
            if result.exchanged { return number }
            top = result.original
        }
    }
}

/// Where the parts of a table lie: for the benchmark, whose reference in C reads the same table.
@safe
package struct TableLayout {
    package var buckets: UnsafeMutableRawPointer
    package var entries: UnsafeMutableRawPointer
    package var bucketCount: UInt32
    package var seed: (UInt64, UInt64)
}

extension ConnectionTable {
    package var layout: TableLayout {
        unsafe TableLayout(
            buckets: buckets, entries: entries, bucketCount: bucketCount, seed: seed)
    }
}
