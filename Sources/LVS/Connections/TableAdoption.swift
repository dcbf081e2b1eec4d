import Synchronization

/// Takes over a connection table that another process left in memory.
///
/// The other may have been killed between any two instructions, and anybody may have written there:
/// nothing in the memory is trusted.
///
/// The work is in phases that several threads share, each taking its parts:
/// ```
/// entries      each live entry is looked at and looked up in the index by both its keys; its slots, and
///              the lines it has, are noted. One that is not whole, or that nobody can have found, ends.
/// index        slots that no entry has are cleared: tentative ones, and those of ended entries.
/// controllers  holds are counted anew.
/// ```
/// `finish` does the rest: replies that had no slot yet, free lists, counts.
@safe
package final class TableAdoption: @unchecked Sendable {
    let table: ConnectionTable
    let directory: ServerDirectory
    /// The time at which the table is taken over.
    let now: Instant
    /// Entries from here on were never used.
    let limit: UInt32
    let parts: [AdoptionPart]
    /// A bit for each entry below `limit` that is live, or a line of a live one.
    let taken: UnsafeMutablePointer<Atomic<UInt64>>
    let groups: Int
    /// The numbers that mean a server, in ascending order; and for all numbers whether they do.
    let known: [DestinationIndex]
    private let isKnown: [Bool]
    private let owner: AnyObject?

    /// Looks at what the memory says of itself, before anything is changed in it.
    ///
    /// `parts` is how many threads will share the work.
    package init(
        _ memory: TableMemory, connections: Int, workers: Int, now: Instant, parts count: Int = 1
    ) throws(TableRefusal) {
        guard let directory = memory.directory,
            memory.count >= ConnectionTable.bytes(connections: connections, workers: workers)
        else { throw .empty }
        let header = unsafe memory.base.bindMemory(to: TableHeader.self, capacity: 1)
        let seed: (UInt64, UInt64)
        (limit, seed) = try unsafe TableAdoption.judge(
            header, memory.home, connections: connections)
        table = unsafe ConnectionTable(
            viewing: memory.base, connections: connections, workers: workers, seed: seed,
            quiescence: QuiescentState(workers: workers))
        self.directory = directory
        self.now = now
        owner = memory.owner
        groups = (Int(limit) + 63) / 64
        unsafe taken = .allocate(capacity: groups + 1)
        for group in 0...groups { unsafe (taken + group).initialize(to: Atomic(0)) }
        known = directory.known
        var isKnown = [Bool](repeating: false, count: 65_536)
        for number in known { isKnown[Int(number)] = true }
        self.isKnown = isKnown
        let buckets = Int(table.bucketCount) + Int(table.overflowBuckets)
        parts = (0..<max(1, count)).map { _ in AdoptionPart(buckets: buckets) }
    }

    deinit { unsafe taken.deallocate() }

    /// The number of entries in use, and the seed, of a table that can be used here.
    private static func judge(
        _ header: UnsafeMutablePointer<TableHeader>, _ home: TableHome, connections: Int
    ) throws(TableRefusal) -> (UInt32, seed: (UInt64, UInt64)) {
        let magic = unsafe header.pointee.magic
        guard magic != 0 else { throw .empty }
        guard magic == TableHeader.magic else { throw .foreign }
        guard unsafe header.pointee.layout == TableHeader.layout else { throw .otherLayout }
        guard unsafe header.pointee.home.boot == home.boot,
            unsafe header.pointee.home.bootToo == home.bootToo
        else { throw .otherBoot }
        guard unsafe header.pointee.home.network == home.network else { throw .otherNetwork }
        let size = unsafe header.pointee.connections
        guard size == UInt32(connections) else { throw .otherSize(connections: size) }
        let fresh = unsafe header.pointee.fresh.load(ordering: .relaxed)
        return unsafe (min(fresh, size), (header.pointee.seed0, header.pointee.seed1))
    }

    /// Does all of it but `finish`; `share` calls a function for each number below the first argument,
    /// on as many threads as it likes, and returns when all have returned.
    package func run(_ share: (Int, @escaping @Sendable (Int) -> Void) -> Void) {
        let count = parts.count
        share(count) { self.walkEntries(part: $0) }
        share(count) { self.walkIndex(part: $0) }
        guard parts.contains(where: { $0.entries.controlled > 0 }) else { return }
        share(count) { self.walkControllers(part: $0) }
    }

    /// Does all of it on this thread but `finish`.
    package func run() {
        run { count, body in (0..<count).forEach(body) }
    }

    /// Whether a server of this number and address is noted.
    @inline(__always)
    func knows(_ number: DestinationIndex, _ address: IPAddress) -> Bool {
        isKnown[Int(number)] && directory.isAddress(address, of: number)
    }

    /// The part's share of a row of this length.
    func share(_ part: Int, of count: Int) -> Range<Int> {
        count * part / parts.count..<count * (part + 1) / parts.count
    }

    // MARK: Index

    /// Clears what stands in the part's buckets and belongs to no entry.
    private func walkIndex(part number: Int) {
        let part = parts[number]
        let main = Int(table.bucketCount)
        for bucket in share(number, of: main + Int(table.overflowBuckets)) {
            let stands = parts.reduce(0 as UInt8) { unsafe $0 | $1.stands[bucket] }
            let address = unsafe table.buckets + bucket * 64
            // Nearly always all is as it should be.
            var used: UInt8 = 0
            for lane in 0..<8 {
                let word = unsafe table.slot(address, lane).pointee.load(ordering: .relaxed)
                used |= (word == 0 ? 0 : 1) << UInt8(lane)
            }
            if used == stands, bucket < main { continue }
            for lane in 0..<8 {
                let slot = unsafe table.slot(address, lane)
                guard unsafe slot.pointee.load(ordering: .relaxed) != 0 else { continue }
                if stands >> UInt8(lane) & 1 == 0 {
                    unsafe slot.pointee.store(0, ordering: .relaxed)
                    part.cleared += 1
                } else if bucket >= main {
                    part.overflow += 1
                }
            }
        }
    }

    // MARK: Controllers

    /// Counts what each template and control connection is held by.
    private func walkControllers(part number: Int) {
        let part = parts[number]
        forEachEntry(of: number) { entry in
            guard entry.controller != Connection.noNumber else { return }
            if let controller = controller(of: entry), table.hold(controller) { return }
            unsafe entry.entry.set(56, le32: Connection.noNumber)
            part.uncontrolled += 1
        }
    }

    /// The entry that may control this one: a template, or for plain connections a control connection as
    /// well, so that none controls itself by way of others.
    private func controller(of entry: Connection) -> Connection? {
        guard !entry.isTemplate, entry.controller < limit else { return nil }
        let found = table.connection(entry.controller)
        guard found.isLive, found.isTemplate || found.hasHelper && !entry.hasHelper else {
            return nil
        }
        return found
    }

    /// Calls `body` for the live entries of a part.
    func forEachEntry(of part: Int, _ body: (Connection) -> Void) {
        for group in share(part, of: groups) {
            var bits = unsafe taken[group].load(ordering: .relaxed)
            while bits != 0 {
                let entry = table.connection(UInt32(group * 64 + bits.trailingZeroBitCount))
                bits &= bits &- 1
                // Of what is taken lines are not live.
                if entry.isLive { body(entry) }
            }
        }
    }
}

/// What one thread notes of its share of a table.
@safe
final class AdoptionPart: @unchecked Sendable {
    /// A bit for each slot of each bucket that an entry of this part has.
    let stands: UnsafeMutablePointer<UInt8>
    /// For each number: connections counted as active, as inactive, templates, and connections whose
    /// replies are translated.
    let loads: UnsafeMutablePointer<ServerTally>
    var flaws = [Int](repeating: 0, count: AdoptionFlaw.allCases.count)
    /// Entries that their replies do not find yet.
    var unanswered: [UInt32] = []
    var entries = EntryTally()
    /// Entries whose controller does not exist.
    var uncontrolled = 0
    /// Slots that were cleared, and slots in use in the overflow area.
    var cleared = 0
    var overflow: UInt32 = 0

    init(buckets: Int) {
        unsafe stands = .allocate(capacity: buckets)
        unsafe stands.initialize(repeating: 0, count: buckets)
        unsafe loads = .allocate(capacity: 65_536)
        unsafe loads.initialize(repeating: ServerTally(), count: 65_536)
    }

    deinit {
        unsafe stands.deallocate()
        unsafe loads.deallocate()
    }

    func note(_ flaw: AdoptionFlaw) { flaws[flaw.rawValue] += 1 }
}

/// Entries that stay, and of what kinds they are.
struct EntryTally: Hashable {
    var live = 0
    var unknownPorts: UInt32 = 0
    /// Those that name a controlling one.
    var controlled = 0
    var fullNAT = 0
}

/// What a server has of a table.
struct ServerTally: Hashable {
    var active: UInt32 = 0
    var inactive: UInt32 = 0
    var templates: UInt32 = 0
    /// Connections whose replies are translated.
    var translated: UInt32 = 0

    static func + (left: ServerTally, right: ServerTally) -> ServerTally {
        ServerTally(
            active: left.active &+ right.active, inactive: left.inactive &+ right.inactive,
            templates: left.templates &+ right.templates,
            translated: left.translated &+ right.translated)
    }
}
