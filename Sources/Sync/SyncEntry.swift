package import LVS

/// One connection or persistence template, as synchronisation messages carry it (ipvs-semantics 9.2 and
/// 9.3): what stands there, not what a director makes of it.
package struct SyncEntry: Hashable, Sendable {
    /// The kernel's connection flags; those without a name here travel all the same.
    package struct Flags: OptionSet, Hashable, Sendable {
        package var rawValue: UInt32

        package init(rawValue: UInt32) { self.rawValue = rawValue }

        /// Made by a synchronisation daemon.
        package static let synchronised = Flags(rawValue: 0x20)
        /// Stands in the table of who sends it; never sent.
        package static let hashed = Flags(rawValue: 0x40)
        /// No packet of the real server seen, or expected.
        package static let hasNoOutput = Flags(rawValue: 0x80)
        package static let isInactive = Flags(rawValue: 0x100)
        package static let hasOutputShift = Flags(rawValue: 0x200)
        package static let hasInputShift = Flags(rawValue: 0x400)
        /// The client's port is not known yet.
        package static let hasNoClientPort = Flags(rawValue: 0x800)
        package static let isTemplate = Flags(rawValue: 0x1000)
        package static let isOnePacket = Flags(rawValue: 0x2000)

        /// The forwarding method: 0 NAT, 1 local, 2 tunnel, 3 direct routing, 4 bypass.
        package var method: UInt8 { UInt8(rawValue & 7) }

        /// Sequence data belongs to the entry.
        package var hasShift: Bool { !isDisjoint(with: [.hasOutputShift, .hasInputShift]) }
    }

    /// How one direction's sequence numbers are shifted.
    package struct Shift: Hashable, Sendable {
        /// Number of the segment whose payload changed its length.
        package var start: UInt32
        /// Added to numbers behind it.
        package var delta: UInt32
        /// Added to those before it.
        package var earlierDelta: UInt32

        package init(start: UInt32 = 0, delta: UInt32 = 0, earlierDelta: UInt32 = 0) {
            self.start = start
            self.delta = delta
            self.earlierDelta = earlierDelta
        }
    }

    /// The shifts of both directions.
    package struct Shifts: Hashable, Sendable {
        /// Of what the client sends.
        package var input = Shift()
        /// Of what the real server sends.
        package var output = Shift()

        package init() {}
    }

    /// Longest data and name of a persistence engine, bytes.
    package static let mostEngineData = 255
    package static let mostEngineName = 16

    package var family: AddressFamily
    /// 0 for templates of services by firewall mark.
    package var transport: TransportProtocol
    package var flags: Flags
    package var state: UInt16
    /// Ports are host order.
    package var clientPort: UInt16
    package var virtualPort: UInt16
    package var realPort: UInt16
    package var client: IPAddress
    /// With the mark as its number, host order, for templates of services by firewall mark.
    package var virtual: IPAddress
    package var real: IPAddress
    /// Of the connection's first packet; version 0 does not tell it.
    package var mark: UInt32 = 0
    /// How long the entry stays without packets; nil in version 0.
    package var timeoutSeconds: UInt32?
    /// There in version 0 whenever the flags say so.
    package var shifts: Shifts?
    /// What the persistence engine keeps of the template, and the engine's name, as bytes.
    package var engineData: [UInt8]?
    package var engineName: [UInt8]?

    package init(
        family: AddressFamily, transport: TransportProtocol, flags: Flags, state: UInt16,
        client: IPAddress, clientPort: UInt16, virtual: IPAddress, virtualPort: UInt16,
        real: IPAddress, realPort: UInt16
    ) {
        self.family = family
        self.transport = transport
        self.flags = flags
        self.state = state
        self.client = client
        self.clientPort = clientPort
        self.virtual = virtual
        self.virtualPort = virtualPort
        self.real = real
        self.realPort = realPort
    }
}
