import LVS
import TestKit
import Testing

/// Whatever is lost, repeated or split on the way, the server reads the PROXY header and then what the
/// client wrote, and the client hears of nothing it has not sent.
@Suite struct SegmentStreamTests {
    private static let syn: UInt8 = 2
    private static let acknowledgement: UInt8 = 0x10

    @Test(
        arguments: [FullNATOptions.ClientAddress.hidden, .toa, .proxyV1, .proxyV2],
        [UInt64(1), 2, 3, 4])
    func stream(_ address: FullNATOptions.ClientAddress, seed: UInt64) throws {
        let rig = try FullNATRig(isPartial: seed % 2 == 0) { options in
            options.clientAddress = address
            options.startsSequenceAnew = true
        }
        var random = SeededGenerator(seed: seed)
        // Numbers that wrap in the middle of the stream.
        let first = UInt32.max &- UInt32(random.next() % 2000)
        let text = (0..<4000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let opened = try #require(rig.request(.init(Self.syn, first)).first)
        let base = opened.sequence &+ 1
        _ = rig.answer(.init(0x12, 5000, base))

        var acknowledged = 0
        var sent = 0
        var received: [Int: UInt8] = [:]
        var next = 0
        for step in 0..<20_000 where acknowledged < text.count {
            // From the first byte that is not acknowledged, or behind all that was sent.
            let start = random.next() % 3 == 0 ? acknowledged : sent
            let longest = random.next() % 4 == 0 ? 1460 : 200
            let count = min(Int(random.next() % UInt64(longest)), text.count - start)
            sent = max(sent, start + count)
            let number = first &+ 1 &+ UInt32(start)
            let segments = rig.request(
                .init(Self.acknowledgement, number, 5001, Array(text[start..<start + count])))
            for segment in segments where random.next() % 4 != 0 {
                let place = Int(Int32(bitPattern: segment.sequence &- base))
                for (offset, byte) in segment.payload.enumerated() {
                    let known = received.updateValue(byte, forKey: place + offset)
                    try #require(
                        known == nil || known == byte, "step \(step), byte \(place + offset)")
                }
            }
            while received[next] != nil { next += 1 }
            let answers = rig.answer(
                .init(Self.acknowledgement, 5001, base &+ UInt32(next)))
            guard random.next() % 3 != 0, let answer = answers.first else { continue }
            let told = Int(Int32(bitPattern: answer.acknowledged &- first &- 1))
            try #require(told >= 0 && told <= sent, "step \(step): told of \(told), sent \(sent)")
            acknowledged = max(acknowledged, told)
        }
        #expect(acknowledged == text.count)
        let stream = (0..<next).compactMap { received[$0] }
        #expect(stream.suffix(text.count) == text[...])
        let headerBytes = [.proxyV1: 44, .proxyV2: 28][address] ?? 0
        #expect(stream.count == text.count + headerBytes)
    }
}
