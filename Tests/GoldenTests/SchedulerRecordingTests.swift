import TestKit
import Testing

/// The kernel's picks against ours, with the connections and states that led to them.
@Suite struct SchedulerRecordingTests {
    static let schedulers = [
        "rr", "wrr", "lc", "wlc", "sed", "nq", "dh", "sh", "lblc", "lblcr", "fo", "ovf", "mh",
    ]

    @Test(arguments: schedulers)
    func everyConnectionGoesWhereTheKernelSentIt(_ scheduler: String) throws {
        let recording = try SchedulerRecording(contentsOf: Fixtures.scheduler(scheduler))
        for sequence in recording.cases {
            guard let differences = try SchedulerPlayer.play(sequence) else { continue }
            #expect(
                differences.isEmpty,
                "\(sequence.name): \(differences.prefix(8).joined(separator: "\n"))")
        }
    }

    /// Services by mark and of IPv6 too, since no frames are needed; waiting is the director's.
    @Test(arguments: schedulers)
    func theSchedulerAlonePicksWhatTheKernelPicked(_ scheduler: String) throws {
        let recording = try SchedulerRecording(contentsOf: Fixtures.scheduler(scheduler))
        #expect(!recording.cases.isEmpty)
        for sequence in recording.cases {
            let differences = try SchedulerBenchPlayer.play(sequence)
            #expect(
                differences.isEmpty,
                "\(sequence.name): \(differences.prefix(8).joined(separator: "\n"))")
        }
    }
}
