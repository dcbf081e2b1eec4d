/// A virtual service as the operator configures it (kernel: `svc`).
package struct VirtualService: Hashable, Sendable {
    package var key: ServiceKey
    /// Name of the scheduler as typed: `rr`, `wlc` ...; `none` refuses new connections.
    package var scheduler: String
    package var flags: ServiceFlags
    /// How long a persistence template lives, seconds.
    ///
    /// Timeout and mask of a service that is not persistent are stored all the same, as in IPVS.
    package var persistenceTimeoutSeconds: UInt32
    /// Granularity of persistence: the IPv4 mask in host order, or the IPv6 prefix length 1...128.
    package var netmask: UInt32
    /// Name of the persistence engine, `sip`; nil for none.
    package var persistenceEngine: String?
    /// For its servers with FULLNAT.
    package var fullNAT: FullNATOptions

    package init(
        key: ServiceKey, scheduler: String, flags: ServiceFlags = [],
        persistenceTimeoutSeconds: UInt32 = 0, netmask: UInt32? = nil,
        persistenceEngine: String? = nil, fullNAT: FullNATOptions = .none
    ) {
        self.key = key
        self.scheduler = scheduler
        self.flags = flags
        self.persistenceTimeoutSeconds = persistenceTimeoutSeconds
        self.netmask = netmask ?? (key.family == .v4 ? .max : 128)
        self.persistenceEngine = persistenceEngine
        self.fullNAT = fullNAT
    }
}

/// Flag bits of a service, numbered as IPVS numbers them (ipvs-semantics 10.1).
package struct ServiceFlags: OptionSet, Hashable, Sendable {
    package var rawValue: UInt32

    package init(rawValue: UInt32) { self.rawValue = rawValue }

    package static let persistent = ServiceFlags(rawValue: 0x01)
    package static let hashed = ServiceFlags(rawValue: 0x02)
    package static let onePacket = ServiceFlags(rawValue: 0x04)
    package static let schedulerFlag1 = ServiceFlags(rawValue: 0x08)
    package static let schedulerFlag2 = ServiceFlags(rawValue: 0x10)
    package static let schedulerFlag3 = ServiceFlags(rawValue: 0x20)
}
