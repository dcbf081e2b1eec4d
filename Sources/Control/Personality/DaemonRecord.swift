package import LVS

/// A synchronisation daemon as it travels; what a request leaves out is nil.
package struct DaemonRecord: Hashable, Sendable {
    package enum Role: UInt32, CaseIterable, Sendable {
        case master = 1
        case backup = 2
    }

    /// Where its messages go: a multicast group of either family.
    package enum Group: Hashable, Sendable {
        case v4(IPAddress)
        case v6(IPAddress)

        package var address: IPAddress {
            switch self {
            case .v4(let address), .v6(let address): address
            }
        }
    }

    /// What a daemon has that is started without saying (ipvs-semantics 9.1).
    package enum Default {
        /// 224.0.0.81.
        package static let group = Group.v4(IPAddress(v4: 0xe000_0051))
        /// Host order.
        package static let port: UInt16 = 8848
        package static let timeToLive: UInt8 = 1
        /// Longest message of an IPv4 group, bytes: what headers leave of an Ethernet frame.
        package static let maximumBytes: UInt16 = 1472
    }

    /// Number of the role; 1 master, 2 backup, others are refused by the director.
    package var state: UInt32
    /// Empty where a stop request says none.
    package var interface: String
    package var syncID: UInt32
    package var maximumBytes: UInt16?
    package var group: Group?
    /// Host order.
    package var port: UInt16?
    package var timeToLive: UInt8?

    package var role: Role? { Role(rawValue: state) }

    package init(
        state: UInt32, interface: String = "", syncID: UInt32 = 0, maximumBytes: UInt16? = nil,
        group: Group? = nil, port: UInt16? = nil, timeToLive: UInt8? = nil
    ) {
        self.state = state
        self.interface = interface
        self.syncID = syncID
        self.maximumBytes = maximumBytes
        self.group = group
        self.port = port
        self.timeToLive = timeToLive
    }
}

extension DaemonRecord {
    private typealias Number = AttributeNumber.Daemon

    /// Reads a daemon; starting needs state, interface and syncid, stopping the state alone.
    package init(_ nest: NetlinkAttributes?, starting: Bool) throws(Refusal) {
        guard let nest else { throw Refusal(.invalid, "the request names no daemon") }
        try nest.judge(AttributePolicy.daemon)
        let state = try nest.number(Number.state, as: UInt32.self)
        let interface = try nest.text(Number.interface, longest: 15)
        let syncID = try nest.number(Number.syncID, as: UInt32.self)
        guard let state, !starting || (interface != nil && syncID != nil) else {
            throw Refusal(.invalid, "a daemon needs state, interface and syncid")
        }
        self.init(
            state: state, interface: interface ?? "", syncID: syncID ?? 0,
            maximumBytes: try nest.number(Number.maximumBytes),
            port: try nest.number(Number.port), timeToLive: try nest.number(Number.timeToLive))
        if let group = nest[Number.group] {
            self.group = NetlinkAttributes.address(group, .v4).map(Group.v4)
        } else if let group = nest[Number.group6] {
            self.group = NetlinkAttributes.address(group, .v6).map(Group.v6)
        }
    }

    /// Appends the daemon as the nest DAEMON; what is nil is left out.
    package func write(to writer: inout NetlinkWriter) {
        writer.attribute(AttributeNumber.Top.daemon) { writer in
            writer.attribute(Number.state, state)
            writer.attribute(Number.interface, interface)
            writer.attribute(Number.syncID, syncID)
            if let maximumBytes { writer.attribute(Number.maximumBytes, maximumBytes) }
            if let port { writer.attribute(Number.port, port) }
            if let timeToLive { writer.attribute(Number.timeToLive, timeToLive) }
            switch group {
            case .v4(let address):
                writer.attribute(Number.group) { $0.append(address.v4.bigEndian) }
            case .v6(let address):
                writer.attribute(Number.group6, address, .v6)
            case nil:
                break
            }
        }
    }
}
