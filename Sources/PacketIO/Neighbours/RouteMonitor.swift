package import LVS
package import Posix

/// What the kernel knows of links, addresses, routes and neighbours of one network namespace, and
/// follows (packet-io, section 10).
///
/// Lists come by one socket and events by another; when the kernel lost events (ENOBUFS), everything
/// is listed again. Used by the housekeeper's thread only.
package final class RouteMonitor {
    /// What a call of `readEvents` found changed.
    package struct Changes: OptionSet, Sendable {
        package let rawValue: UInt8

        package init(rawValue: UInt8) { self.rawValue = rawValue }

        package static let links = Changes(rawValue: 1)
        package static let addresses = Changes(rawValue: 2)
        package static let routes = Changes(rawValue: 4)
        package static let neighbours = Changes(rawValue: 8)
        package static let rules = Changes(rawValue: 16)
    }

    private let requests: RouteSocket
    private let events: RouteSocket
    private var linkTable: [Int32: Link] = [:]
    private var addressTable: [HostAddress] = []
    private var routeTable: [KernelRoute] = []
    private var ruleTable: [PolicyRule] = []
    private(set) var neighbourTable: [KernelNeighbour: NeighbourState] = [:]
    /// Neighbours whose state changed since they were last taken.
    private var changedNeighbours: Set<KernelNeighbour> = []
    /// Interfaces that got their carrier back since they were last taken.
    private var revivedLinks: Set<Int32> = []
    private var staleLists: Changes = []
    private var care: NeighbourCare
    /// Why the kernel took no request for a neighbour when last asked; nil when it did.
    private(set) var neighbourRefusal: SystemError?

    /// Opens both sockets in the calling thread's namespace and lists everything.
    package init(kernelKeepsNeighbours: Bool? = nil) throws(SystemError) {
        care = NeighbourCare(kernelManages: kernelKeepsNeighbours)
        // Events first: what changes while the lists are read is then not missed.
        events = try RouteSocket(events: true)
        requests = try RouteSocket(events: false)
        try relist([.links, .addresses, .routes, .neighbours, .rules])
        changedNeighbours = []
        revivedLinks = []
    }

    /// Readable when there is something for `readEvents`.
    package var descriptor: Int32 { events.descriptor }

    /// Takes what happened; lists are not read again here but by `refresh`, since events come in
    /// storms.
    @discardableResult
    package func readEvents() throws(SystemError) -> Changes {
        guard let happened = try events.readEvents() else {
            let everything: Changes = [.links, .addresses, .routes, .neighbours, .rules]
            staleLists.formUnion(everything)
            return everything
        }
        var changes: Changes = []
        for event in happened { changes.formUnion(apply(event)) }
        // Routes that go with an interface or an address go without an event in IPv4, and how a
        // route replaces another is not told either: the list is the truth.
        if !changes.isDisjoint(with: [.links, .addresses, .routes]) { changes.insert(.routes) }
        staleLists.formUnion(changes.intersection([.addresses, .routes, .rules]))
        return changes
    }

    /// Something changed that `refresh` has not read yet.
    package var isStale: Bool { !staleLists.isEmpty }

    /// Reads again what events said has changed.
    package func refresh() throws(SystemError) {
        guard isStale else { return }
        try relist(staleLists)
        staleLists = []
    }

    private func relist(_ what: Changes) throws(SystemError) {
        if what.contains(.links) {
            let before = linkTable
            linkTable = [:]
            for case .link(let link, _) in try requests.list(.links) {
                linkTable[link.index] = link
            }
            for link in linkTable.values where link.hasCarrier && link.isUp {
                let earlier = before[link.index]
                if earlier?.hasCarrier != true || earlier?.isUp != true {
                    revivedLinks.insert(link.index)
                }
            }
        }
        if what.contains(.addresses) {
            addressTable = try requests.list(.addresses).compactMap {
                if case .address(let address, _) = $0 { address } else { nil }
            }
        }
        if what.contains(.routes) {
            routeTable = try requests.list(.routes).compactMap {
                if case .route(let route) = $0 { route } else { nil }
            }
        }
        if what.contains(.rules) {
            ruleTable = try requests.list(.rules).compactMap {
                if case .rule(let rule) = $0 { rule } else { nil }
            }
        }
        if what.contains(.neighbours) {
            let before = neighbourTable
            neighbourTable = [:]
            for event in try requests.list(.neighbours) { apply(event) }
            changedNeighbours.formUnion(before.keys.filter { neighbourTable[$0] == nil })
            changedNeighbours.formUnion(
                neighbourTable.keys.filter { before[$0] != neighbourTable[$0] })
        }
    }

    @discardableResult
    private func apply(_ event: KernelEvent) -> Changes {
        switch event {
        case .link(let link, let removed):
            let before = linkTable[link.index]
            linkTable[link.index] = removed ? nil : link
            let alive = before?.isUp == true && before?.hasCarrier == true
            if !removed, link.isUp, link.hasCarrier, !alive { revivedLinks.insert(link.index) }
            return removed || before != link ? .links : []
        case .address:
            return .addresses
        case .route(let route):
            return route == nil ? [] : .routes
        case .rule:
            return .rules
        case .neighbour(let neighbour, let state, let removed):
            let before = neighbourTable[neighbour]
            neighbourTable[neighbour] = removed ? nil : state
            guard removed || before != state else { return [] }
            changedNeighbours.insert(neighbour)
            return .neighbours
        }
    }
}

extension RouteMonitor {
    /// Every interface, by its number.
    package var links: [Link] { linkTable.values.sorted { $0.index < $1.index } }

    package func link(named name: String) -> Link? {
        linkTable.values.first { $0.name == name }
    }

    package func link(_ index: Int32) -> Link? { linkTable[index] }

    /// Every address of the host, in the kernel's order.
    package var addresses: [HostAddress] { addressTable }

    /// The host's own addresses, both families.
    package var hostAddresses: Set<IPAddress> { Set(addressTable.map(\.address)) }

    var kernelRoutes: [KernelRoute] { routeTable }

    /// Policy rules in the kernel's order, those of a family in theirs.
    var rules: [PolicyRule] { ruleTable }

    /// Rules that may be for packets of a director and are not followed.
    var strangeRules: [PolicyRule] {
        ruleTable.filter { !$0.isOwn && !$0.isElsewhere && !$0.isFollowed }
    }

    func takeChangedNeighbours() -> Set<KernelNeighbour> {
        defer { changedNeighbours = [] }
        return changedNeighbours
    }

    func takeRevivedLinks() -> Set<Int32> {
        defer { revivedLinks = [] }
        return revivedLinks
    }

    /// Makes the kernel resolve a neighbour now and keep it fresh from now on.
    func want(_ neighbour: KernelNeighbour, now: Instant) {
        withCare { $0.want(neighbour, now: now, monitor: self) }
    }

    /// Leaves a neighbour to the kernel again.
    func release(_ neighbour: KernelNeighbour) {
        withCare { $0.release(neighbour, monitor: self) }
    }

    func releaseAll() {
        withCare { care in
            for neighbour in care.wanted { care.release(neighbour, monitor: self) }
        }
    }

    /// Asks again where the kernel does not do so itself.
    func tick(_ now: Instant) {
        withCare { $0.tick(now, monitor: self) }
    }

    /// No longer asks for anything on an interface that is gone; returns who was known there.
    func forget(interface: Int32) -> [KernelNeighbour] {
        care.forget(interface: interface)
        // Those whose loss has been read already count as well: nobody else could name their port.
        let known = changedNeighbours.union(neighbourTable.keys)
        let gone = known.filter { $0.interface == interface }
        for neighbour in gone { neighbourTable[neighbour] = nil }
        changedNeighbours.subtract(gone)
        return Array(gone)
    }

    /// Changes the list of wanted neighbours while it reads from the monitor that holds it.
    private func withCare(_ body: (inout NeighbourCare) -> Void) {
        var taken = care
        care = NeighbourCare(kernelManages: nil)
        body(&taken)
        care = taken
    }

    /// One request; when it fails the timer asks again.
    func ask(_ care: RouteSocket.Care, for neighbour: KernelNeighbour) -> Bool {
        do throws(SystemError) {
            try requests.ask(care, for: neighbour)
            neighbourRefusal = nil
            return true
        } catch {
            // An interface that is down or gone is told of elsewhere.
            let absent: [Int32] = [100, 19]  // ENETDOWN, ENODEV
            neighbourRefusal = absent.contains(error.code) ? nil : error
            return false
        }
    }

    /// Lists the neighbours and tells whether this one is kept fresh by the kernel.
    func isManaged(_ neighbour: KernelNeighbour) -> Bool {
        let listed = try? requests.list(.neighbours)
        for case .neighbour(neighbour, let state, _) in listed ?? [] { return state.isManaged }
        return false
    }
}
