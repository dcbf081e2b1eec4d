import LVS
import Sync
import TestKit
import Testing

/// Recorded frames of kernel IPVS against the whole engine, byte for byte, listings included.
@Suite struct PacketRecordingTests {
    /// What the synchronisation daemons do.
    private static var daemons: GoldenDaemons {
        GoldenDaemons { payload, director, now in
            var daemon = BackupDaemon(syncID: 7)
            daemon.receive(payload) { director.take($0, now: now) }
        } master: { arguments, settings in
            var terms = MasterDaemon.Terms()
            terms.version = settings["sync_version"] == 0 ? .zero : .one
            var daemon = MasterDaemon(
                syncID: 7, maximumBytes: number(after: "--sync-maxlen", in: arguments) ?? 1472,
                ports: settings["sync_ports"] ?? 1, terms: terms)
            return { director, now in
                // In the order in which one thread has taken them.
                for queue in director.syncQueues {
                    while let item = queue.take() {
                        daemon.tell(item.told, number: item.number, now: now)
                    }
                }
                daemon.flush(now: now)
                var messages: [[UInt8]] = []
                while let message = daemon.next(of: 0) {
                    messages.append(message)
                    daemon.sent(by: 0)
                }
                return messages
            }
        }
    }

    private static func number(after word: String, in arguments: [String]) -> Int? {
        arguments.firstIndex(of: word).flatMap { Int(arguments[$0 + 1]) }
    }

    @Test func recordingsAreThere() {
        #expect(Fixtures.packets.count >= 60)
    }

    @Test(arguments: Fixtures.packets)
    func everyFrameLeavesAsTheKernelSentIt(_ name: String) throws {
        let golden = try Golden(contentsOf: Fixtures.scenario(name))
        let differences = try GoldenPlayer.play(
            golden, checksum: .complete, daemons: Self.daemons)
        #expect(differences.isEmpty, "\(differences.prefix(12).joined(separator: "\n"))")
    }

    @Test(arguments: Fixtures.packets)
    func workersThatTakeFramesInTurnAndTellOfThemSendWhatOneSends(_ name: String) throws {
        let golden = try Golden(contentsOf: Fixtures.scenario(name))
        let differences = try GoldenPlayer.play(
            golden, checksum: .complete, workers: 2, isTold: true, daemons: Self.daemons)
        #expect(differences.isEmpty, "\(differences.prefix(12).joined(separator: "\n"))")
    }

    @Test(arguments: Fixtures.packets)
    func unfinishedChecksumsOnInputChangeNothing(_ name: String) throws {
        let golden = try Golden(contentsOf: Fixtures.scenario(name))
        // Where an option asks for it an unfinished checksum does change the packet (GUETests).
        guard golden.tags?.contains("not-partial") != true else { return }
        let differences = try GoldenPlayer.play(
            golden, checksum: .partial, daemons: Self.daemons)
        #expect(differences.isEmpty, "\(differences.prefix(12).joined(separator: "\n"))")
    }
}
