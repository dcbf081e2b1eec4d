import LVS
import Posix

/// The synchronisation daemons as started, at most one of each role (ipvs-semantics 9.1, 10.2).
struct SyncDaemons {
    private var running: [DaemonRecord.Role: DaemonRecord] = [:]

    /// Running ones, the master first.
    var records: [DaemonRecord] { DaemonRecord.Role.allCases.compactMap { running[$0] } }

    var hasBackup: Bool { running[.backup] != nil }

    /// Keeps a daemon as started, with defaults filled in, once `begin` has not refused it.
    mutating func start(
        _ request: DaemonRecord, mtu: (_ interface: String) -> Int?,
        _ begin: (DaemonRecord) throws(Refusal) -> Void
    ) throws(Refusal) {
        let multicast = request.group?.address.isMulticast ?? true
        guard multicast else { throw Refusal(.invalid, "the group is not a multicast address") }
        guard let mtu = mtu(request.interface) else {
            throw Refusal(.noSuchDevice, "there is no interface '\(request.interface)'")
        }
        guard let role = request.role else {
            throw Refusal(.invalid, "state \(request.state) is neither 1 (master) nor 2 (backup)")
        }
        guard running[role] == nil else { throw Refusal(.exists) }
        var started = request
        started.group = request.group ?? DaemonRecord.Default.group
        started.port = request.port.flatMap { $0 == 0 ? nil : $0 } ?? DaemonRecord.Default.port
        started.timeToLive =
            request.timeToLive.flatMap { $0 == 0 ? nil : $0 } ?? DaemonRecord.Default.timeToLive
        started.maximumBytes = Self.payloadBytes(of: started, role, mtu: mtu)
        try begin(started)
        running[role] = started
    }

    /// Takes over a daemon as an earlier director had it; its interface need not be there yet.
    mutating func restore(_ daemon: DaemonRecord) {
        guard let role = daemon.role else { return }
        running[role] = daemon
    }

    mutating func stop(_ request: DaemonRecord) throws(Refusal) {
        guard let role = request.role else {
            throw Refusal(.invalid, "state \(request.state) is neither 1 (master) nor 2 (backup)")
        }
        guard running.removeValue(forKey: role) != nil else { throw Refusal(.noSuchService) }
    }

    /// Largest message of a daemon: what was asked for within bounds, else what the MTU leaves.
    private static func payloadBytes(
        of daemon: DaemonRecord, _ role: DaemonRecord.Role, mtu: Int
    ) -> UInt16 {
        var headers = 28
        if case .v6 = daemon.group { headers = 48 }
        if let asked = daemon.maximumBytes, asked != 0 {
            return min(max(asked, role == .backup ? 1024 : 1), UInt16(65535 - headers))
        }
        return UInt16((role == .backup ? min(max(mtu, 1500), 65535) : 1500) - headers)
    }
}
