internal import LVS

/// The block as a table of nft's netdev family.
final class NFTBackend: BlockBackend {
    private let filter: PacketFilter

    /// Asks the kernel whether it takes such a table on these interfaces; nothing is changed.
    init(interfaces: [IngressBlock.Interface]) throws(IngressBlockError) {
        guard let filter = PacketFilter() else {
            throw IngressBlockError(step: "open libnftables", reason: "no memory")
        }
        let probe = IngressTable.replacing(BlockedSets(), interfaces: interfaces)
        if let reason = filter.run(probe, onlyCheck: true) {
            throw IngressBlockError(step: "try nft table", reason: reason)
        }
        self.filter = filter
    }

    func replace(
        _ sets: BlockedSets, interfaces: [IngressBlock.Interface]
    ) throws(IngressBlockError) {
        let commands = IngressTable.replacing(sets, interfaces: interfaces)
        if let reason = filter.run(commands) {
            throw IngressBlockError(step: "set nft table", reason: reason)
        }
    }

    func change(
        adding: BlockedSets, deleting: BlockedSets, to new: BlockedSets,
        interfaces: [IngressBlock.Interface]
    ) throws(IngressBlockError) {
        // Blocks are rules, not elements.
        guard adding.blocks.isEmpty, deleting.blocks.isEmpty else {
            return try replace(new, interfaces: interfaces)
        }
        guard let commands = IngressTable.changing(adding: adding, deleting: deleting) else {
            return
        }
        // Somebody else may have touched the table: then all of it is set again.
        if filter.run(commands) != nil { try replace(new, interfaces: interfaces) }
    }

    func isInPlace(interfaces: [IngressBlock.Interface]) -> Bool {
        guard let list = filter.list("list chains netdev") else { return true }
        // Chains go one by one with their interfaces, which `setInterfaces` follows; a flush takes all.
        return list.contains("table \(IngressTable.name) {")
    }

    func remove(interfaces: [IngressBlock.Interface]) throws(IngressBlockError) {
        // "add" makes the deletion of a table that is gone no error.
        if let reason = filter.run(Self.removal) {
            throw IngressBlockError(step: "remove nft table", reason: reason)
        }
    }

    /// Removes the table; tells whether there was one.
    static func clean() throws(IngressBlockError) -> Bool {
        guard let filter = PacketFilter(), let list = filter.list("list tables netdev"),
            list.split(separator: "\n").contains("table \(IngressTable.name)")
        else { return false }
        if let reason = filter.run(removal) {
            throw IngressBlockError(step: "remove nft table", reason: reason)
        }
        return true
    }

    private static let removal =
        "add table \(IngressTable.name)\ndelete table \(IngressTable.name)\n"
}
