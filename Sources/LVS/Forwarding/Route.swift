/// A served interface as the engine knows it.
package struct Port: Hashable, Sendable {
    package var index: PortIndex
    package var name: String
    package var hardware: HardwareAddress
    /// Largest IP packet that leaves here, bytes.
    package var mtu: UInt32

    package init(index: PortIndex, name: String, hardware: HardwareAddress, mtu: UInt32) {
        self.index = index
        self.name = name
        self.hardware = hardware
        self.mtu = mtu
    }
}

/// One route of the kernel, as read from rtnetlink.
package struct Route: Hashable, Sendable {
    /// What the kernel does with packets that match.
    package enum Kind: Hashable, Sendable {
        /// To a served port, through a gateway or on-link (nil).
        case forward(port: PortIndex, gateway: IPAddress?)
        /// By an interface that the director does not serve.
        case elsewhere(interface: String)
        /// One of the host's own addresses.
        case local
        /// Blackhole, unreachable, prohibit, broadcast.
        case refused
        /// What comes after the policy rule that led here decides (`throw`).
        case proceed
    }

    package var prefix: IPAddress
    /// Bits of the prefix within its family: 0...32 or 0...128.
    package var prefixLength: UInt8
    package var kind: Kind
    /// Source address the kernel prefers for packets it makes itself on this route.
    package var preferredSource: IPAddress?
    /// MTU of the route when it has its own, else 0 (the port's counts).
    package var mtu: UInt32
    /// Lower wins among equal prefixes.
    package var metric: UInt32
    /// Place of the policy rule that leads to the route: a lower one that has any route to an address
    /// decides, however long the prefixes of others are.
    package var rank: Int
    /// Only packets with such a source address take the route (`ip rule from`); nil: all.
    package var source: AddressPrefix?

    package init(
        prefix: IPAddress, prefixLength: UInt8, kind: Kind, preferredSource: IPAddress? = nil,
        mtu: UInt32 = 0, metric: UInt32 = 0, rank: Int = 0, source: AddressPrefix? = nil
    ) {
        self.prefix = prefix
        self.prefixLength = prefixLength
        self.kind = kind
        self.preferredSource = preferredSource
        self.mtu = mtu
        self.metric = metric
        self.rank = rank
        self.source = source
    }
}

/// Addresses that begin alike.
package struct AddressPrefix: Hashable, Sendable {
    package var address: IPAddress
    /// Bits within the family: 0...32 or 0...128.
    package var length: UInt8

    package init(address: IPAddress, length: UInt8) {
        self.address = address
        self.length = length
    }

    /// True for addresses of the same family that begin like this.
    package func contains(_ other: IPAddress) -> Bool {
        guard other.isV4 == address.isV4 else { return false }
        let all = Int(length) + (address.isV4 ? 96 : 0)
        let high = all == 0 ? 0 : UInt64.max << UInt64(max(0, 64 - all))
        let low = all <= 64 ? 0 : UInt64.max << UInt64(max(0, 128 - all))
        return other.high & high == address.high & high && other.low & low == address.low & low
    }

    /// True when every address of the other is one of these.
    package func contains(_ other: AddressPrefix) -> Bool {
        length <= other.length && contains(other.address)
    }
}

/// An address on a served segment, and who answers for it.
package struct Neighbour: Hashable, Sendable {
    package var port: PortIndex
    package var address: IPAddress

    package init(port: PortIndex, address: IPAddress) {
        self.port = port
        self.address = address
    }
}
