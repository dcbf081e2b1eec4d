package import LVS
package import Posix
internal import CPacketIO

/// Has the kernel take part in the groups that neighbour solicitations for answered addresses go to,
/// so that cards and switches let them through.
///
/// The housekeeper keeps it, in the namespace of the interfaces.
package final class SolicitedGroups {
    private let groups: [IPAddress]
    private var memberships: [Int32: Membership] = [:]

    /// For the IPv6 ones among the addresses.
    package init(addresses: [IPAddress]) {
        groups = addresses.filter { !$0.isV4 }.map(\.solicitedNode)
    }

    /// Takes part on exactly these interfaces (the kernel's numbers); returns what could not be
    /// joined, such as anything on an interface without IPv6, once for each interface.
    package func follow(_ interfaces: [Int32]) -> [SystemError] {
        guard !groups.isEmpty else { return [] }
        var failures: [SystemError] = []
        memberships = memberships.filter { interfaces.contains($0.key) }
        for interface in interfaces where memberships[interface] == nil {
            let membership = Membership()
            memberships[interface] = membership
            for group in groups {
                let code = membership.join(group, on: interface)
                guard code != 0 else { continue }
                failures.append(
                    SystemError("join \(group) on interface", on: "\(interface)", code: code))
            }
        }
        return failures
    }
}

/// The socket whose life is that of the memberships on one interface.
private final class Membership {
    private let number = lvs_multicast_open()

    deinit {
        if number >= 0 { lvs_multicast_close(number) }
    }

    /// 0, or the errno value.
    func join(_ group: IPAddress, on interface: Int32) -> Int32 {
        guard number >= 0 else { return -number }
        return unsafe NetworkBytes(group).withPointer {
            unsafe -lvs_multicast_join(number, interface, $0)
        }
    }
}
