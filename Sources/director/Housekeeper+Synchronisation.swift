import Control
import LVS
import Logging
import Posix
import Sync

// The daemons of connection synchronisation: a master tells other directors, a backup is told.
extension Housekeeper {
    func startSynchronising(_ daemon: DaemonRecord) throws(Refusal) {
        let place = place(of: daemon)
        guard Int(place.port) + place.ports - 1 == Int(place.lastPort) else {
            throw Refusal(
                .notSupported,
                "port \(place.port) and sync_ports=\(place.ports) lead beyond port 65535")
        }
        do throws(SystemError) {
            if daemon.role == .backup {
                let receiver = BackupReceiver(place)
                try receiver.open()
                backup = receiver
            } else {
                let sender = MasterSender(place, director.syncQueues, masterTerms)
                try sender.open()
                try begin(sender)
            }
        } catch {
            throw Refusal(ErrorNumber(rawValue: error.code), "\(error)")
        }
    }

    func resumeSynchronising(_ daemon: DaemonRecord) {
        let place = place(of: daemon)
        do throws(SystemError) {
            if daemon.role == .backup {
                let receiver = BackupReceiver(place)
                backup = receiver
                try receiver.open()
            } else {
                let sender = MasterSender(place, director.syncQueues, masterTerms)
                try begin(sender)
                try sender.open()
            }
        } catch {
            let role = daemon.role == .backup ? "backup" : "master"
            logger.warning(
                "\(role) daemon on \(daemon.interface): \(error); tried again each second")
        }
    }

    private func begin(_ sender: MasterSender) throws(SystemError) {
        try sender.start()
        master = sender
        director.setMasterDaemon(isRunning: true)
    }

    func stopSynchronising(_ daemon: DaemonRecord) {
        if daemon.role == .backup { backup = nil } else { endMaster() }
    }

    func endMaster() {
        director.setMasterDaemon(isRunning: false)
        master?.stop()
        master = nil
    }

    /// Takes in what other directors have told.
    func hearOthers() {
        backup?.receive { director.take($0, now: Instant(nanoseconds: MonotonicClock.now())) }
    }

    /// Looks whether the interfaces of the daemons are still those that they use; once a second.
    func keepSynchronising() {
        if let backup, backup.keep() {
            note(backup.trouble, "the backup daemon", hears: "listens", on: backup.place)
        }
        guard let master else { return }
        master.change(masterTerms)
        if master.keep() {
            note(master.trouble, "the master daemon", hears: "sends", on: master.place)
        }
    }

    private func note(
        _ trouble: SystemError?, _ who: String, hears verb: String, on place: DaemonPlace
    ) {
        if let trouble {
            logger.warning("\(who) \(verb) no more: \(trouble)")
        } else {
            logger.notice("\(who) \(verb) on \(place.interface)")
        }
    }

    private var masterTerms: MasterDaemon.Terms {
        var terms = MasterDaemon.Terms()
        terms.version = director.settings["sync_version"] == 0 ? .zero : .one
        terms.queueLimit = director.settings["sync_qlen_max"] ?? terms.queueLimit
        return terms
    }

    private func place(of daemon: DaemonRecord) -> DaemonPlace {
        typealias Default = DaemonRecord.Default
        var place = DaemonPlace(
            interface: daemon.interface, group: (daemon.group ?? Default.group).address,
            port: daemon.port ?? Default.port, syncID: daemon.syncID,
            maximumBytes: Int(daemon.maximumBytes ?? Default.maximumBytes))
        place.ports = director.settings["sync_ports"] ?? 1
        place.roomBytes = director.settings["sync_sock_size"] ?? 0
        place.timeToLive = daemon.timeToLive ?? Default.timeToLive
        return place
    }
}
