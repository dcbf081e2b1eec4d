import LVS
import TestKit
import Testing

/// IP options of balanced packets, beside what the recording shows.
@Suite struct IPOptionTests {
    private func send(_ options: [UInt8], to rig: ForwardingRig) -> (
        verdict: Verdict, sent: [[UInt8]]
    ) {
        let plain = rig.builder.tcp(from: 4000, to: 80, flags: 2, payload: [1, 2, 3])
        var frame = Array(plain[..<34] + options + plain[34...])
        frame[14] = 0x45 + UInt8(options.count / 4)
        frame.set(16, be16: UInt16(frame.count - 14))
        frame.fillHeaderChecksum()
        return rig.send(frame)
    }

    @Test func routesAndTimesAreRecordedAndTheRestGoesOn() throws {
        let rig = try ForwardingRig(method: .masquerading)
        let options: [UInt8] =
            [7, 7, 4, 0, 0, 0, 0, 68, 12, 5, 1] + [UInt8](repeating: 0, count: 8) + [0]
        let sent = try #require(send(options, to: rig).sent.first)
        #expect(sent.hasRightHeader && sent.hasRightTransport)
        #expect(sent[36] == 8 && sent.be32(37) == 0x0a01_0064)
        // Our address, and a time that says it is not the time of day.
        #expect(sent[43] == 13 && sent.be32(45) == 0x0a01_0064 && sent[49] & 0x80 != 0)
    }

    @Test(arguments: [[131, 7, 4, 9, 9, 9, 9, 0], [137, 7, 8, 9, 9, 9, 9, 0]] as [[UInt8]])
    func sourceRoutesAreRefused(_ options: [UInt8]) throws {
        let rig = try ForwardingRig(method: .directRouting)
        #expect(send(options, to: rig).verdict == .drop(.sourceRoute))
    }

    @Test(
        arguments: [
            [7, 39, 4, 0], [7, 0, 4, 0], [7, 3, 3, 0], [7, 4, 4, 0], [68, 4, 4, 0],
            [68, 4, 5, 0xf0],
            [1, 1, 1, 7], [7, 7, 4, 0, 0, 0, 0, 68],
        ] as [[UInt8]])
    func brokenOptionsAreLeftToTheHostAsTheyCame(_ options: [UInt8]) throws {
        let rig = try ForwardingRig(method: .directRouting)
        let outcome = send(options, to: rig)
        #expect(outcome.verdict == .passThroughDoor && outcome.sent.isEmpty)
    }
}
