/// What lblc and lblcr remember of each virtual address, with the kernel's collection of entries
/// that nobody asks for any more (ipvs-semantics 2.7).
///
/// Entries stand in one array and are chained by position, so that a hit allocates nothing.
struct LocalityCache<Memory> {
    /// An address, when it was asked for last, and what is remembered of it.
    private struct Entry {
        var address: IPAddress
        var lastUse: Instant
        /// Position of the next entry in the bucket or in the free list.
        var next: Int32
        /// Nil in the free list.
        var memory: Memory?
    }

    /// The end of a chain.
    private let end: Int32 = -1
    private let bits: UInt32 = 10
    /// Above this size the regular collection removes entries before they expire.
    private let comfortable = 16_384
    /// Above this size new addresses are not remembered, as in later kernels: without a limit
    /// strangers could fill the memory between two collections.
    private let most = 24_576

    private var heads: [Int32]
    private var entries: [Entry] = []
    private var free: Int32
    private(set) var count = 0

    /// When the next collection is due; nil until the first second has passed.
    private var nextCollection: Instant?
    private var collections = 0
    /// The bucket visited last by a collection that ended early.
    private var rover = 0

    init() {
        heads = [Int32](repeating: end, count: 1 << Int(bits))
        free = end
    }

    /// Where an address is remembered, and what, noting that it was asked for; the position holds until
    /// the next insertion or collection.
    mutating func recall(
        _ address: IPAddress, at now: Instant
    ) -> (position: Int, memory: Memory)? {
        var position = heads[bucket(address)]
        while position != end {
            if entries[Int(position)].address == address {
                entries[Int(position)].lastUse = now
                return entries[Int(position)].memory.map { (Int(position), $0) }
            }
            position = entries[Int(position)].next
        }
        return nil
    }

    /// What is remembered of an address, without a note that somebody asked.
    func peek(_ address: IPAddress) -> Memory? {
        var position = heads[bucket(address)]
        while position != end {
            let entry = entries[Int(position)]
            if entry.address == address { return entry.memory }
            position = entry.next
        }
        return nil
    }

    /// What is remembered at a position that `recall` returned.
    subscript(position: Int) -> Memory? {
        get { entries[position].memory }
        set { entries[position].memory = newValue }
    }

    /// Remembers an address that is not in the cache, unless that is full.
    mutating func insert(_ address: IPAddress, _ memory: Memory, at now: Instant) {
        guard count < most else { return }
        let head = bucket(address)
        let entry = Entry(address: address, lastUse: now, next: heads[head], memory: memory)
        if free != end {
            heads[head] = free
            free = entries[Int(free)].next
            entries[Int(heads[head])] = entry
        } else {
            heads[head] = Int32(entries.count)
            entries.append(entry)
        }
        count += 1
    }

    /// True when something is remembered that fits.
    func contains(_ fits: (Memory) -> Bool) -> Bool {
        entries.contains { entry in entry.memory.map(fits) ?? false }
    }

    /// Removes what has not been used, when a collection is due: every minute if there are very many
    /// entries, and every half hour those that have expired.
    mutating func collect(_ now: Instant, expirationSeconds: Int) {
        guard let due = nextCollection, now >= due else {
            nextCollection = nextCollection ?? now.advanced(bySeconds: 60)
            return
        }
        nextCollection = now.advanced(bySeconds: 60)
        collections += 1
        if collections % 30 == 0 {
            let age = UInt64(max(expirationSeconds, 0))
            for bucket in heads.indices {
                sweep(bucket) { $0.lastUse.advanced(bySeconds: age) <= now }
            }
        } else if count > comfortable {
            shrink(now, by: min((count - comfortable) * 4 / 3, comfortable / 2))
        }
    }

    private mutating func shrink(_ now: Instant, by goal: Int) {
        let target = count - goal
        for _ in heads.indices {
            rover = (rover + 1) % heads.count
            sweep(rover) { $0.lastUse.advanced(bySeconds: 360) <= now }
            if count <= target { return }
        }
    }

    /// Takes entries out of a bucket.
    private mutating func sweep(_ bucket: Int, _ shallGo: (Entry) -> Bool) {
        var previous = end
        var position = heads[bucket]
        while position != end {
            let next = entries[Int(position)].next
            if shallGo(entries[Int(position)]) {
                if previous == end {
                    heads[bucket] = next
                } else {
                    entries[Int(previous)].next = next
                }
                entries[Int(position)].memory = nil
                entries[Int(position)].next = free
                free = position
                count -= 1
            } else {
                previous = position
            }
            position = next
        }
    }

    private func bucket(_ address: IPAddress) -> Int {
        AddressHash.bucket(AddressHash.fold(address), bits: bits)
    }
}
