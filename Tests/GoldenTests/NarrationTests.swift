import LVS
import TestKit
import Testing

/// A narrator listens and changes nothing: frames with one and without, verdicts included.
///
/// Of the recordings one in eighteen; `PacketRecordingTests` play all of them with narrators, too.
@Suite struct NarrationTests {
    @Test(arguments: Fixtures.packets.enumerated().filter { $0.offset % 18 == 4 }.map(\.element))
    func `Frames get the same verdicts and bytes whether somebody listens or not`(
        name: String
    ) throws {
        let golden = try Golden(contentsOf: Fixtures.scenario(name))
        let plain = try GoldenPlayer.outcomes(golden, narrator: nil)
        let narrator = Narrator(most: .max)
        let told = try GoldenPlayer.outcomes(golden, narrator: narrator)
        #expect(plain.count == told.count)
        for (index, pair) in zip(plain, told).enumerated() where pair.0 != pair.1 {
            Issue.record("frame \(index): \(pair.0) without, \(pair.1) with a narrator")
        }
        // What came in longer than the link takes stayed in the card, and has no story.
        let verdicts = narrator.stories.map(\.verdict)
        #expect(!verdicts.isEmpty || plain.isEmpty)
        for story in narrator.stories { check(story) }
    }

    /// A story says of a packet that was sent where it went, and on which connection.
    private func check(_ story: Story) {
        var (hasArrived, hasWay, hasConnection) = (false, false, false)
        for step in story.steps {
            switch step {
            case .arrived: hasArrived = true
            case .way: hasWay = true
            case .connected: hasConnection = true
            case .lookedUp(let look): hasConnection = hasConnection || look.found != nil
            default: break
            }
        }
        #expect(hasArrived)
        guard story.verdict.kind == .send, !story.isOfTheHost else { return }
        #expect(hasWay && hasConnection, "\(story.steps)")
        #expect(story.left?.port == story.verdict.port)
    }
}

extension Story {
    /// Sent on for the host, without a connection (`Worker.leaveToHost`).
    fileprivate var isOfTheHost: Bool {
        !steps.contains { if case .way = $0 { true } else { false } }
            && steps.contains { if case .notScheduled = $0 { true } else { false } }
    }
}
