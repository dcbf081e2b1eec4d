internal import CPacketIO
package import LVS
internal import Posix
internal import Synchronization

/// Keeps the rules that lead what is served to the queues equal to what is served.
///
/// They stand where the ingress block of other drivers stands in meaning, too: after a kill they stay,
/// and what they lead to a queue that nobody reads goes nowhere, so that the host does not answer in
/// the director's place. Used by the housekeeper's thread only.
package final class QueueRules {
    private let filter: PacketFilter
    private let socket: Int32
    private let commons: NFQueueCommons
    private var wanted: QueueTable
    /// What the rules were last made for.
    private var served: ServedTraffic?
    private var isInPlace = false

    /// Finds out whether this kernel takes such rules; what an earlier director left stays as it is
    /// until the first `update`, and what it leads here and is not served goes nowhere.
    package init(_ commons: NFQueueCommons) throws(QueueRulesError) {
        guard let queues = commons.queues else { preconditionFailure("no queue is open") }
        guard let filter = PacketFilter() else {
            throw QueueRulesError(step: "open libnftables", reason: "no memory")
        }
        socket = lvs_nfq_connect()
        guard socket >= 0 else {
            let error = SystemError("socket", code: -socket)
            throw QueueRulesError(step: "socket NETLINK_NETFILTER", reason: error.reason)
        }
        self.filter = filter
        self.commons = commons
        wanted = QueueTable(queues: queues)
        if let reason = filter.run(wanted.foundation + wanted.replacing, onlyCheck: true) {
            // An older director's tables may say it in another way; those are replaced whole.
            guard Self.exists(filter),
                filter.run(Self.removal + wanted.foundation + wanted.replacing, onlyCheck: true)
                    == nil
            else { throw QueueRulesError(step: "try nft tables", reason: reason) }
        }
        commons.surroundings.isTakingOver.store(Self.exists(filter), ordering: .relaxed)
        readForwarding()
    }

    deinit { lvs_nfq_close(socket) }

    /// What stands in the host, for `status`.
    package static let description = "queue rules: nft tables ip and ip6 \(QueueTable.name)"

    /// Has the rules go by whether the host forwards.
    private func readForwarding() {
        wanted.forwardsV4 = commons.surroundings.forwards(isIPv6: false)
        wanted.forwardsV6 = commons.surroundings.forwards(isIPv6: true)
    }

    /// Makes the rules lead exactly this to the queues.
    package func update(_ served: ServedTraffic) throws(QueueRulesError) {
        guard served != self.served || !isInPlace else { return }
        var new = wanted
        new.sets = BlockedSets(served)
        new.marks = served.marks
        try change(to: new)
        self.served = served
        commons.surroundings.isTakingOver.store(false, ordering: .relaxed)
    }

    /// Leads this to the queues as well: for what is about to become visible to the workers.
    package func widen(by more: ServedTraffic) throws(QueueRulesError) {
        var new = wanted
        new.sets.formUnion(BlockedSets(more))
        new.marks.formUnion(more.marks)
        try change(to: new)
        served?.formUnion(more)
    }

    /// Goes by what `NFQueueCommons.followForwarding` read, and puts the rules back when somebody has
    /// flushed them.
    ///
    /// Tells whether that was needed; meant for once a second.
    package func keep() throws(QueueRulesError) -> Bool {
        let before = wanted
        readForwarding()
        guard isInPlace else { return false }
        guard Self.exists(filter) else {
            isInPlace = false
            try change(to: wanted)
            return true
        }
        if wanted != before { try replace(wanted) }
        return false
    }

    /// Takes everything away.
    package func remove() throws(QueueRulesError) {
        guard isInPlace || Self.exists(filter) else { return }
        isInPlace = false
        if let reason = filter.run(Self.removal) {
            throw QueueRulesError(step: "remove nft tables", reason: reason)
        }
    }

    /// Removes what a director that is no more has left; names what was found.
    package static func clean() throws(QueueRulesError) -> [String] {
        guard let filter = PacketFilter(), exists(filter) else { return [] }
        if let reason = filter.run(removal) {
            throw QueueRulesError(step: "remove nft tables", reason: reason)
        }
        return [description]
    }

    private func change(to new: QueueTable) throws(QueueRulesError) {
        guard isInPlace, new.sets.blocks == wanted.sets.blocks else { return try replace(new) }
        defer { wanted = new }
        guard let commands = QueueTable.changing(from: wanted, to: new) else { return }
        // Somebody else may have touched the tables: then all of it is set again.
        if filter.run(commands) != nil { try replace(new) }
    }

    private func replace(_ new: QueueTable) throws(QueueRulesError) {
        wanted = new
        try found(new)
        if filter.run(new.replacing) != nil {
            // Tables of an older director that say it in another way.
            if let reason = filter.run(Self.removal) {
                throw QueueRulesError(step: "remove nft tables", reason: reason)
            }
            try found(new)
            if let reason = filter.run(new.replacing) {
                throw QueueRulesError(step: "set nft tables", reason: reason)
            }
        }
        isInPlace = true
    }

    /// Makes the chains that lead to the queues, where they are not there.
    private func found(_ table: QueueTable) throws(QueueRulesError) {
        if let reason = filter.run(table.foundation) {
            throw QueueRulesError(step: "make nft tables", reason: reason)
        }
        for family in [AddressFamily.v4, .v6] {
            for queue in table.numbers { try lead(to: queue, family) }
        }
    }

    private func lead(to queue: UInt16, _ family: AddressFamily) throws(QueueRulesError) {
        let chain = QueueTable.chain(queue)
        let list = filter.list("list chain \(QueueTable.table(family)) \(chain)")
        guard list.map(Self.isEmpty) != false else { return }
        let result = unsafe lvs_nft_add_queue_rule(
            socket, family == .v4 ? 4 : 6, QueueTable.name, chain, queue)
        guard result < 0 else { return }
        let error = SystemError("rule", code: -result)
        throw QueueRulesError(
            step: "lead to queue \(queue)",
            reason: "\(error.reason) (the kernel needs nft_compat and xt_NFQUEUE)")
    }

    /// Whether a listing shows a chain without a rule; nft has several words for this rule.
    private static func isEmpty(_ list: String) -> Bool {
        !list.split(separator: "\n").contains { line in
            let text = line.drop { $0 == "\t" || $0 == " " }
            return !["table ", "chain ", "}", "#"].contains { text.hasPrefix($0) }
        }
    }

    private static func exists(_ filter: PacketFilter) -> Bool {
        guard let list = filter.list("list tables") else { return false }
        let tables = list.split(separator: "\n")
        return [AddressFamily.v4, .v6].contains { tables.contains("table \(QueueTable.table($0))") }
    }

    private static let removal = [AddressFamily.v4, .v6].map {
        "add table \(QueueTable.table($0))\ndelete table \(QueueTable.table($0))\n"
    }.joined()
}

/// Why packets cannot be led to the queues.
package struct QueueRulesError: Error, Hashable, Sendable, CustomStringConvertible {
    package var step: String
    package var reason: String

    package var description: String { "queue rules: \(step): \(reason)" }
}
