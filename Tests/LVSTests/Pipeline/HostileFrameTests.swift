import LVS
import TestKit
import Testing

@Suite struct HostileFrameTests {
    static let methods: [ForwardingMethod] = [.masquerading, .directRouting, .tunnel]

    @Test(arguments: methods)
    func `No prefix of a frame and no broken byte traps the worker`(
        method: ForwardingMethod
    ) throws {
        let rig = try ForwardingRig(method: method)
        var random = SeededGenerator(seed: 99)
        let samples =
            PacketTests.samples + [
                rig.builder.tcp(from: 4000, to: 80, flags: 2),
                rig.builder.tcp(from: 4000, to: 80, flags: 16, payload: [1, 2, 3]),
                rig.reply.tcp(from: 8080, to: 4000, flags: 16),
                rig.builder.udp(from: 4000, to: 80),
            ]
        for sample in samples {
            for length in 0...sample.count { _ = rig.send(Array(sample[..<length])) }
            for _ in 0..<200 {
                var bytes = sample
                for _ in 0..<Int(random.next() % 4) + 1 {
                    bytes[Int(random.next() % UInt64(bytes.count))] = UInt8(
                        truncatingIfNeeded: random.next())
                }
                let word = random.next()
                _ = rig.send(bytes, on: PortIndex(word & 1)) { frame in
                    // Whatever a driver may say about a frame, it must not matter.
                    guard word & 2 != 0 else { return }
                    frame.checksum = word & 4 == 0 ? .partial : .verified
                    frame.checksumStart = UInt16(word >> 8 & 63)
                    frame.checksumOffset = UInt16(word >> 16 & 31)
                    frame.segmentKind = UInt8(word >> 24 & 7)
                    frame.segmentSize = UInt16(truncatingIfNeeded: word >> 32)
                }
            }
        }
        let tally = rig.rig.director.workers[0].tally
        #expect(tally.received > 3000)
    }

    @Test func `ARP and strangers pass, fragments of the service wait for the others`() throws {
        let rig = try ForwardingRig(method: .masquerading)
        #expect(rig.send(PacketTests.samples[7]).verdict == .pass)
        #expect(rig.send(PacketTests.samples[8]).verdict == .pass)
        var fragment = rig.builder.tcp(from: 4000, to: 80, flags: 2)
        fragment.set(20, be16: 0x2000)
        fragment.fillHeaderChecksum()
        #expect(rig.send(fragment).verdict == .consumed)
    }
}
