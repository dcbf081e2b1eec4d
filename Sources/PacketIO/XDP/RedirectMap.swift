internal import CPacketIO
package import LVS
internal import Posix

/// The map of served traffic that the XDP programs of all interfaces ask.
///
/// Written by the housekeeper, read by the kernel for every frame; what is added is there before
/// anything is taken out.
package final class RedirectMap {
    /// Most elements; the kernel takes eight bytes for each beforehand, the rest as they come.
    static let capacity: UInt32 = 1 << 20

    let descriptor: Int32
    private var sets = BlockedSets()
    private var served = ServedTraffic()
    /// Blocks of addresses stand in the programs, which follow.
    private var programs: [Followers] = []

    private struct Followers {
        weak var attachment: RedirectAttachment?
    }

    init(interface: String) throws(DriverError) {
        descriptor = bpf_make_hash(UInt32(RedirectKey.bytes), 1, Self.capacity)
        guard descriptor >= 0 else {
            throw .redirect(SystemError(last: "make a BPF map"), interface: interface)
        }
    }

    deinit { bpf_close(descriptor) }

    var blocks: Set<ServedTraffic.Block> { sets.blocks }

    /// Has the programs of an interface follow the blocks from now on.
    func follow(_ attachment: RedirectAttachment) {
        programs.removeAll { $0.attachment == nil || $0.attachment === attachment }
        programs.append(Followers(attachment: attachment))
    }

    /// Makes the map hold exactly this, and the programs know the interfaces' present addresses.
    package func update(_ served: ServedTraffic) throws(DriverError) {
        if served != self.served {
            let new = BlockedSets(served)
            try change(adding: new.subtracting(sets), deleting: sets.subtracting(new), to: new)
            self.served = served
        }
        for program in programs { try program.attachment?.follow() }
    }

    /// Takes this into the map as well, before it becomes visible to the workers.
    package func widen(by more: ServedTraffic) throws(DriverError) {
        let added = BlockedSets(more).subtracting(sets)
        guard !added.isEmpty else { return }
        var new = sets
        new.formUnion(added)
        // The next `update` compares with what is there.
        served.formUnion(more)
        try change(adding: added, deleting: sets.endedByUnion(with: added), to: new)
    }

    private func change(
        adding: BlockedSets, deleting: BlockedSets, to new: BlockedSets
    ) throws(DriverError) {
        for name in BlockedSets.Name.allCases {
            for element in adding.elements(name) {
                var key = RedirectKey(name, element)
                var one: UInt8 = 1
                guard unsafe bpf_set(descriptor, &key, &one) == 0 else {
                    throw .redirect(
                        SystemError(last: "set an element of the BPF map"), interface: "xdp")
                }
            }
        }
        let blocksChanged = new.blocks != sets.blocks
        sets = new
        if blocksChanged {
            for program in programs { try program.attachment?.setBlocks(new.blocks) }
        }
        for name in BlockedSets.Name.allCases {
            for element in deleting.elements(name) {
                var key = RedirectKey(name, element)
                // One that is gone already is no loss.
                _ = unsafe bpf_remove(descriptor, &key)
            }
        }
    }
}

extension DriverError {
    /// What a failed call for the XDP program means to the operator.
    static func redirect(_ error: SystemError, interface: String) -> DriverError {
        let (perm, access, unknown, missing): (Int32, Int32, Int32, Int32) = (1, 13, 22, 38)
        switch error.code {
        case perm, access:
            return DriverError(
                .missingPrivilege,
                "\(interface): AF_XDP needs CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF; run as root, grant"
                    + " them, or use afpacket:\(interface) (\(error))")
        case missing, unknown:
            return DriverError(
                .system,
                "\(interface): this kernel does not take what AF_XDP needs; use afpacket:\(interface)"
                    + " (\(error))")
        default:
            return DriverError(.system, "\(interface): \(error)")
        }
    }
}
