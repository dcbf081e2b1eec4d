internal import CPacketIO
internal import LVS

extension KernelEvent {
    /// Makes a value of what the C shim read; nil for what is of no interest here.
    init?(_ event: lvs_rt_event) {
        let removed = event.removed != 0
        switch Int(event.what) {
        case Int(LVS_RT_LINK.rawValue):
            self = .link(Link(event.link), removed: removed)
        case Int(LVS_RT_ADDRESS.rawValue):
            guard let address = HostAddress(event.address) else { return nil }
            self = .address(address, removed: removed)
        case Int(LVS_RT_ROUTE.rawValue):
            self = .route(KernelRoute(event.route))
        case Int(LVS_RT_NEIGHBOUR.rawValue):
            let neighbour = event.neighbour
            guard let address = IPAddress(neighbour.address, family: neighbour.family) else {
                return nil
            }
            let resolved = neighbour.valid != 0 && !removed
            self = .neighbour(
                KernelNeighbour(interface: neighbour.index, address: address),
                NeighbourState(
                    hardware: resolved ? HardwareAddress(neighbour.hardware) : nil,
                    isPermanent: neighbour.permanent != 0, isManaged: neighbour.managed != 0),
                removed: removed)
        case Int(LVS_RT_RULE.rawValue):
            self = .rule(PolicyRule(event.rule))
        default:
            return nil
        }
    }
}

/// Sixteen bytes as C shows them.
private typealias Bytes16 = (
    UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8,
    UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8, UInt8
)
/// Sixteen characters as C shows them.
private typealias Text16 = (
    CChar, CChar, CChar, CChar, CChar, CChar, CChar, CChar,
    CChar, CChar, CChar, CChar, CChar, CChar, CChar, CChar
)

extension IPAddress {
    /// Four or sixteen bytes in network order.
    fileprivate init?(_ bytes: Bytes16, family: UInt8) {
        let number = unsafe withUnsafeBytes(of: bytes) { raw in
            unsafe (
                UInt64(bigEndian: raw.loadUnaligned(as: UInt64.self)),
                UInt64(bigEndian: raw.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
        switch family {
        case 4: self.init(v4: UInt32(number.0 >> 32))
        case 6: self.init(wireHigh: number.0, low: number.1)
        default: return nil
        }
    }
}

extension HardwareAddress {
    fileprivate init(_ bytes: (UInt8, UInt8, UInt8, UInt8, UInt8, UInt8)) {
        let high = UInt64(bytes.0) << 40 | UInt64(bytes.1) << 32 | UInt64(bytes.2) << 24
        self.init(value: high | UInt64(bytes.3) << 16 | UInt64(bytes.4) << 8 | UInt64(bytes.5))
    }
}

extension String {
    fileprivate init(_ text: Text16) {
        self = unsafe withUnsafeBytes(of: text) { raw in
            unsafe String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}

extension Link {
    fileprivate init(_ link: lvs_rt_link) {
        let ethernet: UInt16 = 1  // ARPHRD_ETHER
        let up: UInt32 = 1  // IFF_UP
        let loopback: UInt32 = 8  // IFF_LOOPBACK
        self.init(
            index: link.index, name: String(link.name),
            hardware: link.has_hardware != 0 ? HardwareAddress(link.hardware) : nil,
            mtu: link.mtu, isUp: link.flags & up != 0, hasCarrier: link.carrier != 0,
            isEthernet: link.type == ethernet, isLoopback: link.flags & loopback != 0,
            kind: String(link.kind), slaveKind: String(link.slave_kind),
            parent: link.parent != 0 ? link.parent : nil,
            vlan: link.vlan_id != 0 ? link.vlan_id : nil)
    }
}

extension HostAddress {
    fileprivate init?(_ entry: lvs_rt_address) {
        guard let address = IPAddress(entry.address, family: entry.family) else { return nil }
        self.init(
            interface: entry.index, address: address, prefixLength: entry.prefix_length,
            scope: entry.scope, isSecondary: entry.secondary != 0,
            isUnusable: entry.unusable != 0)
    }
}

extension KernelRoute {
    /// Nil for routes for one kind of traffic only, dead ones and those of a director's own.
    fileprivate init?(_ route: lvs_rt_route) {
        guard route.table != HostRules.table, route.dead == 0, route.selective == 0,
            let prefix = IPAddress(route.destination, family: route.family)
        else { return nil }
        let kind: Kind =
            switch UInt32(route.kind) {
            case LVS_RT_UNICAST.rawValue: .unicast
            case LVS_RT_LOCAL.rawValue: .local
            case LVS_RT_THROW.rawValue: .proceed
            default: .refused
            }
        self.init(
            prefix: prefix, prefixLength: route.prefix_length, kind: kind, table: route.table,
            interface: route.interface,
            gateway: IPAddress(route.gateway, family: route.gateway_family),
            source: route.has_source != 0 ? IPAddress(route.source, family: route.family) : nil,
            metric: route.metric, mtu: route.mtu)
    }
}

extension PolicyRule {
    /// Nil for families that packets are not routed by.
    fileprivate init?(_ rule: lvs_rt_rule) {
        let author: UInt8 = 76  // as the C shim signs its rules
        guard let family = AddressFamily(rawValue: rule.family) else { return nil }
        let action: Action =
            switch UInt32(rule.action) {
            case LVS_RT_RULE_LOOKUP.rawValue: .lookUp
            case LVS_RT_RULE_REFUSE.rawValue: .refuse
            case LVS_RT_RULE_NOTHING.rawValue: .nothing
            default: .other
            }
        self.init(
            family: family, priority: rule.priority, action: action, table: rule.table,
            source: Self.prefix(rule.source, rule.source_length, rule.family),
            destination: Self.prefix(rule.destination, rule.destination_length, rule.family),
            isElsewhere: rule.elsewhere != 0, isQualified: rule.qualified != 0,
            isPlain: rule.plain != 0, isOwn: rule.protocol == author)
    }

    private static func prefix(_ bytes: Bytes16, _ length: UInt8, _ family: UInt8) -> AddressPrefix?
    {
        guard length > 0, let address = IPAddress(bytes, family: family) else { return nil }
        return AddressPrefix(address: address, length: length)
    }
}
