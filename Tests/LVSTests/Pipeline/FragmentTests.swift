import LVS
import TestKit
import Testing

/// Reassembly and its limits (ipvs-semantics 6.2), beside what the recordings show.
@Suite struct FragmentTests {
    private let rig: DirectorRig
    private let worker: Worker

    init() throws {
        rig = DirectorRig.twoLegged()
        worker = rig.director.workers[0]
        let key = ServiceKey.address(.udp, IPAddress(v4: 0x0a01_0064), port: 53)
        try rig.director.add(VirtualService(key: key, scheduler: "rr"))
        try rig.director.add(
            RealServer(address: IPAddress(v4: 0x0a02_000b), port: 5353, method: .masquerading),
            to: key)
    }

    /// A datagram of 3000 bytes in fragments, each `size` bytes of it.
    private func fragments(
        _ identification: UInt16 = 0x1001, size: Int = 1000, ttl: UInt8 = 64
    ) -> [[UInt8]] {
        var builder = DirectorRig.client(IPAddress(v4: 0xc633_6401))
        builder.identification = identification
        builder.hasDontFragment = false
        builder.timeToLive = ttl
        let whole = builder.udp(
            from: 4000, to: 53, payload: (0..<2992).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        return stride(from: 0, to: 3000, by: size).map { start in
            let end = min(3000, start + size)
            var frame = Array(whole[..<34] + whole[34 + start..<34 + end])
            frame.set(16, be16: UInt16(20 + end - start))
            frame.set(20, be16: UInt16(start / 8) | (end < 3000 ? 0x2000 : 0))
            frame.fillHeaderChecksum()
            return frame
        }
    }

    @Test(arguments: [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]])
    func theLastFragmentOfAnyOrderSendsAll(_ order: [Int]) {
        let pieces = fragments()
        for position in order.dropLast() {
            let outcome = rig.send(pieces[position], on: 0)
            #expect(outcome.verdict == .consumed && outcome.sent.isEmpty)
        }
        let sent = rig.send(pieces[order[2]], on: 0).sent
        #expect(sent.map(\.bytes.count) == [1034, 1034, 1034])
        var whole = sent.flatMap { $0.bytes[34...] }
        #expect(sent.allSatisfy { $0.bytes.onesSum(14..<34) == 0xffff && $0.bytes[22] == 63 })
        #expect(whole.be16(2) == 5353)
        // The pseudo-header of the whole, server's address and all.
        whole = Array(sent[0].bytes[26..<34]) + [0, 17] + [0x0b, 0xb8] + whole
        #expect(whole.onesSum(0..<whole.count) == 0xffff)
        #expect(worker.tally.made == 3)
    }

    @Test func aDatagramLongerThanABlockAndAFrameIsPutTogether() {
        let pieces = fragments(size: 2976)
        _ = rig.send(pieces[1], on: 0)
        let sent = rig.send(pieces[0], on: 0).sent
        // 2976 bytes do not fit into 1500: cut anew.
        #expect(sent.map(\.bytes.count) == [1514, 1514, 54 + 20])
    }

    @Test func whoeverSentTheFirstFragmentIsToldThatTheRestDidNotCome() {
        let pieces = fragments()
        _ = rig.send(pieces[0], on: 0)
        _ = rig.send(fragments(0x2002)[1], on: 0)
        rig.advance(milliseconds: 29_900)
        #expect(rig.send(pieces[0], on: 0).verdict == .drop(.fragmentDuplicate))
        rig.advance(milliseconds: 200)
        let sent = rig.send(fragments(0x3003)[2], on: 0).sent
        let error = sent.first?.bytes ?? []
        #expect(sent.count == 1 && error.count == 14 + 576)
        #expect(error[34] == 11 && error[35] == 1 && error.be32(26) == 0x0a01_0064)
        #expect(error.onesSum(34..<error.count) == 0xffff)
        #expect(worker.tally.dropped(.fragmentTimeout) == 2)
        // What comes now begins anew.
        #expect(rig.send(pieces[1], on: 0).verdict == .consumed)
        #expect(rig.send(pieces[2], on: 0).sent.isEmpty)
    }

    @Test func aFloodOfFirstFragmentsDoesNotShutOutOthers() {
        for identification in UInt16(0)..<2000 {
            _ = rig.send(fragments(0x4000 + identification)[0], on: 0)
        }
        #expect(worker.tally.dropped(.fragmentsFull) >= 976)
        let pieces = fragments(0x1111)
        _ = rig.send(pieces[0], on: 0)
        _ = rig.send(pieces[1], on: 0)
        #expect(rig.send(pieces[2], on: 0).sent.count == 3)
    }

    @Test func aDatagramInTooManyPiecesIsRefused() {
        let pieces = fragments(size: 8)
        for piece in pieces.dropLast().prefix(374) { _ = rig.send(piece, on: 0) }
        // 375 pieces are fewer than 512: this one is taken.
        #expect(rig.send(pieces[374], on: 0).sent.count == 375)
    }

    @Test func fragmentsThatContradictEachOtherEndTheirDatagram() {
        let pieces = fragments()
        _ = rig.send(pieces[2], on: 0)
        // Another end: a last fragment that stops earlier.
        var shorter = fragments(size: 992)[2]
        shorter.set(20, be16: shorter.be16(20) & 0x1fff)
        shorter.fillHeaderChecksum()
        #expect(rig.send(shorter, on: 0).verdict == .drop(.fragment))
        _ = rig.send(pieces[0], on: 0)
        #expect(rig.send(pieces[1], on: 0).sent.isEmpty)
    }

    @Test func brokenFragmentsOfAllKindsDoNoHarm() {
        var random = SeededGenerator(seed: 7)
        let sizes = [8, 16, 496, 1000, 1480, 2048, 2056, 2992]
        for _ in 0..<3000 {
            let size = sizes[Int(random.next() % UInt64(sizes.count))]
            let pieces = fragments(UInt16(random.next() % 6), size: size)
            var frame = pieces[Int(random.next() % UInt64(pieces.count))]
            if random.next() % 2 == 0 {
                frame.set(20, be16: UInt16(truncatingIfNeeded: random.next()) & 0x7fff)
            }
            if random.next() % 8 == 0 {
                let length = 20 + Int(random.next() % UInt64(frame.count - 33))
                frame.set(16, be16: UInt16(length))
            }
            if random.next() % 16 == 0 { frame[14] = 0x45 + UInt8(random.next() % 11) }
            if random.next() % 16 == 0 { frame[23] = random.next() % 2 == 0 ? 1 : 6 }
            if Int(frame[14] & 15) * 4 + 14 <= frame.count { frame.fillHeaderChecksum() }
            for sent in rig.send(frame, on: 0).sent {
                #expect(sent.bytes.count <= 1514)
            }
            if random.next() % 64 == 0 { rig.advance(milliseconds: 2000) }
        }
        #expect(worker.tally.received == 3000)
    }
}
