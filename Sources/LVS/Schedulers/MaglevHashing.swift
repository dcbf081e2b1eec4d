/// mh: the client's address decides, with its port if `mh-port` is set, by a table in which a change
/// of the servers moves few slots from one to another (Eisenbud and others, "Maglev";
/// ipvs-semantics 2.9).
///
/// A server that cannot take the connection is replaced by another only if `mh-fallback` is set. The
/// table is made of the last weights that were not 0: a server put to weight 0 keeps its slots.
final class MaglevHashing: Scheduler {
    static let name = "mh"
    /// A service needs a slot for each server, or the kernel refuses it (EINVAL).
    static let mostServers = slotCount

    private static let slotCount = 4093
    /// Weights are shortened to this many bits; half the number that belongs to the table's size.
    private static let weightBits = 6
    private static let firstKey: UInt64 = 2_654_435_761
    private static let secondKey: UInt64 = 2_654_446_892

    private var slots = [DestinationIndex](
        repeating: Destination.none, count: MaglevHashing.slotCount)
    private var flags: ServiceFlags

    init(options: SchedulerOptions) { flags = options.flags }

    func take(_ options: SchedulerOptions) { flags = options.flags }

    func servers(_ servers: borrowing DestinationList, did event: ServerEvent) {
        // With too many servers the kernel leaves the table as it was.
        guard servers.count <= Self.slotCount else {
            if case .removed(let number, _) = event { clear(number) }
            return
        }
        fill(Self.walks(servers))
    }

    func schedule(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> DestinationIndex?
    {
        let client = AddressHash.client(of: request, withPort: flags.contains(.hashesPort))
        let value = client.address &+ client.port
        let slot = Self.slot(value)
        guard slots[slot] != Destination.none else { return nil }
        if servers.destination(slots[slot]).isEligible { return slots[slot] }
        guard flags.contains(.fallsBack) else { return nil }
        for offset in 0..<Self.slotCount {
            let probe = UInt32((offset + slot) % Self.slotCount)
            let number = slots[Self.slot(probe &+ value)]
            guard number != Destination.none else { continue }
            if servers.destination(number).isEligible { return number }
        }
        return nil
    }

    func copy() -> any Scheduler {
        let copy = MaglevHashing(options: SchedulerOptions())
        (copy.slots, copy.flags) = (slots, flags)
        return copy
    }

    func figures(_ request: ScheduleRequest, among servers: borrowing DestinationList)
        -> SchedulerFigures
    {
        let client = AddressHash.client(of: request, withPort: flags.contains(.hashesPort))
        let slot = Self.slot(client.address &+ client.port)
        return SchedulerFigures(
            rule: "the server at the slot of the client"
                + (flags.contains(.fallsBack) ? ", else another by further slots" : "")
        )
        .saying("slot", slot)
        .saying("server", servers, slots[slot])
        .addingShares("slots", slots, servers)
    }

    private static func slot(_ value: UInt32) -> Int {
        Int(SipHash13.hash(value, key: firstKey)) % slotCount
    }

    // MARK: Housekeeper

    /// A server's way through the table.
    private struct Walk {
        var number: DestinationIndex
        var slot: Int
        var skip: Int
        /// Slots it takes when it is its turn.
        var turns: Int
    }

    /// The servers that get slots, newest first.
    private static func walks(_ servers: borrowing DestinationList) -> [Walk] {
        var (divisor, highest) = (0, 0)
        for position in 0..<servers.count {
            let weight = Int(servers[position].lastWeight)
            divisor = commonDivisor(weight, divisor)
            highest = max(highest, weight)
        }
        guard divisor > 0 else { return [] }
        let bits = Int.bitWidth - (highest / divisor).leadingZeroBitCount
        let shift = max(0, bits - weightBits)
        var walks: [Walk] = []
        for position in 0..<servers.count where servers[position].lastWeight > 0 {
            let server = servers[position]
            let value = AddressHash.fold(server.address) &+ UInt32(server.port)
            let skip = SipHash13.hash(value, key: secondKey)
            walks.append(
                Walk(
                    number: server.number, slot: slot(value),
                    skip: Int(skip) % (slotCount - 1) + 1,
                    turns: max((Int(server.lastWeight) / divisor) >> shift, 1)))
        }
        return walks
    }

    /// Lets the servers take slots in turn until none is left; the number of slots is a prime, so
    /// that every walk meets all of them.
    private func fill(_ walks: [Walk]) {
        for slot in slots.indices { slots[slot] = Destination.none }
        guard !walks.isEmpty else { return }
        var (walks, left) = (walks, Self.slotCount)
        while true {
            for index in walks.indices {
                for _ in 0..<walks[index].turns {
                    var slot = walks[index].slot
                    while slots[slot] != Destination.none {
                        slot = (slot + walks[index].skip) % Self.slotCount
                    }
                    slots[slot] = walks[index].number
                    walks[index].slot = slot
                    left -= 1
                    if left == 0 { return }
                }
            }
        }
    }

    /// Takes a server that is gone out of a table that cannot be made anew.
    private func clear(_ number: DestinationIndex) {
        for slot in slots.indices where slots[slot] == number { slots[slot] = Destination.none }
    }

    private static func commonDivisor(_ left: Int, _ right: Int) -> Int {
        var (a, b) = (left, right)
        while b != 0 { (a, b) = (b, a % b) }
        return a
    }
}
