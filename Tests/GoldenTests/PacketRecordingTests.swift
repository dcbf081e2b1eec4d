import LVS
import Sync
import TestKit
import Testing

/// Recorded frames of kernel IPVS against the whole engine, byte for byte, listings included.
@Suite struct PacketRecordingTests {
    /// What the backup daemon does with a datagram.
    private static func hear(_ payload: [UInt8], _ director: Director, _ now: Instant) {
        var daemon = BackupDaemon(syncID: 7)
        daemon.receive(payload) { director.take($0, now: now) }
    }

    @Test func recordingsAreThere() {
        #expect(Fixtures.packets.count >= 60)
    }

    @Test(arguments: Fixtures.packets)
    func everyFrameLeavesAsTheKernelSentIt(_ name: String) throws {
        let golden = try Golden(contentsOf: Fixtures.scenario(name))
        let differences = try GoldenPlayer.play(
            golden, checksum: .complete, backup: Self.hear)
        #expect(differences.isEmpty, "\(differences.prefix(12).joined(separator: "\n"))")
    }

    @Test(arguments: Fixtures.packets)
    func workersThatTakeFramesInTurnAndTellOfThemSendWhatOneSends(_ name: String) throws {
        let golden = try Golden(contentsOf: Fixtures.scenario(name))
        let differences = try GoldenPlayer.play(
            golden, checksum: .complete, workers: 2, isTold: true, backup: Self.hear)
        #expect(differences.isEmpty, "\(differences.prefix(12).joined(separator: "\n"))")
    }

    @Test(arguments: Fixtures.packets)
    func unfinishedChecksumsOnInputChangeNothing(_ name: String) throws {
        let golden = try Golden(contentsOf: Fixtures.scenario(name))
        // Where an option asks for it an unfinished checksum does change the packet (GUETests).
        guard golden.tags?.contains("not-partial") != true else { return }
        let differences = try GoldenPlayer.play(
            golden, checksum: .partial, backup: Self.hear)
        #expect(differences.isEmpty, "\(differences.prefix(12).joined(separator: "\n"))")
    }
}
