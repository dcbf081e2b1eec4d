package import LVS

/// Keeps what the director serves from the host's own stack, so that the host neither answers nor
/// forwards it a second time (packet-io, sections 9 and 11).
///
/// The block outlives the process on purpose: with a virtual address on the host, a director that is
/// killed or restarted would otherwise leave the kernel to reset every client. The next director takes
/// it over with its first `update`; `remove` belongs to a stop that is meant to last. Used by the
/// housekeeper's thread only.
package final class IngressBlock {
    /// A served interface.
    package struct Interface: Hashable, Sendable {
        /// The kernel's number.
        package var index: Int32
        package var name: String
        /// VLANs on this interface that are served on an interface of their own, and therefore not here.
        package var foreignVLANs: Set<UInt16>

        package init(index: Int32, name: String, foreignVLANs: Set<UInt16> = []) {
            self.index = index
            self.name = name
            self.foreignVLANs = foreignVLANs
        }
    }

    /// What the block is made of.
    package enum Mechanism: Hashable, Sendable, CustomStringConvertible {
        /// The nft table `netdev director`.
        case nftables
        /// A classic BPF filter on the clsact qdisc of each interface.
        case trafficControl

        package var description: String {
            switch self {
            case .nftables: "nft table \(IngressTable.name)"
            case .trafficControl: "clsact qdisc with a BPF filter"
            }
        }
    }

    package let mechanism: Mechanism
    private let backend: any BlockBackend
    private var interfaces: [Interface]
    private var served: ServedTraffic?
    private var sets = BlockedSets()

    /// Finds out what this kernel offers, nftables first unless one mechanism is asked for.
    ///
    /// What an earlier director left stays as it is until the first `update`.
    package init(
        interfaces: [Interface], mechanism wanted: Mechanism? = nil
    ) throws(IngressBlockError) {
        for interface in interfaces where interface.name.contains("\"") {
            throw IngressBlockError(step: "name interface \(interface.name)", reason: "quotes")
        }
        self.interfaces = interfaces
        var refusals: [String] = []
        for candidate in [Mechanism.nftables, .trafficControl]
        where wanted ?? candidate == candidate {
            do throws(IngressBlockError) {
                backend =
                    switch candidate {
                    case .nftables: try NFTBackend(interfaces: interfaces)
                    case .trafficControl: try TrafficControlBackend(interfaces: interfaces)
                    }
                mechanism = candidate
                return
            } catch {
                refusals.append("\(error.step): \(error.reason)")
            }
        }
        throw IngressBlockError(step: "open", reason: refusals.joined(separator: "; "))
    }

    /// Makes the block hold exactly this, in one step without a gap.
    ///
    /// Costs time by the size of all that is served; `widen` by that of its argument alone.
    package func update(_ served: ServedTraffic) throws(IngressBlockError) {
        guard served != self.served else { return }
        let new = BlockedSets(served)
        if self.served == nil {
            try backend.replace(new, interfaces: interfaces)
        } else {
            try backend.change(
                adding: new.subtracting(sets), deleting: sets.subtracting(new), to: new,
                interfaces: interfaces)
        }
        sets = new
        self.served = served
    }

    /// Takes this into the block as well: for what is about to become visible to the workers.
    ///
    /// An `update` afterwards, at leisure, takes out what is served no longer.
    package func widen(by more: ServedTraffic) throws(IngressBlockError) {
        guard served != nil else { return try update(more) }
        let added = BlockedSets(more).subtracting(sets)
        guard !added.isEmpty else { return }
        let ended = sets.endedByUnion(with: added)
        sets.formUnion(added)
        served?.formUnion(more)
        try backend.change(
            adding: added.subtracting(ended), deleting: ended, to: sets, interfaces: interfaces)
    }

    /// Follows interfaces that came back or went; the sets stay.
    package func setInterfaces(_ interfaces: [Interface]) throws(IngressBlockError) {
        self.interfaces = interfaces
        guard served != nil else { return }
        try backend.replace(sets, interfaces: interfaces)
    }

    /// Puts the block back when somebody has flushed it; tells whether that was needed.
    ///
    /// `nft flush ruleset` and many a firewall's reload do so; meant for once a second.
    @discardableResult
    package func keep() throws(IngressBlockError) -> Bool {
        guard served != nil, !backend.isInPlace(interfaces: interfaces) else { return false }
        try backend.replace(sets, interfaces: interfaces)
        return true
    }

    /// Takes everything away: the host's stack sees all frames again.
    package func remove() throws(IngressBlockError) {
        served = nil
        sets = BlockedSets()
        try backend.remove(interfaces: interfaces)
    }

    /// Removes what a director that is no more has left, whichever the mechanism; names what was found.
    package static func clean() throws(IngressBlockError) -> [String] {
        var found: [String] = []
        if try NFTBackend.clean() { found.append(Mechanism.nftables.description) }
        found += try TrafficControlBackend.clean().map {
            "\(Mechanism.trafficControl) on \($0)"
        }
        return found
    }
}

/// A way to hold a block; interfaces that are not there are left out by the caller.
protocol BlockBackend: AnyObject {
    /// Puts the whole block in the place of whatever is there.
    func replace(
        _ sets: BlockedSets, interfaces: [IngressBlock.Interface]
    ) throws(IngressBlockError)
    /// Changes the contents of a block that is in place.
    func change(
        adding: BlockedSets, deleting: BlockedSets, to new: BlockedSets,
        interfaces: [IngressBlock.Interface]
    ) throws(IngressBlockError)
    func isInPlace(interfaces: [IngressBlock.Interface]) -> Bool
    func remove(interfaces: [IngressBlock.Interface]) throws(IngressBlockError)
}

/// Why the host's stack cannot be kept from served traffic.
package struct IngressBlockError: Error, Hashable, Sendable, CustomStringConvertible {
    package var step: String
    package var reason: String

    package var description: String { "ingress block: \(step): \(reason)" }
}
