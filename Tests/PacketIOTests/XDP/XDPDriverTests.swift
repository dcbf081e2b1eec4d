import LVS
import PacketIO
import Posix
import TestKit
import Testing

@Suite(.serialized, .enabled(if: TestNetwork.isPossible, "needs root and ip"))
struct XDPDriverTests {
    @Test(arguments: [false, true])
    func theDriverKeepsTheRulesOfThePort(onBridge: Bool) throws {
        let lab = try XDPLab(onBridge: onBridge)
        let mode = onBridge ? "generic" : "native"
        #expect(lab.driver.summary.hasPrefix("xdp: \(mode) mode"), "\(lab.driver.summary)")
        DriverConformance(
            driver: lab.driver, arrive: { lab.arrive($0) },
            departed: { lab.departed().map(\.bytes) }, station: lab.station,
            farStation: lab.farStation
        ).check()
    }

    private func request(_ lab: XDPLab, to address: UInt32, port: UInt16) -> [UInt8] {
        PacketBuilder(
            from: IPAddress(v4: 0x0a00_0909), at: HardwareAddress(value: lab.farStation),
            to: IPAddress(v4: address), at: HardwareAddress(value: lab.station)
        ).tcp(from: 4000, to: port, flags: 2)
    }

    @Test func onlyWhatIsServedComesAndTheHostHasTheRest() throws {
        let lab = try XDPLab(takesEverything: false)
        let tap = try TestNetwork.inside(lab.inside) {
            try AFPacketDriver(interface: "d0", port: 1)
        }
        let redirects = try #require(lab.commons.redirects)
        var served = ServedTraffic()
        served.services = [
            .init(address: IPAddress(v4: 0x0a00_0064), transport: .tcp, port: 80)
        ]
        try redirects.update(served)
        let ours = request(lab, to: 0x0a00_0064, port: 80)
        let hosts = request(lab, to: 0x0a00_0064, port: 22)
        for _ in 0..<10 {
            lab.arrive(hosts)
            lab.arrive(ours)
        }
        let frames = received(10, by: lab.driver)
        #expect(frames == [[UInt8]](repeating: ours, count: 10))
        let seen = received(10, by: tap)
        #expect(seen == [[UInt8]](repeating: hosts, count: 10))
        #expect(received(1, by: lab.driver, within: 50_000_000).isEmpty)
        #expect(received(1, by: tap, within: 50_000_000).isEmpty)
    }

    /// So many frames from a driver, or those that came in time.
    private func received(
        _ count: Int, by driver: any PacketDriver, within nanoseconds: UInt64 = 1_000_000_000
    ) -> [[UInt8]] {
        let end = MonotonicClock.now() + nanoseconds
        var frames: [[UInt8]] = []
        var burst = Burst()
        while frames.count < count, MonotonicClock.now() < end {
            guard driver.receive(into: &burst) > 0 else {
                Thread.yield()
                continue
            }
            for index in 0..<burst.count { frames.append(FrameBytes.bytes(of: burst[index])) }
            burst.removeAll()
            driver.release()
        }
        return frames
    }

    @Test func aSumLeftUndoneIsFoundAndFinishedOnTheWayOut() throws {
        let lab = try XDPLab()
        let bytes = FrameBytes.partialTCP(to: lab.station, payload: 11)
        lab.arrive(bytes) {
            $0.checksum = .partial
            $0.checksumStart = 34
            $0.checksumOffset = 16
        }
        let seen = try #require(lab.bounce())
        #expect(seen.frame.checksum == .partial)
        #expect(seen.frame.checksumStart == 34)
        #expect(seen.frame.checksumOffset == 16)
        let back = try #require(lab.firstDeparted())
        #expect(back.frame.checksum != .partial)
        let pseudo = Array(back.bytes[26..<34]) + [0, 6, 0, 31]
        #expect(FrameBytes.fold(pseudo + back.bytes[34...]) == 0xffff)
        #expect(back.bytes[54...] == bytes[54...])
    }

    @Test func aFrameOfAnotherInterfaceLeavesFromTheChunkItCameIn() throws {
        let lab = try XDPLab()
        try lab.network.addCable("d1", in: lab.inside, "c1", in: lab.outside)
        let (commons, outside) = (lab.commons, lab.outside)
        let second = try TestNetwork.inside(lab.inside) {
            var options = XDPDriver.Options()
            options.takesEverything = true
            options.commons = commons
            return try XDPDriver(interface: "d1", port: 1, options: options)
        }
        let (far, farStation) = try TestNetwork.inside(outside) {
            (
                try AFPacketDriver(interface: "c1", port: 9),
                try InterfaceDescription(named: "c1").hardware
            )
        }
        // More than there are chunks: one that is not given back would be missed.
        for number in 0..<12_000 {
            lab.arrive(FrameBytes.plain(to: lab.station, number: UInt8(number & 255)))
            var burst = Burst()
            guard lab.receive(into: &burst) else {
                Issue.record("frame \(number) did not come")
                return
            }
            burst[0].verdict = .send(1)
            let target = FrameBytes.mac(farStation)
            unsafe burst[0].bytes.copyMemory(from: target, byteCount: 6)
            second.enqueue(sendsOf: burst)
            second.flush()
            lab.driver.release()
            guard received(1, by: far).first?[20] == UInt8(number & 255) else {
                Issue.record("frame \(number) did not leave")
                return
            }
        }
        #expect(second.statistics.sentFrames == 12_000)
    }

    @Test func aSuperFrameOfAnotherDriverIsCut() throws {
        let lab = try XDPLab()
        let bytes = FrameBytes.partialTCP(to: lab.farStation, payload: 3000)
        let held = HeldFrame(bytes) {
            $0.checksum = .partial
            $0.checksumStart = 34
            $0.checksumOffset = 16
            $0.segmentKind = 1
            $0.segmentSize = 1448
            $0.headerLength = 54
        }
        lab.driver.enqueue(held.frame)
        lab.driver.flush()
        var frames: [[UInt8]] = []
        let end = MonotonicClock.now() + 1_000_000_000
        while frames.count < 3, MonotonicClock.now() < end {
            frames += lab.departed().map(\.bytes)
        }
        #expect(frames.map(\.count) == [54 + 1448, 54 + 1448, 54 + 104])
        #expect(frames.flatMap { $0[54...] } == Array(bytes[54...]))
        for frame in frames {
            let length = frame.count - 34
            let pseudo = Array(frame[26..<34]) + [0, 6, UInt8(length >> 8), UInt8(length & 255)]
            #expect(FrameBytes.fold(pseudo + frame[34...]) == 0xffff)
        }
    }

    @Test func aVLANTagIsTakenOutAndPutBack() throws {
        let lab = try XDPLab()
        let bytes = FrameBytes.plain(to: lab.station, number: 3)
        lab.arrive(bytes) { $0.vlan = 0x8100_0064 }
        let seen = try #require(lab.bounce())
        #expect(seen.frame.vlan == 0x8100_0064)
        #expect(seen.bytes == bytes)
        let back = try #require(lab.firstDeparted())
        #expect(back.frame.vlan == 0x8100_0064)
        #expect(back.bytes.dropFirst(12) == bytes.dropFirst(12))
    }

    @Test func aFullRingIsCounted() throws {
        let lab = try XDPLab()
        for number in 0..<5000 {
            lab.arrive(FrameBytes.plain(to: lab.station, number: UInt8(number & 255)))
        }
        let end = MonotonicClock.now() + 1_000_000_000
        while lab.driver.statistics.ringFull < 2000, MonotonicClock.now() < end { Thread.yield() }
        #expect(lab.driver.statistics.ringFull >= 2000)
        var burst = Burst()
        var count = 0
        while count < 2048, lab.receive(into: &burst) {
            count += burst.count
            burst.removeAll()
            lab.driver.release()
        }
        #expect(count == 2048)
        lab.arrive(FrameBytes.plain(to: lab.station, number: 200))
        let seen = try #require(lab.bounce())
        #expect(seen.bytes[20] == 200)
    }

    @Test func anInterfaceMayGoDownAndComeUp() throws {
        let lab = try XDPLab()
        try TestNetwork.run("ip -n \(lab.inside) link set d0 down")
        let held = HeldFrame(FrameBytes.plain(to: lab.farStation))
        lab.driver.enqueue(held.frame)
        lab.driver.flush()
        #expect(lab.driver.statistics.sendFailed == 1)
        #expect(lab.driver.statistics.sentFrames == 0)
        #expect(!lab.driver.isDetached)
        try TestNetwork.run("ip -n \(lab.inside) link set d0 up")
        lab.arrive(FrameBytes.plain(to: lab.station, number: 8))
        #expect(lab.bounce()?.bytes[20] == 8)
        // What was refused while it was down is gone, not late.
        #expect(lab.firstDeparted()?.bytes[20] == 8)
    }

    @Test func aDeletedInterfaceIsServedAgainWhenItComesBack() throws {
        let lab = try XDPLab()
        try TestNetwork.run("ip -n \(lab.inside) link del d0")
        #expect(lab.driver.isDetached)
        let driver = lab.driver
        #expect(try TestNetwork.inside(lab.inside) { try driver.refresh() } == false)
        try lab.network.addCable("d0", in: lab.inside, "c1", in: lab.outside)
        #expect(try TestNetwork.inside(lab.inside) { try driver.refresh() })
        #expect(!driver.isDetached)
        let far = try TestNetwork.inside(lab.outside) {
            try AFPacketDriver(interface: "c1", port: 9)
        }
        let station = try TestNetwork.inside(lab.inside) {
            try InterfaceDescription(named: "d0").hardware
        }
        var burst = Burst()
        let noneYet = driver.receive(into: &burst)
        #expect(noneYet == 0)
        let held = HeldFrame(FrameBytes.plain(to: station, number: 4))
        far.enqueue(held.frame)
        far.flush()
        guard lab.receive(into: &burst) else {
            Issue.record("nothing came")
            return
        }
        #expect(FrameBytes.bytes(of: burst[0])[20] == 4)
        driver.release()
    }

    @Test func anotherProgramOnTheInterfaceIsToldWithTheCure() throws {
        let lab = try XDPLab()
        let error = #expect(throws: DriverError.self) {
            try TestNetwork.inside(lab.inside) { try XDPDriver(interface: "d0", port: 1) }
        }
        #expect(
            error?.description
                == "d0: another XDP program is attached, and an interface takes one; remove it"
                + " (ip link set dev d0 xdp off) or use afpacket:d0")
    }

    @Test func anMTUThatIsTooLongIsToldWithTheCure() throws {
        let network = TestNetwork()
        let (inside, outside) = (try network.addNamespace("d"), try network.addNamespace("c"))
        try network.addCable("d0", in: inside, "c0", in: outside)
        try TestNetwork.run("ip -n \(inside) link set d0 mtu 9000")
        let error = #expect(throws: DriverError.self) {
            try TestNetwork.inside(inside) { try XDPDriver(interface: "d0", port: 0) }
        }
        #expect(
            error?.description
                == "d0: MTU 9000 is more than AF_XDP takes here (3822); lower it (ip link set dev d0"
                + " mtu 3498) or use afpacket:d0")
    }

    @Test func answeringForAddressesIsRefusedWithTheCure() {
        var options = DriverRegistry.Options()
        options.answersAddresses = true
        let error = #expect(throws: DriverError.self) {
            try DriverRegistry.open("xdp:lo", port: 0, options: options)
        }
        #expect(error?.code == .badArgument)
        #expect(error?.description.contains("--answer") == true)
    }

    @Test func theProgramGoesWithTheDriver() throws {
        let network = TestNetwork()
        let (inside, outside) = (try network.addNamespace("d"), try network.addNamespace("c"))
        try network.addCable("d0", in: inside, "c0", in: outside)
        for _ in 0..<3 {
            // A new one each time: the kernel lets go of the last one's sockets in the background.
            _ = try TestNetwork.inside(inside) { try XDPDriver(interface: "d0", port: 0) }
        }
        let link = try TestNetwork.run("ip -n \(inside) link show d0")
        #expect(!link.contains("xdp"), "\(link)")
    }
}
