import LVS
import Testing

@Suite struct BurstTests {
    /// Payload of a segment and of the last one, with headers and tunnel, for the MTU of Ethernet and
    /// of jumbo frames.
    @Test(arguments: [(1428, 45), (8928, 8)])
    func theSegmentsOfAWholeBurstOfSuperFramesFitInto(payload: Int, segments: Int) throws {
        var burst = Burst()
        var ends: [UInt] = []
        for cause in 0..<Burst.capacity {
            for _ in 0..<segments {
                let frame = burst.make(length: 14 + 20 + 52 + payload, ingress: 0, cause: cause)
                guard let frame else {
                    Issue.record("frame \(burst.madeCount) of a burst is refused")
                    return
                }
                let (start, room) = unsafe (UInt(bitPattern: frame.bytes), frame.capacity)
                #expect(frame.headroom >= 64)
                #expect(start - UInt(frame.headroom) >= ends.last ?? 0)
                #expect(room >= frame.length)
                ends.append(start + UInt(room))
            }
        }
        #expect(burst.madeCount == Burst.capacity * segments)
    }

    @Test func whatIsUsedUpIsRefusedAndThereAgainAfterTheBurst() {
        var burst = Burst()
        var made = 0
        while burst.make(length: 65536, ingress: 0, cause: 0) != nil, made < 10_000 { made += 1 }
        #expect((64...90).contains(made))
        burst.removeAll()
        #expect(burst.make(length: 65536, ingress: 0, cause: 0) != nil)
        #expect(burst.make(length: Burst.longestMade + 1, ingress: 0, cause: 0) == nil)
        var small = 1
        while burst.make(length: 60, ingress: 0, cause: 0) != nil, small < 10_000 { small += 1 }
        #expect(small == Burst.mostMade)
    }
}
