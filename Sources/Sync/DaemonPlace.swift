package import LVS

/// Where a synchronisation daemon speaks or listens, and for whom (ipvs-semantics 9.1).
package struct DaemonPlace: Hashable, Sendable {
    package var interface: String
    package var group: IPAddress
    /// Of the first socket, host order.
    package var port: UInt16
    /// Sockets, on this many ports one after the other (`sync_ports`).
    package var ports = 1
    package var syncID: UInt32
    /// Longest message, bytes.
    package var maximumBytes: Int
    /// Of each socket's buffer, bytes; 0 is the system's own (`sync_sock_size`).
    package var roomBytes = 0
    /// Of a master's datagrams.
    package var timeToLive: UInt8 = 1

    /// There is none above 65535.
    package var lastPort: UInt16 { UInt16(clamping: Int(port) + max(1, ports) - 1) }

    package init(
        interface: String, group: IPAddress, port: UInt16, syncID: UInt32, maximumBytes: Int
    ) {
        self.interface = interface
        self.group = group
        self.port = port
        self.syncID = syncID
        self.maximumBytes = maximumBytes
    }

    /// The interface, the group and the ports, as `status` has them.
    var words: String {
        let ports = ports > 1 ? "\(port)-\(lastPort)" : "\(port)"
        return "on \(interface), group \(group), port \(ports)"
    }
}
