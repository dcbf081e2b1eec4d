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
    /// Nil for routes of other tables, for one kind of traffic only, dead ones and `throw`, which
    /// leaves its table for the next rule's.
    fileprivate init?(_ route: lvs_rt_route) {
        guard route.table == RouteTable.main || route.table == RouteTable.local,
            route.dead == 0, route.selective == 0,
            UInt32(route.kind) != LVS_RT_THROW.rawValue,
            let prefix = IPAddress(route.destination, family: route.family)
        else { return nil }
        let kind: Kind =
            switch UInt32(route.kind) {
            case LVS_RT_UNICAST.rawValue: .unicast
            case LVS_RT_LOCAL.rawValue: .local
            default: .refused
            }
        self.init(
            prefix: prefix, prefixLength: route.prefix_length, kind: kind,
            isLocalTable: route.table == RouteTable.local, interface: route.interface,
            gateway: IPAddress(route.gateway, family: route.gateway_family),
            source: route.has_source != 0 ? IPAddress(route.source, family: route.family) : nil,
            metric: route.metric, mtu: route.mtu)
    }
}

extension PolicyRule {
    /// Nil for the three rules a kernel starts with.
    fileprivate init?(_ rule: lvs_rt_rule) {
        let author: UInt8 = 76  // as the C shim signs its rules
        guard rule.plain == 0, let family = AddressFamily(rawValue: rule.family) else { return nil }
        self.init(
            family: family, priority: rule.priority, table: rule.table,
            isOwn: rule.protocol == author)
    }
}
