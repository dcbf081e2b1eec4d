package import LVS

/// A real server as it travels: identity, configuration and, in answers, counts and statistics.
package struct DestinationRecord: Hashable, Sendable {
    /// Decides how the address is written: an IPv4-mapped address may stand in either family.
    package var family: AddressFamily
    package var address: IPAddress
    /// Host order.
    package var port: UInt16
    /// Number of the forwarding method; answers hold 0...3.
    package var method: UInt32
    package var weight: Int32
    package var upperThreshold: UInt32
    package var lowerThreshold: UInt32
    /// 0 IPIP, 1 GUE, 2 GRE.
    package var tunnelType: UInt8
    /// Host order.
    package var tunnelPort: UInt16
    /// 1 checksum, 2 remote checksum.
    package var tunnelFlags: UInt16
    /// FULLNAT, with the method of NAT beside it for who does not know it; nil where the message does
    /// not say, as those of other programs, whose edits leave a server with it as it is.
    package var fullNAT: Bool?
    package var activeConnections: UInt32 = 0
    package var inactiveConnections: UInt32 = 0
    package var persistentConnections: UInt32 = 0
    package var statistics = StatisticsRecord()

    package init(
        family: AddressFamily, address: IPAddress, port: UInt16, method: UInt32 = 0,
        weight: Int32 = 0, upperThreshold: UInt32 = 0, lowerThreshold: UInt32 = 0,
        tunnelType: UInt8 = 0, tunnelPort: UInt16 = 0, tunnelFlags: UInt16 = 0,
        fullNAT: Bool? = nil
    ) {
        self.family = family
        self.address = address
        self.port = port
        self.method = method
        self.weight = weight
        self.upperThreshold = upperThreshold
        self.lowerThreshold = lowerThreshold
        self.tunnelType = tunnelType
        self.tunnelPort = tunnelPort
        self.tunnelFlags = tunnelFlags
        self.fullNAT = fullNAT
    }

    package var isFullNAT: Bool { fullNAT == true }
}

extension DestinationRecord {
    private typealias Number = AttributeNumber.Destination

    /// Reads a real server, with the checks of the kernel in its order (ipvs-semantics 10.1, 10.2);
    /// one that says no family has that of its service.
    package init(
        _ nest: NetlinkAttributes?, needing extent: ServiceRecord.Extent,
        serviceFamily: AddressFamily
    ) throws(Refusal) {
        guard let nest else { throw Refusal(.invalid, "the request names no real server") }
        try nest.judge(AttributePolicy.destination)
        let port = try nest.networkNumber(Number.port, as: UInt16.self)
        let method = try nest.number(Number.method, as: UInt32.self)
        let weight = try nest.number(Number.weight, as: UInt32.self)
        let upper = try nest.number(Number.upperThreshold, as: UInt32.self)
        let lower = try nest.number(Number.lowerThreshold, as: UInt32.self)
        let tunnelType = try nest.number(Number.tunnelType, as: UInt8.self)
        let tunnelPort = try nest.networkNumber(Number.tunnelPort, as: UInt16.self)
        let tunnelFlags = try nest.number(Number.tunnelFlags, as: UInt16.self)
        let familyNumber = try nest.number(Number.family, as: UInt16.self) ?? 0
        guard let port, nest[Number.address] != nil else {
            throw Refusal(.invalid, "a real server needs address and port")
        }
        if extent != .identity {
            guard method != nil, weight != nil, upper != nil, lower != nil else {
                throw Refusal(.invalid, "a real server needs method, weight and both thresholds")
            }
        }
        let family = familyNumber == 0 ? serviceFamily : AddressFamily(socketNumber: familyNumber)
        guard let family, let address = try nest.address(Number.address, family) else {
            throw Refusal(.familyNotSupported)
        }
        self.init(
            family: family, address: address, port: port, method: (method ?? 0) & 7,
            weight: Int32(bitPattern: weight ?? 0), upperThreshold: upper ?? 0,
            lowerThreshold: lower ?? 0, tunnelType: tunnelType ?? 0, tunnelPort: tunnelPort ?? 0,
            tunnelFlags: tunnelFlags ?? 0,
            fullNAT: try nest.number(Number.fullNAT, as: UInt8.self).map { $0 != 0 })
        activeConnections = try nest.number(Number.active) ?? 0
        inactiveConnections = try nest.number(Number.inactive) ?? 0
        persistentConnections = try nest.number(Number.persistent) ?? 0
        statistics = try StatisticsRecord(
            narrow: nest.nest(Number.statistics), wide: nest.nest(Number.statistics64))
    }

    /// Appends the real server as the nest DEST, in the order of the kernel's dumps.
    package func write(_ extent: ServiceRecord.Extent, to writer: inout NetlinkWriter) {
        writer.attribute(AttributeNumber.Top.destination) { writer in
            writer.attribute(Number.address, address, family)
            writer.attribute(Number.port, port.bigEndian)
            if extent != .identity {
                writer.attribute(Number.method, method)
                writer.attribute(Number.weight, UInt32(bitPattern: weight))
                writer.attribute(Number.tunnelType, tunnelType)
                writer.attribute(Number.tunnelPort, tunnelPort.bigEndian)
                writer.attribute(Number.tunnelFlags, tunnelFlags)
                writer.attribute(Number.upperThreshold, upperThreshold)
                writer.attribute(Number.lowerThreshold, lowerThreshold)
                if let fullNAT { writer.attribute(Number.fullNAT, UInt8(fullNAT ? 1 : 0)) }
            }
            if extent == .everything {
                writer.attribute(Number.active, activeConnections)
                writer.attribute(Number.inactive, inactiveConnections)
                writer.attribute(Number.persistent, persistentConnections)
            }
            writer.attribute(Number.family, family.socketNumber)
            if extent == .everything {
                writer.attribute(Number.statistics) { statistics.write(wide: false, to: &$0) }
                writer.attribute(Number.statistics64) { statistics.write(wide: true, to: &$0) }
            }
        }
    }
}
