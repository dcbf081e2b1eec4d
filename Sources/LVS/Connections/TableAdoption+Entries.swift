import CIntrinsics
import Synchronization

// The first phase of an adoption: entries in the order of the slab, 64 at a time, so that the buckets of
// one group are on their way while its next entries are read.

extension TableAdoption {
    /// An entry that is whole, and where its slots have been found.
    private struct Candidate {
        var number: UInt32
        var control: ConnectionControl
        var inbound: ConnectionTable.Place
        var outbound: ConnectionTable.Place
        /// Bucket times 8 plus lane; `nowhere` until found.
        var inboundSlot = Candidate.nowhere
        var outboundSlot = Candidate.nowhere

        static let nowhere = Int.max
    }

    /// Looks at the part's entries.
    func walkEntries(part number: Int) {
        let part = parts[number]
        var sum = EntryTally()
        unsafe withUnsafeTemporaryAllocation(of: Candidate.self, capacity: 64) { room in
            guard let found = room.baseAddress else { return }
            for group in share(number, of: groups) {
                let count = unsafe collect(group, part, found)
                for index in 0..<count { unsafe lookUp(&found[index], part, inFirst: true) }
                for index in 0..<count { unsafe lookUp(&found[index], part, inFirst: false) }
                var bits: UInt64 = 0
                for index in 0..<count {
                    let candidate = unsafe found[index]
                    guard settle(candidate, part, &sum) else { continue }
                    bits |= 1 << UInt64(candidate.number & 63)
                }
                guard bits != 0 else { continue }
                unsafe taken[group].bitwiseOr(bits, ordering: .relaxed)
            }
        }
        part.entries = sum
    }

    /// Inspects the live entries of a group, and asks for the buckets of those that are whole.
    private func collect(
        _ group: Int, _ part: AdoptionPart, _ found: UnsafeMutablePointer<Candidate>
    ) -> Int {
        var count = 0
        for number in UInt32(group * 64)..<min(limit, UInt32(group * 64 + 64)) {
            let entry = table.connection(number)
            // The next group's: the processor itself looks no further ahead than a small page.
            unsafe lvs_prefetch(entry.entry + 64 * Connection.bytes)
            let control = entry.control
            guard control.isLive else { continue }
            if let flaw = flaw(of: entry, control) {
                end(entry, for: flaw, part)
                continue
            }
            let inbound = table.place(entry.key(side: 0))
            let outbound =
                entry.isFoundByReplies ? table.place(entry.key(.outbound)) : inbound
            unsafe lvs_prefetch(table.bucket(inbound.first))
            unsafe lvs_prefetch(table.bucket(outbound.first))
            unsafe (found + count).initialize(
                to: Candidate(
                    number: number, control: control, inbound: inbound, outbound: outbound))
            count += 1
        }
        return count
    }

    /// Looks for the slots of a candidate, in the first bucket of each key, then in the others.
    private func lookUp(_ candidate: inout Candidate, _ part: AdoptionPart, inFirst: Bool) {
        let entry = table.connection(candidate.number)
        if candidate.inboundSlot == Candidate.nowhere, !entry.isInvalidTemplate {
            candidate.inboundSlot = slot(
                of: candidate.number, .inbound, candidate.inbound, part, inFirst: inFirst)
        }
        if candidate.outboundSlot == Candidate.nowhere, entry.isFoundByReplies {
            candidate.outboundSlot = slot(
                of: candidate.number, .outbound, candidate.outbound, part, inFirst: inFirst)
        }
    }

    private func slot(
        of number: UInt32, _ direction: Direction, _ place: ConnectionTable.Place,
        _ part: AdoptionPart, inFirst: Bool
    ) -> Int {
        let word = ConnectionTable.word(place, direction, number)
        if inFirst {
            if let slot = slot(of: word, in: Int(place.first)) {
                unsafe lvs_prefetch(part.stands + (slot >> 3))
                return slot
            }
            unsafe lvs_prefetch(table.bucket(place.second))
            return Candidate.nowhere
        }
        if let slot = slot(of: word, in: Int(place.second)) {
            unsafe lvs_prefetch(part.stands + (slot >> 3))
            return slot
        }
        for turn in UInt32(0)..<2 {
            let bucket = unsafe (table.overflowBucket(place, turn) - table.buckets) / 64
            if let slot = slot(of: word, in: bucket) { return slot }
        }
        return Candidate.nowhere
    }

    @inline(__always)
    private func slot(of word: UInt64, in bucket: Int) -> Int? {
        let address = unsafe table.buckets + bucket &* 64
        // One compare of all tags, since a search from lane to lane ends where nobody can foresee.
        var lanes = unsafe lvs_match_tags(address, UInt32(truncatingIfNeeded: word >> 32) & ~1)
        while lanes != 0 {
            let lane = lanes.trailingZeroBitCount / 2
            lanes &= ~(3 << UInt32(lane * 2))
            let found = unsafe table.slot(address, lane).pointee.load(ordering: .relaxed)
            if found == word { return bucket &* 8 &+ lane }
        }
        return nil
    }

    /// Decides about a candidate; true when it stays.
    private func settle(
        _ candidate: Candidate, _ part: AdoptionPart, _ sum: inout EntryTally
    ) -> Bool {
        let entry = table.connection(candidate.number)
        // Nobody can have found what has no slot: it was just being made. A template that was taken out
        // of the index is known to those that it controls.
        guard candidate.inboundSlot != Candidate.nowhere || entry.isInvalidTemplate else {
            end(entry, for: .unfinished, part)
            return false
        }
        guard !entry.hasExtension || claimLines(of: entry) else {
            end(entry, for: .lines, part)
            return false
        }
        note(candidate.inboundSlot, part)
        if entry.isFoundByReplies {
            if candidate.outboundSlot == Candidate.nowhere {
                part.unanswered.append(entry.number)
            } else {
                note(candidate.outboundSlot, part)
            }
        }
        refresh(entry)
        count(entry, candidate.control, part, &sum)
        return true
    }

    private func note(_ slot: Int, _ part: AdoptionPart) {
        guard slot != Candidate.nowhere else { return }
        unsafe part.stands[slot >> 3] |= 1 << UInt8(slot & 7)
    }

    private func end(_ entry: Connection, for flaw: AdoptionFlaw, _ part: AdoptionPart) {
        unsafe entry.word(0).pointee.store(0, ordering: .relaxed)
        part.note(flaw)
    }

    /// Takes the lines of a whole entry; false when another entry has one of them.
    private func claimLines(of entry: Connection) -> Bool {
        var claimed = 0
        var line: Connection? = entry.firstLine
        while let next = line {
            let bit: UInt64 = 1 << UInt64(next.number & 63)
            let old = unsafe taken[Int(next.number) >> 6].bitwiseOr(bit, ordering: .relaxed)
                .oldValue
            if old & bit != 0 { break }
            claimed += 1
            line = next.nextLine
        }
        guard line != nil else { return true }
        line = entry.firstLine
        for _ in 0..<claimed {
            guard let next = line else { break }
            unsafe taken[Int(next.number) >> 6].bitwiseAnd(
                ~(1 << UInt64(next.number & 63)), ordering: .relaxed)
            line = next.nextLine
        }
        return false
    }

    /// Forgets what was true for the other process only, and times that cannot be.
    private func refresh(_ entry: Connection) {
        // Its next hop, or who holds a template.
        if entry.clientHop != 0 { entry.setClientHop(0) }
        if entry.hasHelper {
            unsafe entry.holdersWord?.pointee.store(0, ordering: .relaxed)
        }
        if Int32(bitPattern: now.tick &- entry.lastSeen) < 0 { entry.touch(now.tick) }
        if entry.timeoutSeconds > Timeouts.longest { entry.setTimeout(Timeouts.longest) }
    }

    private func count(
        _ entry: Connection, _ control: ConnectionControl, _ part: AdoptionPart,
        _ sum: inout EntryTally
    ) {
        sum.live += 1
        if entry.hasUnknownPort { sum.unknownPorts += 1 }
        if entry.controller != Connection.noNumber { sum.controlled += 1 }
        if control.isFullNAT { sum.fullNAT += 1 }
        guard control.destination != Destination.none else { return }
        let load = unsafe part.loads + Int(control.destination)
        if entry.isTemplate {
            unsafe load.pointee.templates += 1
        } else if control.isInactive {
            unsafe load.pointee.inactive += 1
        } else {
            unsafe load.pointee.active += 1
        }
        if entry.method.isTranslating, !entry.isTemplate {
            unsafe load.pointee.translated += 1
        }
    }
}
