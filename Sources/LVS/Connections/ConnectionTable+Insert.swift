import CIntrinsics
import Synchronization

/// What became of an attempt to insert a connection.
package enum InsertResult {
    case inserted(Connection)
    /// Somebody else has made a connection of the same inbound key.
    case existing(Connection)
    /// No entry, or no room in the index, is left.
    case full
}

extension ConnectionTable {
    /// Makes an entry and publishes it: its inbound key, and for NAT its outbound key too.
    ///
    /// Of several workers with one inbound key exactly one inserts; the others get its entry. The
    /// hold on a controlling template goes over to the new entry, or is released here.
    ///
    /// `write` completes the entry's extra lines before anybody can find it.
    package func insert(
        _ spec: ConnectionSpec, worker: Int, now: Instant, write: (Connection) -> Void = { _ in }
    ) -> InsertResult {
        let tuple = spec.inboundTuple
        let key = key(tuple)
        let place = place(key)
        let reply = spec.outboundTuple
        let replyKey = self.key(reply)
        let replyPlace = self.place(replyKey)
        // All lines at once, not one after the other.
        prefetch(place)
        if spec.isFoundByReplies { prefetch(replyPlace) }
        prefetchEntry(worker)
        if let found = find(tuple, key, tick: now.tick), found.direction == .inbound {
            releaseHold(spec.controller)
            return .existing(found.connection)
        }
        guard let entry = make(spec, keys: (key, replyKey), (tuple, reply), worker, now) else {
            releaseHold(spec.controller)
            return .full
        }
        write(entry)
        switch publishInbound(entry, key, tuple, place, tick: now.tick) {
        case .existing(let winner):
            discard(entry, worker)
            return .existing(winner)
        case .full:
            discard(entry, worker)
            return .full
        case .inserted: break
        }
        unsafe owner(worker).pointee.live.wrappingAdd(1, ordering: .relaxed)
        if spec.hasUnknownPort { countUnknownPort(1) }
        if spec.isFoundByReplies, !publishOutbound(entry, replyKey, reply, replyPlace) {
            _ = expire(entry, worker: worker)
            return .full
        }
        return .inserted(entry)
    }

    /// An entry with its extension lines, written but not published; nil when the table is full.
    private func make(
        _ spec: ConnectionSpec, keys: (ConnectionKey, ConnectionKey),
        _ tuples: (ConnectionTuple, ConnectionTuple), _ worker: Int, _ now: Instant
    ) -> Connection? {
        guard let entry = takeEntry(worker) else { return nil }
        guard let lines = takeLines(spec, worker) else {
            giveBack(entry, worker)
            return nil
        }
        entry.write(spec, keys: keys, tuples: tuples, lines: lines, now: now)
        return entry
    }

    /// Adds to the connections whose client's port is not known; `.max` takes one off.
    private func countUnknownPort(_ amount: UInt32) {
        unsafe header.pointee.unknownPorts.wrappingAdd(amount, ordering: .acquiringAndReleasing)
    }

    private func discard(_ entry: Connection, _ worker: Int) {
        releaseHold(entry.controller)
        unsafe entry.word(0).pointee.store(0, ordering: .releasing)
        retire(entry, worker)
    }

    static func word(_ place: Place, _ direction: Direction, _ number: UInt32) -> UInt64 {
        UInt64(place.tag | UInt32(direction.rawValue)) << 32 | UInt64(number)
    }

    /// The tentative insertion of swift-data-plane 3.3: every claim of a slot is visible before the
    /// claimant looks for others, so of two at least one sees the other.
    private func publishInbound(
        _ entry: Connection, _ key: ConnectionKey, _ tuple: ConnectionTuple, _ place: Place,
        tick: UInt32
    ) -> InsertResult {
        let word = ConnectionTable.word(place, .inbound, entry.number)
        let claim = word | ConnectionTable.tentative
        while true {
            guard let slot = unsafe claimSlot(place, claim) else { return .full }
            var rival: Rival
            repeat {
                rival = unsafe findRival(entry, key, tuple, place, slot, tick)
            } while rival == .again
            switch rival {
            case .committed(let number):
                unsafe release(slot, claim)
                return .existing(connection(number))
            case .stronger:
                unsafe release(slot, claim)
                continue
            case .none, .again: break
            }
            if unsafe slot.pointee.compareExchange(
                expected: claim, desired: word, ordering: .sequentiallyConsistent
            ).exchanged {
                return .inserted(entry)
            }
            // A rival with a lower address has cleared the slot; the overflow count is ours.
            unsafe uncount(slot)
        }
    }

    /// What an inserter finds beside its own claim.
    private enum Rival: Equatable {
        case none
        case committed(UInt32)
        /// A tentative claim at a lower address, which wins.
        case stronger
        /// The picture changed while it was looked at.
        case again
    }

    private func findRival(
        _ entry: Connection, _ key: ConnectionKey, _ tuple: ConnectionTuple, _ place: Place,
        _ own: Slot, _ tick: UInt32
    ) -> Rival {
        var rival = Rival.none
        unsafe forEachSlot(of: place) { slot, word in
            guard unsafe slot != own, word >> 32 & 1 == 0 else { return true }
            let other = connection(UInt32(truncatingIfNeeded: word))
            let control = other.control
            guard control.isLive, other.key(.inbound) == key, other.confirms(tuple, .inbound)
            else { return true }
            if word & ConnectionTable.tentative == 0 {
                // An overdue one is as good as gone; the sweep takes it away.
                if other.isOverdue(tick: tick), !livesOn(other, tick: tick) { return true }
                rival = .committed(other.number)
                return false
            }
            guard unsafe own < slot else {
                rival = .stronger
                return false
            }
            let cleared = unsafe slot.pointee.compareExchange(
                expected: word, desired: 0, ordering: .sequentiallyConsistent
            ).exchanged
            if cleared { return true }
            rival = .again
            return false
        }
        return rival
    }

    /// Publishes the outbound key at once.
    ///
    /// An equal key of another connection is legal; the newer one gets the higher rank and both are
    /// marked, so that look-ups compare.
    func publishOutbound(
        _ entry: Connection, _ key: ConnectionKey, _ tuple: ConnectionTuple, _ place: Place
    ) -> Bool {
        rankAmongEquals(entry, key, tuple, place)
        let word = ConnectionTable.word(place, .outbound, entry.number)
        guard let slot = unsafe claimSlot(place, word) else { return false }
        rankAmongEquals(entry, key, tuple, place)
        // Someone may have ended the connection between the two publications and found no outbound
        // slot to clear.
        if !entry.isLive { unsafe release(slot, word) }
        return true
    }

    private func rankAmongEquals(
        _ entry: Connection, _ key: ConnectionKey, _ tuple: ConnectionTuple, _ place: Place
    ) {
        var highest: UInt16?
        unsafe forEachSlot(of: place) { _, word in
            let number = UInt32(truncatingIfNeeded: word)
            guard word >> 32 & 1 == 1, number != entry.number else { return true }
            let other = connection(number)
            guard other.isLive, other.key(.outbound) == key, other.confirms(tuple, .outbound)
            else { return true }
            highest = max(highest ?? 0, other.rank)
            other.markDuplicate()
            return true
        }
        guard let highest, entry.rank <= highest else { return }
        unsafe entry.entry.set(50, le16: highest == .max ? .max : highest + 1)
        entry.markDuplicate()
    }

    // MARK: Slots

    /// Claims a free slot: in the first bucket unless it has at most two free ones and the second
    /// has more, else in the overflow area; nil when there is none.
    private func claimSlot(_ place: Place, _ word: UInt64) -> Slot? {
        let first = unsafe bucket(place.first)
        let second = unsafe bucket(place.second)
        for _ in 0..<64 {
            let left = unsafe free(first)
            let right = left <= 2 ? unsafe free(second) : 0
            if left == 0, right == 0 { break }
            let bucket = unsafe right > left ? second : first
            if let slot = unsafe claimSlot(in: bucket, word) { return unsafe slot }
        }
        unsafe header.pointee.overflowCount.wrappingAdd(1, ordering: .sequentiallyConsistent)
        for turn in UInt32(0)..<2 {
            if let slot = unsafe claimSlot(in: overflowBucket(place, turn), word) {
                return unsafe slot
            }
        }
        unsafe header.pointee.overflowCount.wrappingSubtract(1, ordering: .sequentiallyConsistent)
        return nil
    }

    private func free(_ bucket: UnsafeMutableRawPointer) -> Int {
        unsafe lvs_match_tags(bucket, 0).nonzeroBitCount / 2
    }

    private func claimSlot(in bucket: UnsafeMutableRawPointer, _ word: UInt64) -> Slot? {
        var lanes = unsafe lvs_match_tags(bucket, 0)
        while lanes != 0 {
            let lane = lanes.trailingZeroBitCount / 2
            lanes &= ~(3 << UInt32(lane * 2))
            let slot = unsafe slot(bucket, lane)
            let claimed = unsafe slot.pointee.compareExchange(
                expected: 0, desired: word, ordering: .sequentiallyConsistent
            ).exchanged
            if claimed { return unsafe slot }
        }
        return nil
    }

    /// Frees a slot that still holds `word`; others may have done so.
    func release(_ slot: Slot, _ word: UInt64) {
        let released = unsafe slot.pointee.compareExchange(
            expected: word, desired: 0, ordering: .sequentiallyConsistent
        ).exchanged
        if released { unsafe uncount(slot) }
    }

    /// Takes a freed slot off the overflow count when it lay there.
    private func uncount(_ slot: Slot) {
        guard unsafe UnsafeMutableRawPointer(slot) >= overflow else { return }
        unsafe header.pointee.overflowCount.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }

    // MARK: Removal

    /// Ends a connection: true for the one caller who did.
    ///
    /// It moves the counts of the destination; the entry stays readable until that caller's next
    /// quiescent state.
    package func expire(_ connection: Connection, worker: Int) -> Bool {
        prefetchSlots(connection)
        var control = connection.control
        while true {
            guard control.isLive else { return false }
            let dead = ConnectionControl(rawValue: control.rawValue & ~ConnectionControl.live)
            if connection.exchange(control, for: dead) { break }
            control = connection.control
        }
        removeSlot(connection, .inbound)
        if connection.isFoundByReplies { removeSlot(connection, .outbound) }
        releaseHold(connection.controller)
        unsafe owner(worker).pointee.live.wrappingSubtract(1, ordering: .relaxed)
        if connection.hasUnknownPort { countUnknownPort(.max) }
        retire(connection, worker)
        return true
    }

    func removeSlot(_ connection: Connection, _ direction: Direction) {
        let place = place(connection.key(direction))
        let word = ConnectionTable.word(place, direction, connection.number)
        unsafe forEachSlot(of: place) { slot, found in
            guard found & ~ConnectionTable.tentative == word else { return true }
            unsafe release(slot, found)
            return false
        }
    }

    /// Looks at `count` entries from number `from` on, ends those whose timeout has passed and
    /// hands each to `removed`; returns where to go on, 0 after the last used entry.
    package func sweep(
        from: UInt32, count: UInt32, worker: Int, now: Instant, removed: (Connection) -> Void,
        renewed: (Connection) -> Void = { _ in }
    ) -> UInt32 {
        let limit = highWater
        guard from < limit else { return 0 }
        let end = UInt32(min(UInt64(limit), UInt64(from) + UInt64(count)))
        let tick = now.tick
        unsafe withUnsafeTemporaryAllocation(
            of: UInt32.self, capacity: ConnectionTable.endedAtOnce
        ) { due in
            var waiting = 0
            func endAll() {
                for index in 0..<waiting {
                    let entry = unsafe connection(due[index])
                    // A packet may have come meanwhile.
                    guard entry.isOverdue(tick: tick) else { continue }
                    if entry.canBeHeld, renews(entry, tick: tick) {
                        renewed(entry)
                        continue
                    }
                    if expire(entry, worker: worker) { removed(entry) }
                }
                waiting = 0
            }
            quiescence.wake(workers)
            for number in from..<end {
                let entry = connection(number)
                guard entry.isLive, entry.isOverdue(tick: tick) else { continue }
                prefetchSlots(entry)
                unsafe due.initializeElement(at: waiting, to: number)
                waiting += 1
                if waiting == ConnectionTable.endedAtOnce { endAll() }
            }
            endAll()
            quiescence.sleep(workers)
        }
        return end == limit ? 0 : end
    }

    /// Overdue connections whose lines the sweep asks for before it ends the first of them.
    private static let endedAtOnce = 16
}

extension Connection {
    /// Says that another entry has the same outbound key.
    func markDuplicate() {
        var old = control
        while !old.isDuplicate, old.isLive {
            let new = ConnectionControl(rawValue: old.rawValue | ConnectionControl.duplicate)
            if exchange(old, for: new) { return }
            old = control
        }
    }
}
