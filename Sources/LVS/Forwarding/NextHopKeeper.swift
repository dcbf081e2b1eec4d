import Synchronization

/// The housekeeper's side of the next hop table: brings routes, ports and hardware addresses in, and
/// says whose hardware address is wanted.
@safe
package final class NextHopKeeper {
    package let table: NextHopTable
    private let quiescence: QuiescentState
    private var routes: [Route] = []
    private var ports: [Port] = []
    private var known: [Neighbour: HardwareAddress] = [:]
    private var inUse: Set<Neighbour> = []
    private var lost: Set<Neighbour> = []
    private var seenClaims = 0
    private var retired: [Retired] = []

    /// Replaced routes, and when they can be freed.
    @safe
    private struct Retired {
        var ways: UnsafeMutableRawPointer
        var epoch: UInt64
    }

    package init(table: NextHopTable, quiescence: QuiescentState) {
        self.table = table
        self.quiescence = quiescence
    }

    deinit {
        for entry in retired { unsafe NextHopTable.free(entry.ways) }
    }

    /// Takes the served ports over; MTU and hardware address reach all next hops at once.
    package func setPorts(_ new: [Port]) {
        guard new != ports else { return }
        ports = new
        publish()
        for number in 0..<NextHopTable.slots {
            let hop = table[NextHopIndex(number)]
            guard unsafe hop.claim.pointee.load(ordering: .acquiring) >= 2,
                let port = new.first(where: { $0.index == hop.port })
            else { continue }
            hop.sourceHardware = port.hardware
            hop.mtu = hop.routeMTU == 0 ? port.mtu : min(hop.routeMTU, port.mtu)
        }
    }

    package func setRoutes(_ new: [Route]) {
        guard new != routes else { return }
        routes = new
        publish()
    }

    /// Takes over ports, routes and hardware addresses as another director has them.
    func take(all other: NextHopKeeper) {
        setPorts(other.ports)
        setRoutes(other.routes)
        for (neighbour, hardware) in other.known { setNeighbour(neighbour, hardware) }
    }

    /// Says who answers for an address now; nil when nobody does (yet).
    package func setNeighbour(_ neighbour: Neighbour, _ hardware: HardwareAddress?) {
        if hardware == nil {
            guard known.removeValue(forKey: neighbour) != nil || inUse.contains(neighbour) else {
                return
            }
            if inUse.contains(neighbour) { lost.insert(neighbour) }
        } else {
            known[neighbour] = hardware
            lost.remove(neighbour)
        }
        var plain = RouteTable.Way()
        plain.kind = .forward
        plain.port = neighbour.port
        plain.neighbour = neighbour.address
        let word = NextHopWord(
            kind: hardware == nil ? .unresolved : .resolved, port: neighbour.port,
            hardware: hardware)
        if let slot = table.slot(plain, face(neighbour.port), wanted: false) {
            table[slot].exchange(word)
        }
        table.forEachSlot(of: neighbour.port, neighbour.address) { $0.exchange(word) }
    }

    /// Neighbours that workers or destinations have begun to need since the last call, and needed
    /// ones that were lost.
    package func takeWanted() -> [Neighbour] {
        var wanted = lost
        lost = []
        let claims = min(
            NextHopTable.slots, unsafe Int(table.shared.pointee.claims.load(ordering: .acquiring)))
        while seenClaims < claims {
            let entry = unsafe table.claimed[seenClaims].load(ordering: .acquiring)
            guard entry != 0 else { break }
            seenClaims += 1
            let hop = table[NextHopIndex(entry - 1)]
            let neighbour = Neighbour(port: hop.port, address: hop.address)
            if inUse.insert(neighbour).inserted { wanted.insert(neighbour) }
            if let hardware = known[neighbour], !hop.word.isResolved {
                hop.exchange(
                    NextHopWord(kind: .resolved, port: neighbour.port, hardware: hardware))
            }
        }
        return Array(wanted)
    }

    /// Needed neighbours whose hardware address is unknown.
    package func unresolved() -> [Neighbour] { inUse.filter { known[$0] == nil } }

    /// The route that packets to an address take, whatever their source is; nil when there is none.
    package func route(to address: IPAddress) -> Route? {
        let matching = routes.filter { $0.source == nil && $0.contains(address) }
        for (_, routes) in Dictionary(grouping: matching, by: \.rank).sorted(by: { $0.key < $1.key }
        ) {
            let best = routes.reduce(routes[0]) { best, route in
                (best.prefixLength, route.metric) < (route.prefixLength, best.metric) ? route : best
            }
            if best.kind != .proceed { return best }
        }
        return nil
    }

    /// Frees route tables that no worker can hold any more; the housekeeper's tick.
    package func reclaim() {
        retired.removeAll { entry in
            guard quiescence.hasPassed(entry.epoch) else { return false }
            unsafe NextHopTable.free(entry.ways)
            return true
        }
    }

    private func face(_ index: PortIndex) -> NextHopTable.PortFace {
        let port = ports.first { $0.index == index }
        return NextHopTable.PortFace(
            hardware: port?.hardware ?? HardwareAddress(value: 0), mtu: port?.mtu ?? 1500)
    }

    private func publish() {
        let ways = unsafe NextHopTable.makeWays(routes, ports)
        let old = unsafe table.shared.pointee.ways.exchange(
            UnsafeMutableRawPointer(ways), ordering: .acquiringAndReleasing)
        let next = (table.generation + 1) & 0xffff
        unsafe table.shared.pointee.generation.store(next == 0 ? 1 : next, ordering: .releasing)
        let epoch = quiescence.advance()
        unsafe retired.append(Retired(ways: old, epoch: epoch))
        reclaim()
    }
}

extension NextHopTable {
    static func makeWays(_ routes: [Route], _ ports: [Port]) -> UnsafeMutablePointer<Ways> {
        let count = ports.map { Int($0.index) + 1 }.max() ?? 0
        let faces = UnsafeMutablePointer<PortFace>.allocate(capacity: max(1, count))
        let nobody = PortFace(hardware: HardwareAddress(value: 0), mtu: 0)
        unsafe faces.initialize(repeating: nobody, count: max(1, count))
        for port in ports {
            unsafe faces[Int(port.index)] = PortFace(hardware: port.hardware, mtu: port.mtu)
        }
        let ways = UnsafeMutablePointer<Ways>.allocate(capacity: 1)
        unsafe ways.initialize(
            to: Ways(routes: PolicyRoutes(routes), ports: faces, portCount: count))
        return unsafe ways
    }

    static func free(_ pointer: UnsafeMutableRawPointer) {
        let ways = unsafe pointer.assumingMemoryBound(to: Ways.self)
        unsafe ways.pointee.routes.deallocate()
        unsafe ways.pointee.ports.deallocate()
        unsafe ways.deallocate()
    }
}

extension NextHop {
    /// Writes the word so that a claimant that copies from here is ordered against it.
    func exchange(_ new: NextHopWord) {
        let word = unsafe line.assumingMemoryBound(to: Atomic<UInt64>.self)
        _ = unsafe word.pointee.exchange(new.rawValue, ordering: .sequentiallyConsistent)
    }
}

extension Route {
    /// True when the address lies in the route's prefix.
    func contains(_ address: IPAddress) -> Bool {
        AddressPrefix(address: prefix, length: prefixLength).contains(address)
    }
}
