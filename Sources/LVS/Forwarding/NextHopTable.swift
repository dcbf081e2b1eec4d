import Synchronization

/// Next hops by stable number, and the routes that lead to them.
///
/// The housekeeper keeps routes, ports and hardware addresses as the kernel has them; workers ask
/// `resolve` for a way and claim a slot for a neighbour nobody has asked for before. Slots are
/// never given back, so a number stays good; when routes change, `generation` moves on and whoever
/// keeps a number of an older generation resolves again.
@safe
package struct NextHopTable: @unchecked Sendable {
    /// Most next hops; each on-link client of a NAT service needs one.
    package static let slots = 16_384
    /// The slot of everything without a route.
    package static let noRoute: NextHopIndex = 0
    /// The slot of the host's own addresses.
    package static let local: NextHopIndex = 1
    private static let reserved = 2

    /// What workers share with the housekeeper.
    @safe
    struct Shared: ~Copyable {
        let ways: Atomic<UnsafeMutableRawPointer>
        /// Never 0, so that 0 in an entry means "not resolved yet".
        let generation = Atomic<UInt32>(1)
        /// Slots claimed so far, in the order of `claimed`.
        let claims = Atomic<UInt32>(0)
    }

    /// Routes and ports as published together.
    @safe
    struct Ways {
        var routes: PolicyRoutes
        var ports: UnsafeMutablePointer<PortFace>
        var portCount: Int
    }

    /// What frames need to know of the port they leave by.
    struct PortFace {
        var hardware: HardwareAddress
        var mtu: UInt32
    }

    private let lines: UnsafeMutableRawPointer
    let shared: UnsafeMutablePointer<Shared>
    /// Numbers of claimed slots + 1, in order; 0 while the claimant is still writing.
    let claimed: UnsafeMutablePointer<Atomic<UInt32>>

    /// Takes its memory from the heap; `deallocate` gives it back.
    package init() {
        let bytes = NextHopTable.slots * NextHop.bytes
        unsafe lines = .allocate(byteCount: bytes, alignment: 64)
        unsafe lines.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        unsafe shared = .allocate(capacity: 1)
        let ways = unsafe NextHopTable.makeWays([], [])
        unsafe shared.initialize(to: Shared(ways: Atomic(UnsafeMutableRawPointer(ways))))
        unsafe claimed = .allocate(capacity: NextHopTable.slots)
        for index in 0..<NextHopTable.slots {
            unsafe (claimed + index).initialize(to: Atomic(0))
        }
        self[NextHopTable.local].word = NextHopWord(kind: .local)
    }

    package func deallocate() {
        let ways = unsafe shared.pointee.ways.load(ordering: .acquiring)
        unsafe NextHopTable.free(ways)
        unsafe lines.deallocate()
        unsafe shared.deallocate()
        unsafe claimed.deallocate()
    }

    /// The next hop of a number below `slots`.
    @inline(__always)
    package subscript(index: NextHopIndex) -> NextHop {
        unsafe NextHop(line: lines + (Int(index) & (NextHopTable.slots - 1)) &* NextHop.bytes)
    }

    /// Moves on whenever routes or ports change; 16 bits, never 0.
    package var generation: UInt32 {
        @inline(__always) get { unsafe shared.pointee.generation.load(ordering: .acquiring) }
    }

    // MARK: Workers

    /// The slot of the way to an address: `noRoute`, `local`, or a neighbour's, which may still be
    /// unresolved.
    ///
    /// `source` is that of the packet where the host's policy rules may ask for it; a packet that is
    /// routed before it has one, as IPVS does with requests to servers, has none.
    package func resolve(_ address: IPAddress, from source: IPAddress? = nil) -> NextHopIndex {
        let ways = unsafe shared.pointee.ways.load(ordering: .acquiring)
            .assumingMemoryBound(to: Ways.self)
        var way = unsafe ways.pointee.routes.find(address, from: source)
        switch way.kind {
        case .noRoute, .elsewhere, .proceed: return NextHopTable.noRoute
        case .local: return NextHopTable.local
        case .forward:
            way.neighbour = way.gateway == .anyV6 ? address : way.gateway
            guard unsafe Int(way.port) < ways.pointee.portCount else {
                return NextHopTable.noRoute
            }
            let face = unsafe ways.pointee.ports[Int(way.port)]
            return slot(way, face, wanted: true) ?? NextHopTable.noRoute
        }
    }

    /// How many bits the prefix has that leads to an address, within all of IPv6; 0 without a route.
    func prefixLength(to address: IPAddress) -> UInt8 {
        let ways = unsafe shared.pointee.ways.load(ordering: .acquiring)
            .assumingMemoryBound(to: Ways.self)
        return unsafe ways.pointee.routes.find(address, from: nil).prefixLength
    }

    /// The slot of a neighbour, claimed when there is none; nil when all slots are taken.
    ///
    /// Every neighbour also has, or gets, a plain slot without route details, where the housekeeper
    /// writes hardware addresses; a claimant copies from it what is known already.
    func slot(_ way: RouteTable.Way, _ face: PortFace, wanted: Bool) -> NextHopIndex? {
        var position = NextHopTable.start(way.port, way.neighbour)
        for _ in 0..<NextHopTable.slots {
            let number = NextHopIndex(position)
            let hop = self[number]
            var claim = unsafe hop.claim.pointee.load(ordering: .acquiring)
            if claim == 0 {
                let result = unsafe hop.claim.pointee.compareExchange(
                    expected: 0, desired: 1, ordering: .acquiringAndReleasing)
                if result.exchanged {
                    begin(hop, number, way, face, wanted)
                    return number
                }
                claim = result.original
            }
            while claim == 1 { claim = unsafe hop.claim.pointee.load(ordering: .acquiring) }
            if hop.matches(way) {
                if wanted, claim == 2 { want(number) }
                return number
            }
            position = NextHopTable.following(position)
        }
        return nil
    }

    /// Claim values: 0 free, 1 being written, 2 known, 3 known and asked for.
    private func begin(
        _ hop: NextHop, _ number: NextHopIndex, _ way: RouteTable.Way, _ face: PortFace,
        _ wanted: Bool
    ) {
        hop.describe(way)
        hop.sourceHardware = face.hardware
        hop.mtu = way.mtu == 0 ? face.mtu : min(way.mtu, face.mtu)
        let unresolved = NextHopWord(kind: .unresolved, port: way.port)
        hop.word = unresolved
        // Ordered before the search for the plain slot: either this finds its address there, or the
        // housekeeper, who writes there first, finds this slot.
        _ = unsafe hop.claim.pointee.exchange(2, ordering: .sequentiallyConsistent)
        if let plain = plainSlot(way.port, way.neighbour), plain.word.isResolved {
            hop.replace(unresolved, by: plain.word)
        }
        if wanted { want(number) }
    }

    /// Tells the housekeeper of a slot, once.
    private func want(_ number: NextHopIndex) {
        let first = unsafe self[number].claim.pointee.compareExchange(
            expected: 2, desired: 3, ordering: .acquiringAndReleasing
        ).exchanged
        guard first else { return }
        let position = unsafe shared.pointee.claims.wrappingAdd(1, ordering: .acquiringAndReleasing)
            .oldValue
        guard Int(position) < NextHopTable.slots else { return }
        unsafe claimed[Int(position)].store(UInt32(number) + 1, ordering: .releasing)
    }

    private func plainSlot(_ port: PortIndex, _ address: IPAddress) -> NextHop? {
        var found: NextHop?
        forEachSlot(of: port, address) { hop in
            if hop.routeMTU == 0, hop.preferredSource == nil { found = hop }
        }
        return found
    }

    /// Calls `body` for all slots of a neighbour.
    func forEachSlot(of port: PortIndex, _ address: IPAddress, _ body: (NextHop) -> Void) {
        var position = NextHopTable.start(port, address)
        for _ in 0..<NextHopTable.slots {
            let hop = self[NextHopIndex(position)]
            var claim = unsafe hop.claim.pointee.load(ordering: .sequentiallyConsistent)
            while claim == 1 { claim = unsafe hop.claim.pointee.load(ordering: .acquiring) }
            if claim == 0 { return }
            if hop.port == port, hop.address == address { body(hop) }
            position = NextHopTable.following(position)
        }
    }

    private static func start(_ port: PortIndex, _ address: IPAddress) -> Int {
        let mixed = (address.high ^ UInt64(port) << 48 ^ address.low &* 0x9e37_79b9_7f4a_7c15)
        let hash = (mixed ^ mixed >> 29) &* 0xbf58_476d_1ce4_e5b9
        return reserved + Int((hash >> 33) % UInt64(slots - reserved))
    }

    private static func following(_ position: Int) -> Int {
        position + 1 == slots ? reserved : position + 1
    }
}

extension NextHop {
    /// Replaces the word if nobody else has.
    func replace(_ old: NextHopWord, by new: NextHopWord) {
        let word = unsafe line.assumingMemoryBound(to: Atomic<UInt64>.self)
        _ = unsafe word.pointee.compareExchange(
            expected: old.rawValue, desired: new.rawValue, ordering: .sequentiallyConsistent)
    }
}
