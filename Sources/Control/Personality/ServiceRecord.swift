package import LVS

/// A virtual service as it travels: identity, configuration and, in answers, statistics.
package struct ServiceRecord: Hashable, Sendable {
    /// What the service is found by.
    package enum Identity: Hashable, Sendable {
        case mark(UInt32)
        /// Protocol number, virtual address and port (host order).
        case endpoint(transport: UInt16, IPAddress, port: UInt16)
    }

    /// Decides how the address is written: an IPv4-mapped address may stand in either family.
    package var family: AddressFamily
    package var identity: Identity
    package var scheduler: String
    package var flags: ServiceFlags
    /// Bits of `flags` that a request speaks about.
    package var flagMask: UInt32
    package var timeoutSeconds: UInt32
    /// IPv4: the mask, host order; IPv6: prefix length.
    package var netmask: UInt32
    package var persistenceEngine: String?
    /// nil where the message does not say: in those of other programs, whose edits leave it as it is,
    /// and in answers about services that ask for nothing.
    package var fullNAT: FullNATOptions?
    /// How many local addresses the service has, in answers.
    package var localCount: UInt32 = 0
    package var statistics: StatisticsRecord

    package init(
        family: AddressFamily, identity: Identity, scheduler: String = "", flags: ServiceFlags = [],
        flagMask: UInt32 = .max, timeoutSeconds: UInt32 = 0, netmask: UInt32? = nil,
        persistenceEngine: String? = nil, fullNAT: FullNATOptions? = nil, localCount: UInt32 = 0,
        statistics: StatisticsRecord = StatisticsRecord()
    ) {
        self.family = family
        self.identity = identity
        self.scheduler = scheduler
        self.flags = flags
        self.flagMask = flagMask
        self.timeoutSeconds = timeoutSeconds
        self.netmask = netmask ?? (family == .v4 ? .max : 128)
        self.persistenceEngine = persistenceEngine
        self.fullNAT = fullNAT
        self.localCount = localCount
        self.statistics = statistics
    }

    /// How much of a service a message must hold, or is written with.
    package enum Extent: Sendable {
        /// What a service is found by.
        case identity
        /// What adding and editing need as well.
        case configuration
        /// Statistics too, as answers have them.
        case everything
    }
}

extension ServiceRecord {
    private typealias Number = AttributeNumber.Service

    /// Reads a service, with the checks of the kernel in its order (ipvs-semantics 10.1, 10.2).
    package init(_ nest: NetlinkAttributes?, needing extent: Extent) throws(Refusal) {
        guard let nest else { throw Refusal(.invalid, "the request names no service") }
        try nest.judge(AttributePolicy.service)
        let mark = try nest.number(Number.mark, as: UInt32.self)
        let transport = try nest.number(Number.transport, as: UInt16.self)
        let port = try nest.networkNumber(Number.port, as: UInt16.self)
        let scheduler = try nest.text(Number.scheduler, longest: 15)
        let engine = try nest.text(Number.engine, longest: 16)
        let timeout = try nest.number(Number.timeout, as: UInt32.self)
        let netmask = try nest.number(Number.netmask, as: UInt32.self)
        let familyNumber = try nest.number(Number.family, as: UInt16.self)
        guard let familyNumber,
            mark != nil || (transport != nil && port != nil && nest[Number.address] != nil)
        else {
            throw Refusal(
                .invalid, "a service needs a family and a mark, or protocol, address, port")
        }
        guard let family = AddressFamily(socketNumber: familyNumber) else {
            throw Refusal(.familyNotSupported)
        }
        let address = try nest.address(Number.address, family)
        let flags = nest[Number.flags]
        if extent != .identity {
            guard scheduler != nil, flags != nil, timeout != nil, netmask != nil else {
                throw Refusal(.invalid, "a service needs scheduler, flags, timeout and netmask")
            }
        }
        let identity: Identity =
            if let mark, mark != 0 {
                .mark(mark)
            } else if mark == nil, let transport, let address, let port {
                .endpoint(transport: transport, address, port: port)
            } else {
                // A mark of zero is "no mark" and hides the rest: TCP, address and port zero.
                .endpoint(
                    transport: UInt16(TransportProtocol.tcp.rawValue),
                    family == .v4 ? .anyV4 : .anyV6, port: 0)
            }
        self.init(
            family: family, identity: identity, scheduler: scheduler ?? "",
            flags: ServiceFlags(rawValue: flags?.number(at: 0) ?? 0),
            flagMask: flags?.number(at: 4) ?? 0, timeoutSeconds: timeout ?? 0,
            netmask: netmask.map { family == .v4 ? UInt32(bigEndian: $0) : $0 },
            persistenceEngine: engine.flatMap { $0.isEmpty ? nil : $0 },
            fullNAT: try FullNATOptions(wire: nest.number(Number.fullNAT)),
            localCount: try nest.number(Number.localCount) ?? 0,
            statistics: try StatisticsRecord(
                narrow: nest.nest(Number.statistics), wide: nest.nest(Number.statistics64)))
    }

    /// Appends the service as the nest SERVICE, in the order of the kernel's dumps.
    package func write(_ extent: Extent, to writer: inout NetlinkWriter) {
        writer.attribute(AttributeNumber.Top.service) { writer in
            writer.attribute(Number.family, family.socketNumber)
            switch identity {
            case .mark(let mark):
                writer.attribute(Number.mark, mark)
            case .endpoint(let transport, let address, let port):
                writer.attribute(Number.transport, transport)
                writer.attribute(Number.address, address, family)
                writer.attribute(Number.port, port.bigEndian)
            }
            if extent == .identity { return }
            writer.attribute(Number.scheduler, scheduler)
            if let persistenceEngine { writer.attribute(Number.engine, persistenceEngine) }
            writer.attribute(Number.flags) {
                $0.append(flags.rawValue)
                $0.append(flagMask)
            }
            writer.attribute(Number.timeout, timeoutSeconds)
            writer.attribute(Number.netmask, family == .v4 ? netmask.bigEndian : netmask)
            if let fullNAT { writer.attribute(Number.fullNAT, fullNAT.wire) }
            if localCount != 0 { writer.attribute(Number.localCount, localCount) }
            if extent == .configuration { return }
            writer.attribute(Number.statistics) { statistics.write(wide: false, to: &$0) }
            writer.attribute(Number.statistics64) { statistics.write(wide: true, to: &$0) }
        }
    }
}

extension FullNATOptions {
    /// The options as a number: how the client's address is told in the low byte, then a bit each for
    /// sequence numbers and timestamps.
    var wire: UInt32 {
        UInt32(clientAddress.rawValue) | (startsSequenceAnew ? 0x100 : 0)
            | (removesTimestamps ? 0x200 : 0)
    }

    /// nil for nil; a number that no options have is refused.
    init?(wire: UInt32?) throws(Refusal) {
        guard let wire else { return nil }
        guard wire <= 0x3ff, let client = ClientAddress(rawValue: UInt8(wire & 0xff)) else {
            throw Refusal(.invalid, "\(wire) is no set of options of FULLNAT")
        }
        self.init()
        clientAddress = client
        startsSequenceAnew = wire & 0x100 != 0
        removesTimestamps = wire & 0x200 != 0
    }
}

extension AddressFamily {
    /// AF_INET or AF_INET6 as Linux numbers them.
    var socketNumber: UInt16 { self == .v4 ? 2 : 10 }

    init?(socketNumber: UInt16) {
        switch socketNumber {
        case 2: self = .v4
        case 10: self = .v6
        default: return nil
        }
    }
}
