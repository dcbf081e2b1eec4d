package import LVS
package import Posix

/// Leads the replies of real servers that run on the host itself into the host door, where the
/// director reads and translates them (packet-io, section 11).
///
/// One policy rule for each such server ("from RIP ipproto tcp sport 8080 lookup 7600"), one for its
/// address's ICMP, among which are the errors about packets that the director has translated, and a
/// table with a default route by the door. What leaves by interfaces that are not served is none of
/// the director's business: `throw` routes lead it on to the host's own tables. Replies to the host itself never get here: the kernel asks its
/// local table first. The rules belong to the director and go with it; one that was killed leaves
/// rules whose table is empty, which change nothing, until the next takes them away.
package final class HostRules {
    /// Priority of the rules, and number of the table they lead to.
    package static let priority: UInt32 = 7600
    package static let table: UInt32 = 7600

    private let requests: RouteSocket
    private let families: [AddressFamily]
    private let door: Int32
    private var servers: Set<ServedTraffic.Endpoint> = []
    private var ways: Set<Way>

    /// A route of the table.
    private struct Way: Hashable {
        var prefix: IPAddress
        var length: UInt8
        /// By the door, or to the next rule.
        var usesDoor: Bool

        static func everything(_ family: AddressFamily) -> Way {
            Way(prefix: family == .v4 ? .anyV4 : .anyV6, length: 0, usesDoor: true)
        }

        func contains(_ other: Route) -> Bool {
            other.prefixLength >= length && other.prefix.shares(bits: length, with: prefix)
        }
    }

    /// Removes what an earlier director left and makes the table; the host door must be open.
    package init() throws(SystemError) {
        requests = try RouteSocket(events: false)
        guard let door = NetworkNamespace.interfaceIndex(HostDoor.name) else {
            let missing: Int32 = 19  // ENODEV
            throw SystemError("find the host door", on: HostDoor.name, code: missing)
        }
        var found: [AddressFamily] = []
        try Self.clean(requests)
        for family in [AddressFamily.v4, .v6] {
            do throws(SystemError) {
                try requests.changeRoute(
                    add: true, to: family == .v4 ? .anyV4 : .anyV6, length: 0, interface: door,
                    table: Self.table)
                found.append(family)
            } catch  where family == .v6 {
                // A host without IPv6 has no servers on it either.
            }
        }
        families = found
        ways = Set(found.map(Way.everything))
        self.door = door
    }

    /// Makes the rules those that the services need: one for each real server at a host's address.
    package func update(_ served: ServedTraffic) throws(SystemError) {
        var wanted = served.servers.filter {
            served.hostAddresses.contains($0.address) && families.contains($0.address.family)
        }
        wanted.formUnion(
            wanted.map {
                .init(address: $0.address, transport: .icmp(of: $0.address.family), port: 0)
            })
        for server in servers.subtracting(wanted) {
            try change(add: false, server)
            servers.remove(server)
        }
        for server in wanted.subtracting(servers) {
            try change(add: true, server)
            servers.insert(server)
        }
    }

    /// Makes the table hold what leaves by served interfaces, and nothing else.
    package func follow(_ routes: [Route]) throws(SystemError) {
        let known = routes.filter { families.contains($0.prefix.family) && $0.source == nil }
        var wanted = Set(families.map(Way.everything))
        let elsewhere = known.filter(\.isElsewhere).map {
            Way(prefix: $0.prefix, length: $0.prefixLength, usesDoor: false)
        }
        for way in elsewhere {
            if way.length == 0 { wanted.remove(.everything(way.prefix.family)) }
            wanted.insert(way)
        }
        // A served segment may lie within a wider prefix that is not.
        for route in known
        where route.isForward && elsewhere.contains(where: { $0.contains(route) }) {
            wanted.insert(Way(prefix: route.prefix, length: route.prefixLength, usesDoor: true))
        }
        // What is added replaces what has the same prefix.
        for way in wanted.subtracting(ways) {
            try change(add: true, way)
            ways.remove(Way(prefix: way.prefix, length: way.length, usesDoor: !way.usesDoor))
            ways.insert(way)
        }
        for way in ways.subtracting(wanted) {
            try change(add: false, way)
            ways.remove(way)
        }
    }

    /// Removes all rules and the table.
    package func remove() throws(SystemError) {
        servers = []
        ways = []
        try Self.clean(requests)
    }

    /// Removes what a director that is no more has left.
    package static func clean() throws(SystemError) {
        try clean(RouteSocket(events: false))
    }

    private func change(add: Bool, _ server: ServedTraffic.Endpoint) throws(SystemError) {
        try requests.changeRule(
            add: add, source: server, priority: Self.priority, table: Self.table)
    }

    private func change(add: Bool, _ way: Way) throws(SystemError) {
        let gone: Int32 = 3  // ESRCH
        do throws(SystemError) {
            try requests.changeRoute(
                add: add, to: way.prefix, length: way.length, interface: way.usesDoor ? door : 0,
                table: Self.table)
        } catch  where !add && error.code == gone {}
    }

    private static func clean(_ requests: RouteSocket) throws(SystemError) {
        for family in [AddressFamily.v4, .v6] {
            try requests.deleteRules(family, priority: priority, table: table)
        }
        try requests.flush(table: table)
    }
}

extension Route {
    fileprivate var isElsewhere: Bool {
        if case .elsewhere = kind { return true }
        return false
    }

    fileprivate var isForward: Bool {
        if case .forward = kind { return true }
        return false
    }
}
