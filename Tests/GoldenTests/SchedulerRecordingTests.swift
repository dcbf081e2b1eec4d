import TestKit
import Testing

/// The kernel's picks against ours, with the connections and states that led to them.
@Suite struct SchedulerRecordingTests {
    @Test(arguments: ["rr", "wrr", "lc", "wlc"])
    func everyConnectionGoesWhereTheKernelSentIt(_ scheduler: String) throws {
        let recording = try SchedulerRecording(contentsOf: Fixtures.scheduler(scheduler))
        #expect(!recording.cases.isEmpty)
        for sequence in recording.cases {
            let differences = try SchedulerPlayer.play(sequence)
            #expect(
                differences.isEmpty,
                "\(sequence.name): \(differences.prefix(8).joined(separator: "\n"))")
        }
    }
}
