import Synchronization

/// Why a table that was found cannot be adopted.
package enum TableRefusal: Error, Hashable, Sendable {
    /// The memory is zeroed, or the making of its table was cut short.
    case empty
    case foreign, otherLayout, otherBoot, otherNetwork
    case otherSize(connections: UInt32)

    /// What it is instead of a table that can be adopted.
    package var words: String {
        switch self {
        case .empty: "empty"
        case .foreign: "no connection table"
        case .otherLayout: "a table of another layout, as another version of the director has it"
        case .otherBoot: "of another boot of this machine"
        case .otherNetwork: "of another network namespace"
        case .otherSize(let connections): "made for \(connections) connections"
        }
    }
}

/// What was taken over of another process's table.
package struct AdoptedTable: Hashable, Sendable {
    /// Connections and templates that stay.
    package var connections = 0
    /// Entries that did not, by what was wrong with them.
    package var ended: [AdoptionFlaw: Int] = [:]
    /// Slots of the index that led to no entry.
    package var clearedSlots = 0
    /// Entries whose replies are found again.
    package var completed = 0
    /// Entries whose controlling one does not exist.
    package var uncontrolled = 0
    /// Servers that have connections, and wait to be configured again.
    package var servers = 0

    /// `41 connections of 2 servers; left out: 1 that were just being made`.
    package var summary: String {
        let out = AdoptionFlaw.allCases.compactMap { flaw in
            ended[flaw].map { "\($0) \(flaw.words)" }
        }
        return "\(connections) connections of \(servers) servers"
            + (out.isEmpty ? "" : "; left out: " + out.joined(separator: ", "))
    }
}

extension TableAdoption {
    /// Makes the table one that workers may use, after `run`.
    func finish() -> AdoptedTable {
        var adopted = AdoptedTable()
        adopted.connections = parts.reduce(0) { $0 + $1.entries.live }
        adopted.clearedSlots = parts.reduce(0) { $0 + $1.cleared }
        adopted.uncontrolled = parts.reduce(0) { $0 + $1.uncontrolled }
        for flaw in AdoptionFlaw.allCases {
            let count = parts.reduce(0) { $0 + $1.flaws[flaw.rawValue] }
            if count > 0 { adopted.ended[flaw] = count }
        }
        let header = unsafe table.header
        unsafe header.pointee.overflowCount.store(
            parts.reduce(0) { $0 + $1.overflow }, ordering: .relaxed)
        unsafe header.pointee.unknownPorts.store(
            parts.reduce(0) { $0 + $1.entries.unknownPorts }, ordering: .relaxed)
        chainFree()
        unsafe table.owner(table.workers).pointee.live.store(
            Int64(adopted.connections), ordering: .relaxed)
        return adopted
    }

    /// What the server of a number has of the table.
    func tally(_ number: DestinationIndex) -> ServerTally {
        parts.reduce(ServerTally()) { unsafe $0 + $1.loads[Int(number)] }
    }

    /// Lets replies find the entries that were published by half, and returns how many are found.
    ///
    /// Those for which there is no slot are handed to `ended`.
    func completeReplies(_ ended: (Connection) -> Void) -> Int {
        var completed = 0
        for number in parts.flatMap(\.unanswered) {
            let entry = table.connection(number)
            guard entry.isLive else { continue }
            let key = entry.key(.outbound)
            let tuple = ConnectionTuple(
                source: entry.replySource, destination: entry.replyDestination, ports: key.ports,
                transport: entry.transport.rawValue)
            if table.publishOutbound(entry, key, tuple, table.place(key)) {
                completed += 1
            } else {
                ended(entry)
            }
        }
        return completed
    }

    /// Puts what no live entry has on the shared stack, in blocks, and the rest at the first worker's
    /// hand; what was never used stays so.
    private func chainFree() {
        var block: [UInt32] = []
        block.reserveCapacity(64)
        var top = ConnectionTable.noEntry
        for group in 0..<groups {
            let end = min(UInt64(limit) - UInt64(group) * 64, 64)
            let all: UInt64 = end == 64 ? .max : 1 << end - 1
            var free = unsafe ~taken[group].load(ordering: .relaxed) & all
            while free != 0 {
                block.append(UInt32(group * 64 + free.trailingZeroBitCount))
                free &= free &- 1
                guard block.count == Int(ConnectionTable.blockSize) else { continue }
                chain(block)
                table.connection(block[0]).blockLink = top
                top = block[0]
                block.removeAll(keepingCapacity: true)
            }
        }
        chain(block)
        let owner = unsafe table.owner(0)
        unsafe owner.pointee.free = block.first ?? ConnectionTable.noEntry
        unsafe owner.pointee.freeCount = UInt32(block.count)
        unsafe table.header.pointee.blocks.store(UInt64(top), ordering: .relaxed)
        unsafe table.header.pointee.fresh.store(limit, ordering: .relaxed)
    }

    private func chain(_ numbers: [UInt32]) {
        for (index, number) in numbers.enumerated() {
            let entry = table.connection(number)
            unsafe entry.word(0).pointee.store(0, ordering: .relaxed)
            entry.link =
                index + 1 < numbers.count ? numbers[index + 1] : ConnectionTable.noEntry
        }
    }
}
