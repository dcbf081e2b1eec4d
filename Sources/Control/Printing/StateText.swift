internal import LVS

/// The one-line listings: timeouts and synchronisation daemons (ipvsadm-cli section 5).
enum StateText {
    static func timeouts(_ timeouts: TimeoutsRecord) -> String {
        "Timeout (tcp tcpfin udp): \(timeouts.tcpSeconds) \(timeouts.tcpFinSeconds)"
            + " \(timeouts.udpSeconds)\n"
    }

    /// Master first; nothing when none runs.
    static func daemons(_ daemons: [DaemonRecord]) -> String {
        DaemonRecord.Role.allCases.flatMap { role in
            daemons.filter { $0.role == role }.map { line($0, role) }
        }.joined()
    }

    private static func line(_ daemon: DaemonRecord, _ role: DaemonRecord.Role) -> String {
        var text = role == .master ? "master" : "backup"
        text += " sync daemon (mcast=\(daemon.interface), syncid=\(daemon.syncID)"
        if let bytes = daemon.maximumBytes { text += ", maxlen=\(bytes)" }
        switch daemon.group {
        case .v4(let address)?: text += ", group=\(AddressNames.text(address, .v4))"
        case .v6(let address)?: text += ", group=\(AddressNames.text(address, .v6))"
        case nil: break
        }
        if let port = daemon.port { text += ", port=\(port)" }
        if let hops = daemon.timeToLive { text += ", ttl=\(hops)" }
        return text + ")\n"
    }
}
