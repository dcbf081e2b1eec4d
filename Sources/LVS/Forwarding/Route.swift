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

    package init(
        prefix: IPAddress, prefixLength: UInt8, kind: Kind, preferredSource: IPAddress? = nil,
        mtu: UInt32 = 0, metric: UInt32 = 0
    ) {
        self.prefix = prefix
        self.prefixLength = prefixLength
        self.kind = kind
        self.preferredSource = preferredSource
        self.mtu = mtu
        self.metric = metric
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
