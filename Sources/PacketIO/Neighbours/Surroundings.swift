package import LVS
package import Posix

/// Ties the kernel's view of the network to the engine's: served interfaces become ports, the rest
/// becomes routes, host addresses and neighbours.
///
/// The housekeeper owns it, waits on `descriptor`, calls `update` when that is readable and at least
/// every 250 ms, and hands what comes back to the engine in the order of the fields of `Update`.
package final class Surroundings {
    /// What has changed since the last call; nil and empty: nothing.
    package struct Update: Sendable {
        package var ports: [Port]?
        package var routes: [Route]?
        package var hostAddresses: Set<IPAddress>?
        /// Resolved (address) or lost (nil), each for a neighbour on a served interface.
        package var neighbours: [(neighbour: Neighbour, hardware: HardwareAddress?)] = []
        /// Ports whose interface came (back) under a new number: their driver must be opened anew, and
        /// the ingress block wants a chain for it.
        package var appeared: [PortIndex] = []
        /// Ports whose interface is gone.
        package var vanished: [PortIndex] = []
        /// What the operator should know; each is told once.
        package var warnings: [String] = []

        package var isEmpty: Bool {
            ports == nil && routes == nil && hostAddresses == nil && neighbours.isEmpty
                && appeared.isEmpty && vanished.isEmpty && warnings.isEmpty
        }
    }

    /// Lists are read again at most this often while events keep coming, and later the longer they
    /// are: a full Internet table takes the kernel a second or two.
    private static let calmNanoseconds: UInt64 = 50_000_000
    private static let calmNanosecondsPerRoute: UInt64 = 5_000

    package let monitor: RouteMonitor
    /// The served interfaces; the position is the port's number, and stays it when an interface goes.
    package private(set) var ports: [Port] = []
    /// The kernel's number of the interface of each port that is there.
    private var interfaceOfPort: [PortIndex: Int32] = [:]
    private var portOfInterface: [Int32: PortIndex] = [:]
    package private(set) var routes: [Route] = []
    private var hostAddresses: Set<IPAddress> = []
    private var wanted: Set<Neighbour> = []
    private var nextRefresh = Instant(nanoseconds: 0)
    private var told: Set<String> = []
    private var isFirst = true

    /// Serves the named interfaces of the calling thread's namespace, in this order; every Ethernet
    /// interface that is up when none is named.
    ///
    /// `kernelKeepsNeighbours` false does without the care of the kernel, as before Linux 5.16; nil
    /// finds out.
    package init(
        interfaces names: [String], kernelKeepsNeighbours: Bool? = nil
    ) throws(SurroundingsError) {
        do throws(SystemError) {
            monitor = try RouteMonitor(kernelKeepsNeighbours: kernelKeepsNeighbours)
        } catch {
            throw SurroundingsError(code: .kernel(error))
        }
        let served =
            names.isEmpty ? monitor.links.filter(\.isServedByDefault).map(\.name) : names
        guard !served.isEmpty else { throw SurroundingsError(code: .nothingToServe) }
        for (number, name) in served.enumerated() {
            guard let link = monitor.link(named: name) else {
                let there = monitor.links.map(\.name)
                throw SurroundingsError(code: .noSuchInterface(name, there: there))
            }
            guard let hardware = link.hardware, link.isEthernet, !link.isLoopback else {
                throw SurroundingsError(code: .notEthernet(name))
            }
            guard !served[..<number].contains(name) else {
                throw SurroundingsError(code: .namedTwice(name))
            }
            let index = PortIndex(number)
            ports.append(Port(index: index, name: name, hardware: hardware, mtu: link.mtu))
            interfaceOfPort[index] = link.index
            portOfInterface[link.index] = index
        }
    }

    /// The warnings that hold at present.
    package var standingWarnings: [String] { told.sorted() }

    /// Readable when there is something to `update`.
    package var descriptor: Int32 { monitor.descriptor }

    /// The kernel's number of a port's interface; nil while it is gone.
    package func interface(of port: PortIndex) -> Int32? { interfaceOfPort[port] }

    /// VLAN interfaces that are served, by the served interface whose frames they take: what carries
    /// such a tag belongs to the VLAN's own port.
    package var servedVLANs: [PortIndex: Set<UInt16>] {
        var found: [PortIndex: Set<UInt16>] = [:]
        for number in portOfInterface.keys {
            guard let link = monitor.link(number), let vlan = link.vlan, let parent = link.parent,
                let port = portOfInterface[parent]
            else { continue }
            found[port, default: []].insert(vlan)
        }
        return found
    }

    /// Reads what the kernel has to tell and returns what that changes; the first call returns all.
    package func update(now: Instant) throws(SystemError) -> Update {
        var update = Update()
        try monitor.readEvents()
        let listsRead = isFirst || (monitor.isStale && now >= nextRefresh)
        if listsRead {
            try monitor.refresh()
            let pause = Self.calmNanoseconds
            let more = Self.calmNanosecondsPerRoute * UInt64(routes.count)
            nextRefresh = Instant(nanoseconds: now.nanoseconds + pause + more)
        }
        let portsChanged = followPorts(&update)
        if portsChanged || isFirst { update.ports = ports }
        if listsRead || portsChanged { followLists(&update) }
        followNeighbours(&update, now: now)
        monitor.tick(now)
        warn(&update)
        isFirst = false
        return update
    }

    /// Matches names with the interfaces that are there now; tells whether a port changed.
    private func followPorts(_ update: inout Update) -> Bool {
        var changed = false
        for number in ports.indices {
            let index = PortIndex(number)
            let link = monitor.link(named: ports[number].name)
            if interfaceOfPort[index] != link?.index {
                if let before = interfaceOfPort[index] {
                    portOfInterface[before] = nil
                    for neighbour in monitor.forget(interface: before) {
                        update.neighbours.append(
                            (Neighbour(port: index, address: neighbour.address), nil))
                    }
                }
                interfaceOfPort[index] = link?.index
                if let link { portOfInterface[link.index] = index }
                if link == nil { update.vanished.append(index) }
                if link != nil { update.appeared.append(index) }
                changed = true
            }
            guard let link, let hardware = link.hardware else { continue }
            if ports[number].hardware != hardware || ports[number].mtu != link.mtu {
                ports[number].hardware = hardware
                ports[number].mtu = link.mtu
                changed = true
            }
        }
        return changed
    }

    private func followLists(_ update: inout Update) {
        let newRoutes = monitor.routes(ports: portOfInterface)
        if newRoutes != routes || isFirst {
            routes = newRoutes
            update.routes = newRoutes
        }
        let newAddresses = monitor.hostAddresses
        if newAddresses != hostAddresses || isFirst {
            hostAddresses = newAddresses
            update.hostAddresses = newAddresses
        }
    }

    private func followNeighbours(_ update: inout Update, now: Instant) {
        var changed = monitor.takeChangedNeighbours()
        if isFirst || !update.appeared.isEmpty { changed.formUnion(monitor.neighbourTable.keys) }
        for neighbour in changed {
            guard let port = portOfInterface[neighbour.interface] else { continue }
            update.neighbours.append(
                (
                    Neighbour(port: port, address: neighbour.address),
                    monitor.neighbourTable[neighbour]?.hardware
                ))
        }
        let revived = monitor.takeRevivedLinks()
        guard !revived.isEmpty || !update.appeared.isEmpty else { return }
        for neighbour in wanted {
            guard let interface = interfaceOfPort[neighbour.port],
                revived.contains(interface) || update.appeared.contains(neighbour.port)
            else { continue }
            monitor.want(
                KernelNeighbour(interface: interface, address: neighbour.address), now: now)
        }
    }

    private func warn(_ update: inout Update) {
        var texts: Set<String> = []
        for port in ports {
            guard let number = interfaceOfPort[port.index], let link = monitor.link(number) else {
                texts.insert("interface \(port.name) is gone; it is served again when it is back")
                continue
            }
            if !link.isUp {
                texts.insert("interface \(port.name) is down (ip link set \(port.name) up)")
            } else if !link.hasCarrier {
                texts.insert("interface \(port.name) has no carrier")
            }
        }
        let rules = monitor.strangeRules.map { String($0.priority) }
        if !rules.isEmpty {
            texts.insert(
                "policy rules (ip rule) with priority \(rules.joined(separator: ", ")) ask for more than "
                    + "addresses and are not followed")
        }
        if let refusal = monitor.neighbourRefusal {
            texts.insert(
                "the kernel refuses to resolve neighbours: \(refusal.reason) (is "
                    + "net.ipv4.neigh.default.gc_thresh3 too small?)")
        }
        update.warnings = texts.subtracting(told).sorted()
        told = texts
    }
}

extension Surroundings {
    /// Makes the kernel resolve these neighbours and keep them fresh, over losses of carrier too.
    package func want(_ neighbours: [Neighbour], now: Instant) {
        for neighbour in neighbours where wanted.insert(neighbour).inserted {
            guard let interface = interfaceOfPort[neighbour.port] else { continue }
            monitor.want(
                KernelNeighbour(interface: interface, address: neighbour.address), now: now)
        }
    }

    /// Leaves neighbours to the kernel again.
    package func release(_ neighbours: [Neighbour]) {
        for neighbour in neighbours where wanted.remove(neighbour) != nil {
            guard let interface = interfaceOfPort[neighbour.port] else { continue }
            monitor.release(KernelNeighbour(interface: interface, address: neighbour.address))
        }
    }

    /// Leaves every neighbour to the kernel again: the end of a director.
    package func close() {
        wanted = []
        monitor.releaseAll()
    }
}

/// Why a director cannot serve what it was told to.
package struct SurroundingsError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    package enum Code: Hashable, Sendable {
        case noSuchInterface(String, there: [String])
        case notEthernet(String)
        case namedTwice(String)
        case nothingToServe
        case kernel(SystemError)
    }

    package var code: Code

    package var description: String {
        switch code {
        case .noSuchInterface(let name, let there):
            "no interface \(name) here (there are: \(there.joined(separator: ", ")))"
        case .notEthernet(let name): "interface \(name) is not an Ethernet interface"
        case .namedTwice(let name): "interface \(name) is named twice"
        case .nothingToServe: "no Ethernet interface is up; name one with --interface"
        case .kernel(let error): "\(error)"
        }
    }
}
