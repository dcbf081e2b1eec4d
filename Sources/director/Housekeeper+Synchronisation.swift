import Control
import LVS
import Logging
import Posix
import Sync

// The backup daemon of connection synchronisation; a master is kept by the control socket and does nothing.
extension Housekeeper {
    func startSynchronising(_ daemon: DaemonRecord) throws(Refusal) {
        guard let receiver = receiver(for: daemon) else { return }
        let place = receiver.place
        guard Int(place.port) + place.ports - 1 == Int(place.lastPort) else {
            throw Refusal(
                .notSupported,
                "port \(place.port) and sync_ports=\(place.ports) lead beyond port 65535")
        }
        do throws(SystemError) {
            try receiver.open()
        } catch {
            throw Refusal(ErrorNumber(rawValue: error.code), "\(error)")
        }
        backup = receiver
    }

    func resumeSynchronising(_ daemon: DaemonRecord) {
        guard let receiver = receiver(for: daemon) else { return }
        backup = receiver
        do throws(SystemError) {
            try receiver.open()
        } catch {
            logger.warning(
                "backup daemon on \(daemon.interface): \(error); tried again each second")
        }
    }

    func stopSynchronising(_ daemon: DaemonRecord) {
        if daemon.role == .backup { backup = nil }
    }

    /// Takes in what other directors have told.
    func hearOthers() {
        backup?.receive { director.take($0, now: Instant(nanoseconds: MonotonicClock.now())) }
    }

    /// Looks whether the backup daemon's interface is still the one that it listens on; once a second.
    func keepHearing() {
        guard let backup, backup.keep() else { return }
        if let trouble = backup.trouble {
            logger.warning("the backup daemon hears nothing: \(trouble)")
        } else {
            logger.notice("the backup daemon listens on \(backup.place.interface)")
        }
    }

    /// The receiver of a backup daemon; nil for a master.
    private func receiver(for daemon: DaemonRecord) -> BackupReceiver? {
        guard daemon.role == .backup else { return nil }
        typealias Default = DaemonRecord.Default
        var place = BackupReceiver.Place(
            interface: daemon.interface, group: (daemon.group ?? Default.group).address,
            port: daemon.port ?? Default.port, syncID: daemon.syncID,
            maximumBytes: Int(daemon.maximumBytes ?? Default.maximumBytes))
        place.ports = director.settings["sync_ports"] ?? 1
        place.roomBytes = director.settings["sync_sock_size"] ?? 0
        return BackupReceiver(place)
    }
}
