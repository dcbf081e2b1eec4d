import LVS
import PacketIO
import Posix
import Testing

/// A driver on one end of a cable and a second one, the test's own, on the other end.
final class CableLab {
    let network = TestNetwork()
    let inside: String
    let outside: String
    let driver: AFPacketDriver
    let far: AFPacketDriver
    let station: UInt64
    let farStation: UInt64

    init(slots: Int = 4096, answering: Bool = false) throws {
        let inside = try network.addNamespace("d")
        let outside = try network.addNamespace("c")
        try network.addCable("d0", in: inside, "c0", in: outside)
        var options = AFPacketDriver.Options()
        options.slots = slots
        options.receivesSolicitations = answering
        var all = AFPacketDriver.Options()
        all.receivesSolicitations = true
        (driver, station) = try TestNetwork.inside(inside) { [options] in
            (
                try AFPacketDriver(interface: "d0", port: 0, options: options),
                try InterfaceDescription(named: "d0").hardware
            )
        }
        (far, farStation) = try TestNetwork.inside(outside) { [all] in
            (
                try AFPacketDriver(interface: "c0", port: 9, options: all),
                try InterfaceDescription(named: "c0").hardware
            )
        }
        self.inside = inside
        self.outside = outside
    }

    /// Sends from the far end; `adjust` sets checksum state, segments and tag.
    func arrive(_ bytes: [UInt8], adjust: (inout Frame) -> Void = { _ in }) {
        let held = HeldFrame(bytes, adjust: adjust)
        far.enqueue(held.frame)
        far.flush()
    }

    /// What has reached the far end: bytes and what is known of them.
    func departed() -> [(bytes: [UInt8], frame: Frame)] {
        var burst = Burst()
        guard far.receive(into: &burst) > 0 else { return [] }
        defer { far.release() }
        return (0..<burst.count).map { (FrameBytes.bytes(of: burst[$0]), burst[$0]) }
    }

    /// One frame from the driver, sent back unchanged; nil when none came within a second.
    func bounce() -> (bytes: [UInt8], frame: Frame)? {
        var burst = Burst()
        guard receive(into: &burst) else { return nil }
        let seen = (FrameBytes.bytes(of: burst[0]), burst[0])
        burst[0].verdict = .send(0)
        let source = FrameBytes.mac(station) + FrameBytes.mac(farStation)
        for (offset, byte) in (FrameBytes.mac(farStation) + source.prefix(6)).enumerated() {
            unsafe burst[0].bytes.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
        }
        driver.enqueue(sendsOf: burst)
        driver.flush()
        driver.release()
        return seen
    }

    func receive(into burst: inout Burst) -> Bool {
        let end = MonotonicClock.now() + 1_000_000_000
        while driver.receive(into: &burst) == 0 {
            guard MonotonicClock.now() < end else { return false }
            Thread.yield()
        }
        return true
    }

    func firstDeparted() -> (bytes: [UInt8], frame: Frame)? {
        let end = MonotonicClock.now() + 1_000_000_000
        while MonotonicClock.now() < end {
            if let first = departed().first { return first }
        }
        return nil
    }
}

@Suite(.serialized, .enabled(if: TestNetwork.isPossible, "needs root and ip"))
struct AFPacketTests {
    @Test func theDriverKeepsTheRulesOfThePort() throws {
        // Few slots, so that the rounds of the suite go around the ring a hundred times.
        let lab = try CableLab(slots: 124)
        DriverConformance(
            driver: lab.driver, arrive: { lab.arrive($0) },
            departed: { lab.departed().map(\.bytes) }, station: lab.station,
            farStation: lab.farStation
        ).check()
    }

    @Test func aPartialChecksumIsToldAndSentOnAsSuch() throws {
        let lab = try CableLab()
        let bytes = FrameBytes.partialTCP(to: lab.station, payload: 10)
        lab.arrive(bytes) {
            $0.checksum = .partial
            $0.checksumStart = 34
            $0.checksumOffset = 16
        }
        let seen = try #require(lab.bounce())
        #expect(seen.bytes == bytes)
        #expect(seen.frame.checksum == .partial)
        #expect(seen.frame.checksumStart == 34)
        #expect(seen.frame.checksumOffset == 16)
        #expect(seen.frame.segmentKind == 0)
        let back = try #require(lab.firstDeparted())
        #expect(back.frame.checksum == .partial)
        #expect(back.bytes.dropFirst(12) == bytes.dropFirst(12))
    }

    @Test(arguments: [2000, 20_000, 65_000])
    func aSuperFrameComesAndLeavesWhole(payload: Int) throws {
        let lab = try CableLab()
        let bytes = FrameBytes.partialTCP(to: lab.station, payload: payload)
        lab.arrive(bytes) {
            $0.checksum = .partial
            $0.checksumStart = 34
            $0.checksumOffset = 16
            $0.segmentKind = 1
            $0.segmentSize = 1448
            $0.headerLength = 54
        }
        let seen = try #require(lab.bounce())
        #expect(seen.bytes == bytes)
        #expect(seen.frame.segmentKind == 1)
        #expect(seen.frame.segmentSize == 1448)
        #expect(seen.frame.checksum == .partial)
        #expect(seen.frame.headroom >= 64)
        let back = try #require(lab.firstDeparted())
        #expect(back.bytes.dropFirst(12) == bytes.dropFirst(12))
        #expect(back.frame.segmentSize == 1448)
        #expect(lab.driver.statistics.truncated == 0)
    }

    @Test func longAndShortFramesKeepTheirOrder() throws {
        let lab = try CableLab()
        for number in 0..<20 {
            let payload = number % 2 == 0 ? 30_000 + number : 10 + number
            lab.arrive(FrameBytes.partialTCP(to: lab.station, payload: payload)) {
                $0.checksum = .partial
                $0.checksumStart = 34
                $0.checksumOffset = 16
                guard number % 2 == 0 else { return }
                $0.segmentKind = 1
                $0.segmentSize = 1448
                $0.headerLength = 54
            }
        }
        var lengths: [Int] = []
        var burst = Burst()
        while lengths.count < 20, lab.receive(into: &burst) {
            for index in 0..<burst.count { lengths.append(Int(burst[index].length) - 54) }
            burst.removeAll()
            lab.driver.release()
        }
        #expect(lengths == (0..<20).map { $0 % 2 == 0 ? 30_000 + $0 : 10 + $0 })
    }

    @Test func aVLANTagIsToldAndPutBack() throws {
        let lab = try CableLab()
        let bytes = FrameBytes.partialTCP(to: lab.station, payload: 10)
        lab.arrive(bytes) {
            $0.vlan = 0x8100_0064
            $0.checksum = .partial
            $0.checksumStart = 34
            $0.checksumOffset = 16
        }
        let seen = try #require(lab.bounce())
        #expect(seen.frame.vlan == 0x8100_0064)
        #expect(seen.bytes == bytes)
        #expect(seen.frame.checksumStart == 34)
        let back = try #require(lab.firstDeparted())
        #expect(back.frame.vlan == 0x8100_0064)
        #expect(back.frame.checksum == .partial)
        #expect(back.frame.checksumStart == 34)
        #expect(back.bytes.dropFirst(12) == bytes.dropFirst(12))
    }

    @Test func framesOfTheHostsOwnVLANAreLeftAlone() throws {
        let lab = try CableLab()
        lab.driver.setHostVLANs([100])
        lab.arrive(FrameBytes.plain(to: lab.station, number: 1)) { $0.vlan = 0x8100_0064 }
        lab.arrive(FrameBytes.plain(to: lab.station, number: 2)) { $0.vlan = 0x8100_0065 }
        let seen = try #require(lab.bounce())
        #expect(seen.bytes[20] == 2)
        #expect(lab.driver.statistics.ignored == 1)
    }

    @Test func framesForOtherStationsAndBroadcastsAreLeftAlone() throws {
        let lab = try CableLab()
        lab.arrive(FrameBytes.plain(to: 0x0200_0000_7777, number: 1))
        lab.arrive(FrameBytes.plain(to: 0xffff_ffff_ffff, number: 2))
        lab.arrive(FrameBytes.arpRequest(for: [10, 0, 0, 1], from: lab.farStation))
        lab.arrive(FrameBytes.plain(to: lab.station, number: 3))
        let seen = try #require(lab.bounce())
        #expect(seen.bytes[20] == 3)
        #expect(lab.driver.statistics.ignored == 3)
        #expect(lab.driver.statistics.receivedFrames == 1)
    }

    @Test func aFullRingIsCounted() throws {
        let lab = try CableLab(slots: 31)
        for number in 0..<131 {
            lab.arrive(FrameBytes.plain(to: lab.station, number: UInt8(number)))
        }
        #expect(lab.driver.statistics.ringFull == 100)
        var burst = Burst()
        let came = lab.receive(into: &burst)
        #expect(came)
        #expect(burst.count == 31)
        lab.driver.release()
        lab.arrive(FrameBytes.plain(to: lab.station, number: 200))
        let seen = try #require(lab.bounce())
        #expect(seen.bytes[20] == 200)
        #expect(lab.driver.statistics.ringFull == 100)
    }

    @Test func aFrameTheKernelRefusesIsCountedAndTheNextOneLeaves() throws {
        let lab = try CableLab()
        let tooLong = HeldFrame(FrameBytes.plain(to: lab.farStation, length: 4000))
        let short = HeldFrame(FrameBytes.plain(to: lab.farStation, number: 5))
        lab.driver.enqueue(tooLong.frame)
        lab.driver.enqueue(short.frame)
        lab.driver.flush()
        #expect(lab.firstDeparted()?.bytes[20] == 5)
        #expect(lab.driver.statistics.sendFailed == 1)
        #expect(lab.driver.statistics.sentFrames == 1)
        #expect(lab.driver.statistics.sentBytes == 60)
    }

    @Test func anInterfaceMayGoDownAndComeUp() throws {
        let lab = try CableLab()
        try TestNetwork.run("ip -n \(lab.inside) link set d0 down")
        let held = HeldFrame(FrameBytes.plain(to: lab.farStation))
        lab.driver.enqueue(held.frame)
        lab.driver.flush()
        #expect(lab.driver.statistics.sendFailed == 1)
        var poller = Poller()
        poller.add(try #require(lab.driver.descriptor), token: 0)
        var failures = 0
        try poller.wait(nanoseconds: 0) { if $0.failed { failures += 1 } }
        #expect(failures == 1)
        lab.driver.descriptorFailed()
        try poller.wait(nanoseconds: 0) { if $0.failed { failures += 1 } }
        #expect(failures == 1)
        #expect(!lab.driver.isDetached)
        try TestNetwork.run("ip -n \(lab.inside) link set d0 up")
        lab.arrive(FrameBytes.plain(to: lab.station, number: 8))
        #expect(lab.bounce()?.bytes[20] == 8)
    }

    @Test func aDeletedInterfaceIsServedAgainWhenItComesBack() throws {
        let lab = try CableLab()
        try TestNetwork.run("ip -n \(lab.inside) link del d0")
        #expect(lab.driver.isDetached)
        let driver = lab.driver
        #expect(try TestNetwork.inside(lab.inside) { try driver.refresh() } == false)
        var burst = Burst()
        let none = driver.receive(into: &burst)
        #expect(none == 0)
        try lab.network.addCable("d0", in: lab.inside, "c1", in: lab.outside)
        #expect(try TestNetwork.inside(lab.inside) { try driver.refresh() })
        #expect(!driver.isDetached)
        let (far, station) = try TestNetwork.inside(lab.outside) {
            try AFPacketDriver(interface: "c1", port: 9)
        }.paired(
            with: TestNetwork.inside(lab.inside) {
                try InterfaceDescription(named: "d0").hardware
            })
        let noneYet = driver.receive(into: &burst)
        #expect(noneYet == 0)
        let held = HeldFrame(FrameBytes.plain(to: station, number: 4))
        far.enqueue(held.frame)
        far.flush()
        let came = lab.receive(into: &burst)
        #expect(came)
        #expect(FrameBytes.bytes(of: burst[0])[20] == 4)
        driver.release()
    }
}

extension AFPacketDriver {
    fileprivate func paired<Other>(with other: Other) -> (AFPacketDriver, Other) { (self, other) }
}
