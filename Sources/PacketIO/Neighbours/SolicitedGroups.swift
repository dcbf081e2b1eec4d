package import LVS
package import Posix
internal import CPacketIO

/// Has the kernel take part in the groups that neighbour solicitations for answered addresses go to,
/// so that cards and switches let them through.
///
/// The housekeeper keeps it, in the namespace of the interfaces.
package final class SolicitedGroups {
    private var groups: Set<IPAddress> = []
    private var interfaces: [Int32] = []
    private var memberships: [Int32: Membership] = [:]

    package init() {}

    /// Takes part for the IPv6 ones among these addresses, on exactly these interfaces (the kernel's
    /// numbers).
    ///
    /// Returns what could not be joined, such as anything on an interface without IPv6, once for each
    /// interface and group.
    package func follow(
        _ interfaces: [Int32], addresses: Set<IPAddress>
    ) -> [SystemError] {
        let wanted = Set(addresses.filter { !$0.isV4 }.map(\.solicitedNode))
        guard wanted != groups || interfaces != self.interfaces else { return [] }
        groups = wanted
        self.interfaces = interfaces
        memberships = wanted.isEmpty ? [:] : memberships.filter { interfaces.contains($0.key) }
        guard !wanted.isEmpty else { return [] }
        return interfaces.flatMap { interface in
            let membership = memberships[interface] ?? Membership(interface)
            memberships[interface] = membership
            return membership.hold(wanted)
        }
    }
}

/// The socket whose life is that of the memberships on one interface.
private final class Membership {
    private let number = lvs_multicast_open()
    private let interface: Int32
    private var groups: Set<IPAddress> = []

    init(_ interface: Int32) { self.interface = interface }

    deinit {
        if number >= 0 { lvs_multicast_close(number) }
    }

    /// Takes part in exactly these groups; returns failures, each once.
    func hold(_ wanted: Set<IPAddress>) -> [SystemError] {
        for group in groups.subtracting(wanted) where number >= 0 {
            // A group that could not be joined cannot be left.
            _ = unsafe group.withWireBytes {
                unsafe lvs_multicast_leave(number, interface, $0)
            }
        }
        let new = wanted.subtracting(groups)
        groups = wanted
        return new.compactMap { group in
            let code = join(group)
            guard code != 0 else { return nil }
            return SystemError("join \(group) on interface", on: "\(interface)", code: code)
        }
    }

    /// 0, or the errno value.
    private func join(_ group: IPAddress) -> Int32 {
        guard number >= 0 else { return -number }
        return unsafe group.withWireBytes {
            unsafe -lvs_multicast_join(number, interface, $0)
        }
    }
}
