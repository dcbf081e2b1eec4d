import Synchronization

// Whether a whole table is in order: for tests, while nobody else is at it.

extension ConnectionTable {
    /// What is wrong with the table, in sentences; none when every entry is found by its keys, every slot
    /// leads to an entry, every number is in exactly one place and all counts are right.
    package func disorder() -> [String] {
        var check = TableCheck(self)
        check.entries()
        check.slots()
        check.freeNumbers()
        check.counts()
        return check.found
    }
}

/// One look through a whole table.
private struct TableCheck {
    let table: ConnectionTable
    var found: [String] = []
    /// What each number was seen as.
    private var places: [UInt32: String] = [:]
    private var live: [Connection] = []
    private var slotsNeeded = 0

    init(_ table: ConnectionTable) { self.table = table }

    private mutating func place(_ number: UInt32, _ what: String) {
        if number >= table.capacity {
            found.append("\(what) \(number) lies outside the table")
        } else if let other = places.updateValue(what, forKey: number) {
            found.append("entry \(number) is \(other) and \(what)")
        }
    }

    mutating func entries() {
        for number in 0..<table.highWater {
            let entry = table.connection(number)
            guard entry.isLive else { continue }
            live.append(entry)
            place(number, "live")
            if entry.hasExtension {
                var line: Connection? = entry.firstLine
                while let next = line {
                    place(next.number, "a line of \(number)")
                    line = next.nextLine
                }
            }
            find(entry, .inbound)
            if entry.isFoundByReplies { find(entry, .outbound) }
        }
    }

    /// A slot of the entry must stand where a look-up comes by, but for templates that were taken out.
    private mutating func find(_ entry: Connection, _ direction: Direction) {
        let place = table.place(entry.key(direction))
        let word = ConnectionTable.word(place, direction, entry.number)
        var count = 0
        unsafe table.forEachSlot(of: place) { _, other in
            if other == word { count += 1 }
            return true
        }
        let wanted = entry.isInvalidTemplate ? 0 : 1
        slotsNeeded += wanted
        if count != wanted {
            found.append("entry \(entry.number) has \(count) slots, \(direction)")
        }
    }

    mutating func slots() {
        var inUse = 0
        var inOverflow = 0
        for bucket in 0..<Int(table.bucketCount) + Int(table.overflowBuckets) {
            for lane in 0..<8 {
                let slot = unsafe table.slot(table.buckets + bucket * 64, lane)
                let word = unsafe slot.pointee.load(ordering: .relaxed)
                guard word != 0 else { continue }
                inUse += 1
                if bucket >= Int(table.bucketCount) { inOverflow += 1 }
                if word & ConnectionTable.tentative != 0 {
                    found.append("slot \(lane) of bucket \(bucket) is tentative")
                }
            }
        }
        if inUse != slotsNeeded {
            found.append("\(inUse) slots are in use, and entries have \(slotsNeeded)")
        }
        if inOverflow != table.overflowCount {
            found.append("\(inOverflow) slots of the overflow area, counted \(table.overflowCount)")
        }
    }

    mutating func freeNumbers() {
        for worker in 0...table.workers {
            let owner = unsafe table.owner(worker)
            walk(unsafe owner.pointee.free, "free", unsafe owner.pointee.freeCount)
            for list in unsafe [owner.pointee.retiring, owner.pointee.waiting] { walkRemoved(list) }
            let fresh = unsafe owner.pointee.fresh
            for number in unsafe fresh..<fresh + owner.pointee.freshCount { place(number, "fresh") }
        }
        var block = unsafe UInt32(
            truncatingIfNeeded: table.header.pointee.blocks.load(ordering: .relaxed))
        while block != ConnectionTable.noEntry, block < table.capacity {
            walk(block, "free in a block", ConnectionTable.blockSize)
            block = table.connection(block).blockLink
        }
        for number in table.highWater..<table.capacity { place(number, "never used") }
        for number in 0..<table.capacity where places[number] == nil {
            found.append("entry \(number) is lost")
        }
    }

    private mutating func walk(_ first: UInt32, _ what: String, _ count: UInt32) {
        var number = first
        var seen: UInt32 = 0
        while number != ConnectionTable.noEntry, number < table.capacity, seen <= count {
            place(number, what)
            seen += 1
            number = table.connection(number).link
        }
        if seen != count { found.append("\(seen) entries of \(count) are \(what)") }
    }

    private mutating func walkRemoved(_ first: UInt32) {
        var number = first
        var seen: UInt32 = 0
        while number != ConnectionTable.noEntry, number < table.capacity, seen <= table.capacity {
            let entry = table.connection(number)
            place(number, "removed")
            var line: Connection? = entry.hasExtension ? entry.firstLine : nil
            while let next = line {
                place(next.number, "a line of a removed one")
                line = next.nextLine
            }
            seen += 1
            number = entry.waitingLink
        }
    }

    mutating func counts() {
        if live.count != table.count {
            found.append("\(live.count) entries are live, counted \(table.count)")
        }
        let unknown = live.count { $0.hasUnknownPort }
        if (unknown > 0) != table.hasUnknownPorts {
            found.append("\(unknown) connections wait for a port, counted otherwise")
        }
        var holders: [UInt32: UInt32] = [:]
        for entry in live where entry.controller != Connection.noNumber {
            holders[entry.controller, default: 0] += 1
        }
        for entry in live where entry.holders != holders[entry.number, default: 0] {
            found.append(
                "entry \(entry.number) is held by \(entry.holders), and not by "
                    + "\(holders[entry.number, default: 0])")
        }
    }
}
