import LVS
import Sync
import TestKit
import Testing

/// Two directors, of which one tells the other by messages of this house only.
@Suite struct MasterAndBackupTests {
    private static let rules = [
        "-A -t 10.1.0.100:80 -s rr", "-a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m",
        "-a -t 10.1.0.100:80 -r 10.2.0.12:8080 -m",
        "-A -t 10.1.0.100:443 -s wlc -p 300", "-a -t 10.1.0.100:443 -r 10.2.0.13:443 -g",
        "-a -t 10.1.0.100:443 -r 10.2.0.14:443 -g",
        "-A -u 10.1.0.100:53 -s rr", "-a -u 10.1.0.100:53 -r 10.2.0.15:53 -i",
        "-A -u 10.1.0.100:5060 -s rr -p 60 --pe sip",
        "-a -u 10.1.0.100:5060 -r 10.2.0.16:5060 -m",
    ]

    private static func rig() throws -> DirectorRig {
        let rig = DirectorRig.twoLegged()
        for line in rules {
            try RuleLine.run(line.split(separator: " ").map(String.init), on: rig.director)
        }
        return rig
    }

    /// Requests of a few clients: connections that stand, that end, and datagrams.
    private static func send(to rig: DirectorRig) {
        for client in UInt32(1)...9 {
            let builder = DirectorRig.client(IPAddress(v4: 0xc633_6400 + client))
            let ends = client % 3 == 0
            for (port, flags) in [(80, 2), (80, 16), (443, 2), (443, 16), (80, ends ? 4 : 16)] {
                let frame = builder.tcp(
                    from: 4000, to: UInt16(port), flags: UInt8(flags))
                #expect(rig.send(frame, on: 0).verdict == .send(1))
            }
            let call = Array("INVITE x\r\nCall-ID: \(client % 2)@here\r\n\r\n".utf8)
            for (port, payload) in [(UInt16(53), [1]), (5060, call)] {
                let frame = builder.udp(from: 4000, to: port, payload: payload)
                #expect(rig.send(frame, on: 0).verdict == .send(1))
            }
        }
    }

    /// The messages that what waits makes, all of it.
    private static func messages(_ rig: DirectorRig, _ version: SyncMessage.Version) -> [[UInt8]] {
        var terms = MasterDaemon.Terms()
        terms.version = version
        var daemon = MasterDaemon(syncID: 7, maximumBytes: 1472, ports: 2, terms: terms)
        for queue in rig.director.syncQueues {
            while let item = queue.take() {
                daemon.tell(item.told, number: item.number, now: rig.clock.now)
            }
        }
        daemon.flush(now: rig.clock.now.advanced(bySeconds: 2))
        var messages: [[UInt8]] = []
        for lane in 0..<2 {
            while let message = daemon.next(of: lane) {
                messages.append(message)
                daemon.sent(by: lane)
            }
        }
        return messages
    }

    /// The table of a director, but for who has made an entry, in one order.
    private static func listing(_ rig: DirectorRig) -> [String] {
        var lines: [String] = []
        rig.director.forEachConnection { entry in
            lines.append(
                "\(entry.transport.rawValue) \(entry.client):\(entry.clientPort) "
                    + "\(entry.virtual):\(entry.virtualPort) \(entry.real):\(entry.realPort) "
                    + "\(entry.state) \(entry.method) \(entry.timeoutSeconds) "
                    + "\(entry.isTemplate) \(entry.isInactive) \(entry.engineData)")
        }
        return lines.sorted()
    }

    /// Servers and how many connections each has.
    private static func counts(_ rig: DirectorRig) -> [String] {
        rig.director.services().flatMap(\.servers).map {
            "\($0.server.address) \($0.active) \($0.inactive) \($0.persistent)"
        }
    }

    /// A master that has told of all its connections by messages of a format, and a backup that heard them.
    private static func pair(
        _ version: SyncMessage.Version
    ) throws -> (master: DirectorRig, backup: DirectorRig, daemon: BackupDaemon) {
        let (master, backup) = (try rig(), try rig())
        try master.director.set(name: "sync_threshold", text: "0 1")
        try master.director.set(name: "sync_version", value: Int(version.rawValue))
        master.director.setMasterDaemon(isRunning: true)
        send(to: master)
        var daemon = BackupDaemon(syncID: 7)
        for message in messages(master, version) {
            daemon.receive(message) { backup.director.take($0, now: backup.clock.now) }
        }
        return (master, backup, daemon)
    }

    @Test func `A backup lists what its master lists, and its servers count the same`() throws {
        let (master, backup, daemon) = try Self.pair(.one)
        #expect(daemon.faults == [:])
        #expect(daemon.outcomes.keys.allSatisfy { $0.isTaken })
        #expect(Self.listing(backup) == Self.listing(master))
        // TCP 9 and 9, templates 9, datagrams 9, calls 9, of which two are told apart by each client.
        #expect(Self.listing(backup).count > 40)
        #expect(Self.counts(backup) == Self.counts(master))
    }

    @Test func `By format 0 it lists the same but for what that has no place for`() throws {
        let (master, backup, daemon) = try Self.pair(.zero)
        #expect(daemon.faults == [:])
        let plain = { (line: String) in line.contains(":53 ") || line.contains(":80 ") }
        #expect(Self.listing(backup).filter(plain) == Self.listing(master).filter(plain))
        #expect(Self.listing(backup).filter(plain).count == 18)
    }

    @Test func `Packets go on where they went when the backup has taken over`() throws {
        let (master, backup, _) = try Self.pair(.one)
        for client in UInt32(1)...9 where client % 3 != 0 {
            for port in [UInt16(80), 443] {
                let frame = DirectorRig.client(IPAddress(v4: 0xc633_6400 + client)).tcp(
                    from: 4000, to: port, flags: 16)
                let sent = backup.send(frame, on: 0).sent
                #expect(sent == master.send(frame, on: 0).sent && sent.count == 1)
            }
        }
    }
}
