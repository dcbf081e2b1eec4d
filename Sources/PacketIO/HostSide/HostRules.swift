package import LVS
package import Posix

/// Leads the replies of real servers that run on the host itself into the host door, where the
/// director reads and translates them (packet-io, section 11).
///
/// One policy rule for each such server ("from RIP ipproto tcp sport 8080 lookup 7600"), one for its
/// address's ICMP, among which are the errors about packets that the director has translated, and a
/// table with a default route by the door. Replies to the host itself never get here: the kernel asks its
/// local table first. The rules belong to the director and go with it; one that was killed leaves
/// rules whose table is empty, which change nothing, until the next takes them away.
package final class HostRules {
    /// Priority of the rules, and number of the table they lead to.
    package static let priority: UInt32 = 7600
    package static let table: UInt32 = 7600

    private let requests: RouteSocket
    private let families: [AddressFamily]
    private var servers: Set<ServedTraffic.Endpoint> = []

    /// Removes what an earlier director left and makes the table; the host door must be open.
    package init() throws(SystemError) {
        requests = try RouteSocket(events: false)
        guard let door = NetworkNamespace.interfaceIndex(HostDoor.name) else {
            let missing: Int32 = 19  // ENODEV
            throw SystemError("find the host door", on: HostDoor.name, code: missing)
        }
        var found: [AddressFamily] = []
        for family in [AddressFamily.v4, .v6] {
            try requests.deleteRules(family, priority: Self.priority, table: Self.table)
            do throws(SystemError) {
                try requests.addDefault(family, interface: door, table: Self.table)
                found.append(family)
            } catch  where family == .v6 {
                // A host without IPv6 has no servers on it either.
            }
        }
        families = found
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

    /// Removes all rules; the table goes with the door.
    package func remove() throws(SystemError) {
        servers = []
        try Self.deleteRules(requests)
    }

    /// Removes what a director that is no more has left.
    package static func clean() throws(SystemError) {
        try deleteRules(RouteSocket(events: false))
    }

    private func change(add: Bool, _ server: ServedTraffic.Endpoint) throws(SystemError) {
        try requests.changeRule(
            add: add, source: server, priority: Self.priority, table: Self.table)
    }

    private static func deleteRules(_ requests: RouteSocket) throws(SystemError) {
        for family in [AddressFamily.v4, .v6] {
            try requests.deleteRules(family, priority: priority, table: table)
        }
    }
}
