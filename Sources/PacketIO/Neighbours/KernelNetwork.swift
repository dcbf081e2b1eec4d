package import LVS

/// An interface of the kernel.
package struct Link: Hashable, Sendable {
    /// The kernel's number of the interface.
    package var index: Int32
    package var name: String
    /// Nil for interfaces without Ethernet addresses.
    package var hardware: HardwareAddress?
    package var mtu: UInt32
    /// Administratively up.
    package var isUp: Bool
    package var hasCarrier: Bool
    package var isEthernet: Bool
    package var isLoopback: Bool
    /// What made it (`veth`, `vlan`, `bridge`, ...); empty for cards.
    package var kind: String
    /// What its master makes of it (`bridge`, `bond`, ...); empty without a master.
    package var slaveKind: String
    /// Index of the interface a VLAN interface sits on.
    package var parent: Int32?
    /// VLAN identifier, 1...4094; nil unless the interface is a VLAN.
    package var vlan: UInt16?

    /// Whether a director without `--interface` serves it: Ethernet, up, not a part of a bridge or bond
    /// (their frames are the master's), and a device frames can come in by.
    package var isServedByDefault: Bool {
        isEthernet && isUp && !isLoopback && hardware != nil
            && !["bridge", "bond", "team", "openvswitch"].contains(slaveKind)
            && !["dummy", "ifb", "nlmon"].contains(kind)
    }
}

/// An address of the host.
package struct HostAddress: Hashable, Sendable {
    package var interface: Int32
    package var address: IPAddress
    package var prefixLength: UInt8
    /// The kernel's scope: 0 global, 253 link, 254 host.
    package var scope: UInt8
    /// A further address of a subnet that has one already.
    package var isSecondary: Bool
    /// Not (yet, or any longer) to be used as a source: tentative, deprecated, duplicate.
    package var isUnusable: Bool
}

/// A route as the kernel has it, before interfaces become ports.
struct KernelRoute: Hashable {
    enum Kind { case unicast, local, refused, proceed }

    var prefix: IPAddress
    var prefixLength: UInt8
    var kind: Kind
    var table: UInt32
    /// Interface of the first hop that works; 0: none.
    var interface: Int32
    var gateway: IPAddress?
    var source: IPAddress?
    var metric: UInt32
    var mtu: UInt32
}

/// A neighbour by the kernel's interface number.
struct KernelNeighbour: Hashable {
    var interface: Int32
    var address: IPAddress
}

/// What the kernel knows of a neighbour.
struct NeighbourState: Hashable {
    /// Nil while unresolved.
    var hardware: HardwareAddress?
    /// An operator's own entry, not to be touched.
    var isPermanent: Bool
    /// The kernel keeps it fresh.
    var isManaged: Bool
}

/// A policy rule: which packets look for their route where.
struct PolicyRule: Hashable {
    enum Action { case lookUp, refuse, nothing, other }

    var family: AddressFamily
    var priority: UInt32
    var action: Action
    var table: UInt32
    /// Nil: every address.
    var source: AddressPrefix?
    var destination: AddressPrefix?
    /// For packets from or to a named interface only, which those of a director are not: IPVS routes
    /// requests and replies as the host's own packets are routed.
    var isElsewhere: Bool
    /// Asks for more than addresses: a mark, a port, a user.
    var isQualified: Bool
    /// One of the three rules a kernel starts with.
    var isPlain: Bool
    /// Installed by a director (see `HostRules`).
    var isOwn: Bool

    /// Whether it counts for what a director sends.
    var isFollowed: Bool { !isQualified && !isElsewhere && !isOwn && action != .other }
}

/// One thing that was listed, or that happened.
enum KernelEvent {
    case link(Link, removed: Bool)
    case address(HostAddress, removed: Bool)
    /// Nil for routes that packets of a director do not meet.
    case route(KernelRoute?)
    case neighbour(KernelNeighbour, NeighbourState, removed: Bool)
    case rule(PolicyRule?)
}
