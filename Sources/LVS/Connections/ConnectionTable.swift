import CIntrinsics
import Synchronization

/// The connection table: an index of 64-byte buckets over a slab of 64-byte entries, in memory that
/// is handed in and holds numbers only, no pointers (swift-data-plane 3).
///
/// ```
/// slot of a bucket:  tag 30 | tentative 1 | direction 1 | entry number 32      0 is free
/// memory:            header | buckets | overflow buckets | entries | owners
/// ```
/// Look-ups never lock and never write the index. Any worker inserts and removes; the housekeeper
/// does so as the worker numbered `workers`. A key stands in one of two buckets, or in the small
/// overflow area that is searched only while it is not empty.
@safe
package struct ConnectionTable: @unchecked Sendable {
    /// A found entry and which of its keys matched.
    package struct Match {
        package var connection: Connection
        package var direction: Direction
    }

    /// Position of a slot: bucket and lane.
    typealias Slot = UnsafeMutablePointer<Atomic<UInt64>>

    static let tentative: UInt64 = 1 << 33
    static let noEntry = UInt32.max

    let header: UnsafeMutablePointer<TableHeader>
    let owners: UnsafeMutableRawPointer
    let buckets: UnsafeMutableRawPointer
    let overflow: UnsafeMutableRawPointer
    let entries: UnsafeMutableRawPointer
    let bucketCount: UInt32
    let overflowBuckets: UInt32
    /// Most entries the table holds: one for a connection, and one for each line of its extension.
    package let capacity: UInt32
    /// Most connections of one table: all of them may be active on one server.
    package static let mostConnections = ServerLoad.mostActive
    package let workers: Int
    let seed: (UInt64, UInt64)
    package let quiescence: QuiescentState
    /// Bytes of memory in use, the index and the slab.
    package let memoryBytes: Int

    // MARK: Look-up

    /// What a hash says: two buckets and the tag, shifted to where slots keep it.
    struct Place {
        var first: UInt32
        var second: UInt32
        /// The upper half of a slot word, with tentative and direction bits 0.
        var tag: UInt32
    }

    @inline(__always)
    func place(_ key: ConnectionKey) -> Place { place(hash: key.hash(seed)) }

    @inline(__always)
    func place(hash: UInt64) -> Place {
        let count = UInt64(bucketCount)
        let tag = UInt32(truncatingIfNeeded: (hash &* 0xff51_afd7_ed55_8ccd) >> 32)
        return Place(
            first: UInt32(truncatingIfNeeded: ((hash >> 32) &* count) >> 32),
            second: UInt32(truncatingIfNeeded: ((hash & 0xffff_ffff) &* count) >> 32),
            tag: tag & ~3 | 4)
    }

    @inline(__always)
    func bucket(_ number: UInt32) -> UnsafeMutableRawPointer {
        unsafe buckets + Int(number) &* 64
    }

    @inline(__always)
    func slot(_ bucket: UnsafeMutableRawPointer, _ lane: Int) -> Slot {
        unsafe (bucket + lane &* 8).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// The entry of a number below `capacity`.
    @inline(__always)
    package func connection(_ number: UInt32) -> Connection {
        unsafe Connection(entry: entries + Int(number) &* Connection.bytes, number: number)
    }

    /// The word of the first slot of a bucket that carries the tag; nil when there is none, and 0
    /// when the slot was given up meanwhile.
    ///
    /// A filter; the entry's key is compared by whoever uses it.
    @inline(__always)
    func candidate(_ bucket: UnsafeMutableRawPointer, _ tag: UInt32) -> UInt64? {
        let found = unsafe lvs_match_tags(bucket, tag)
        guard found != 0 else { return nil }
        let offset = found.trailingZeroBitCount &* 4
        return unsafe (bucket + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
            .pointee.load(ordering: .acquiring)
    }

    /// The live entry that a tuple belongs to; entries whose timeout has passed are not found.
    package func find(_ tuple: ConnectionTuple, now: Instant) -> Match? {
        find(tuple, key(tuple), tick: now.tick)
    }

    /// As `find`, also returning an entry whose timeout has passed (nil tick).
    func find(_ tuple: ConnectionTuple, _ key: ConnectionKey, tick: UInt32?) -> Match? {
        let place = place(key)
        if let match = unsafe find(in: bucket(place.first), key, tuple, place.tag, tick) {
            return match
        }
        if let match = unsafe find(in: bucket(place.second), key, tuple, place.tag, tick) {
            return match
        }
        guard unsafe header.pointee.overflowCount.load(ordering: .acquiring) != 0 else {
            return nil
        }
        for turn in UInt32(0)..<2 {
            let bucket = unsafe overflowBucket(place, turn)
            if let match = unsafe find(in: bucket, key, tuple, place.tag, tick) { return match }
        }
        return nil
    }

    /// The first or second bucket of the overflow area in which a key may stand: two neighbours, so
    /// that a miss costs two lines whatever the area holds.
    func overflowBucket(_ place: Place, _ turn: UInt32) -> UnsafeMutableRawPointer {
        let mixed = (place.first ^ place.second &* 0x85eb_ca6b) &* 0x9e37_79b1
        let first = UInt32(truncatingIfNeeded: (UInt64(mixed) &* UInt64(overflowBuckets)) >> 32)
        let number = first &+ turn == overflowBuckets ? 0 : first &+ turn
        return unsafe overflow + Int(number) &* 64
    }

    private func find(
        in bucket: UnsafeMutableRawPointer, _ key: ConnectionKey, _ tuple: ConnectionTuple,
        _ tag: UInt32, _ tick: UInt32?
    ) -> Match? {
        var lanes = unsafe lvs_match_tags(bucket, tag)
        while lanes != 0 {
            let lane = lanes.trailingZeroBitCount / 2
            lanes &= ~(3 << UInt32(lane * 2))
            let word = unsafe slot(bucket, lane).pointee.load(ordering: .acquiring)
            guard UInt32(truncatingIfNeeded: word >> 32) & ~1 == tag else { continue }
            let found = connection(UInt32(truncatingIfNeeded: word))
            let direction: Direction = word >> 32 & 1 == 0 ? .inbound : .outbound
            let control = found.control
            guard control.isLive, found.key(direction) == key,
                found.confirms(tuple, direction)
            else { continue }
            if let tick, found.isOverdue(tick: tick), !livesOn(found, tick: tick) { continue }
            guard direction == .outbound, control.isDuplicate else {
                return Match(connection: found, direction: direction)
            }
            return newest(key, tuple, place(key), tick)
                ?? Match(connection: found, direction: direction)
        }
        return nil
    }

    /// Replies follow the newest of several connections with one outbound key (ipvs-semantics 4.2).
    private func newest(
        _ key: ConnectionKey, _ tuple: ConnectionTuple, _ place: Place, _ tick: UInt32?
    ) -> Match? {
        var best: Connection?
        unsafe forEachSlot(of: place) { _, word in
            guard word >> 32 & 1 == 1, word & ConnectionTable.tentative == 0 else { return true }
            let other = connection(UInt32(truncatingIfNeeded: word))
            guard other.isLive, other.key(.outbound) == key, other.confirms(tuple, .outbound)
            else { return true }
            if let tick, other.isOverdue(tick: tick), !livesOn(other, tick: tick) { return true }
            if let known = best, known.rank >= other.rank { return true }
            best = other
            return true
        }
        return best.map { Match(connection: $0, direction: .outbound) }
    }

    /// Calls `body` for every slot that carries the place's tag, tentative ones included, until it
    /// returns false.
    ///
    /// Scans both buckets, and the overflow area while that is not empty.
    @inline(__always)
    func forEachSlot(of place: Place, _ body: (Slot, UInt64) -> Bool) {
        guard unsafe scan(bucket(place.first), place.tag, body) else { return }
        if place.second != place.first {
            guard unsafe scan(bucket(place.second), place.tag, body) else { return }
        }
        guard unsafe header.pointee.overflowCount.load(ordering: .sequentiallyConsistent) != 0
        else { return }
        for turn in UInt32(0)..<2 {
            guard unsafe scan(overflowBucket(place, turn), place.tag, body) else { return }
        }
    }

    @inline(__always)
    private func scan(
        _ bucket: UnsafeMutableRawPointer, _ tag: UInt32, _ body: (Slot, UInt64) -> Bool
    ) -> Bool {
        var lanes = unsafe lvs_match_slots(bucket, tag)
        while lanes != 0 {
            let lane = lanes.trailingZeroBitCount / 2
            lanes &= ~(3 << UInt32(lane * 2))
            let position = unsafe slot(bucket, lane)
            let word = unsafe position.pointee.load(ordering: .sequentiallyConsistent)
            guard UInt32(truncatingIfNeeded: word >> 32) & ~3 == tag else { continue }
            guard unsafe body(position, word) else { return false }
        }
        return true
    }

    // MARK: Listing

    /// Live connections.
    package var count: Int {
        var total: Int64 = 0
        for worker in 0...workers {
            total &+= unsafe owner(worker).pointee.live.load(ordering: .relaxed)
        }
        return Int(max(0, total))
    }

    /// Keys that found no room in their two buckets.
    package var overflowCount: Int {
        unsafe Int(header.pointee.overflowCount.load(ordering: .relaxed))
    }

    /// Entries below this number have been used since the table was made.
    package var highWater: UInt32 {
        min(capacity, unsafe header.pointee.fresh.load(ordering: .acquiring))
    }

    /// Calls `body` for every live connection, in the order of the slab (housekeeper).
    package func forEach(_ body: (Connection) -> Void) { forEach(in: 0..<highWater, body) }

    /// As above, for the entries of these numbers; none of them is used again meanwhile.
    func forEach(in numbers: Range<UInt32>, _ body: (Connection) -> Void) {
        quiescence.wake(workers)
        for number in numbers {
            let connection = connection(number)
            if connection.isLive { body(connection) }
        }
        quiescence.sleep(workers)
    }
}
