import LVS
import PacketIO
import Posix
import TestKit
import Testing

/// What AF_XDP has beyond the rules of every driver (`DriverConformance`).
@Suite(.serialized, .enabled(if: TestNetwork.isPossible, "needs root and ip"))
struct XDPDriverTests {
    /// A driver on `d0` that shares memory and map with others of these commons.
    private func bench(
        _ commons: DriverCommons, interfaces: Int = 1, takesEverything: Bool = true
    ) throws -> CableBench {
        try CableBench { name, port in
            var options = XDPDriver.Options()
            options.takesEverything = takesEverything
            options.interfaces = interfaces
            options.commons = commons
            return try XDPDriver(interface: name, port: port, options: options)
        }
    }

    /// A second cable of the bench, `d1` to `c1`: its driver, and the far end's with its address.
    private func second(
        _ bench: CableBench, _ commons: DriverCommons, cable: String = ""
    ) throws -> (driver: XDPDriver, far: AFPacketDriver, farStation: UInt64) {
        try bench.network.addCable("d1", in: bench.inside, "c1", in: bench.outside)
        let driver = try TestNetwork.inside(bench.inside) {
            var options = XDPDriver.Options()
            options.takesEverything = true
            options.interfaces = 2
            options.commons = commons
            return try XDPDriver(interface: "d1", port: 1, options: options)
        }
        let (far, farStation) = try TestNetwork.inside(bench.outside) {
            (
                try AFPacketDriver(interface: "c1", port: 9),
                try InterfaceDescription(named: "c1").hardware
            )
        }
        return (driver, far, farStation)
    }

    private func received(_ driver: any PacketDriver, _ burst: inout Burst) -> [[UInt8]] {
        let end = MonotonicClock.now() + 1_000_000_000
        while driver.receive(into: &burst) == 0, MonotonicClock.now() < end { Thread.yield() }
        var frames: [[UInt8]] = []
        for index in 0..<burst.count { frames.append(FrameBytes.bytes(of: burst[index])) }
        burst.removeAll()
        driver.release()
        return frames
    }

    @Test func onlyWhatIsServedComesAndTheHostHasTheRest() throws {
        let commons = DriverCommons()
        let bench = try bench(commons, takesEverything: false)
        let tap = try TestNetwork.inside(bench.inside) {
            try AFPacketDriver(interface: "d0", port: 1)
        }
        let redirects = try #require(commons.redirects)
        var served = ServedTraffic()
        served.services = [
            .init(address: IPAddress(v4: 0x0a00_0002), transport: .tcp, port: 80)
        ]
        try redirects.update(served)
        let ours = TestFrame(.tcp4, to: bench.station, payload: [1])
        let hosts = TestFrame(.udp4, to: bench.station, payload: [2])
        for _ in 0..<10 { bench.arrive([hosts, ours]) }
        #expect(bench.receive(10).map(\.bytes) == [[UInt8]](repeating: ours.bytes, count: 10))
        #expect(bench.receive(1, within: 20_000_000).isEmpty)
        var burst = Burst()
        let left = received(tap, &burst)
        #expect(left == [[UInt8]](repeating: hosts.bytes, count: 10))
    }

    @Test func whatWasReceivedKeepsItsChunkWhileNothingMoreComes() throws {
        let bench = try bench(DriverCommons())
        bench.arrive(number: 1)
        var burst = Burst()
        bench.receive(1, into: &burst)
        let came = bench.driver.receive(into: &burst)
        #expect(came == 0)
        try #require(burst.count == 1)
        burst[0].verdict = .send(0)
        bench.finish(&burst)
        let driver = try #require(bench.driver as? XDPDriver)
        #expect(driver.statistics.sentFrames == 1)
        #expect(driver.copiedFrames == 0)
    }

    @Test func aFrameOfAnotherInterfaceLeavesFromTheChunkItCameIn() throws {
        let commons = DriverCommons()
        let bench = try bench(commons, interfaces: 2)
        let (second, far, farStation) = try second(bench, commons)
        // More than there are chunks: one that is not given back would be missed.
        var burst = Burst()
        var farBurst = Burst()
        for number in 0..<20_000 {
            bench.arrive(number: number & 0xffff)
            bench.receive(1, into: &burst)
            guard burst.count == 1 else {
                Issue.record("frame \(number) did not come")
                return
            }
            burst[0].verdict = .send(1)
            let target = FrameBytes.mac(farStation)
            unsafe burst[0].bytes.copyMemory(from: target, byteCount: 6)
            second.enqueue(sendsOf: burst)
            second.flush()
            burst.removeAll()
            bench.driver.release()
            guard received(far, &farBurst).map(TestFrame.number) == [number & 0xffff] else {
                Issue.record("frame \(number) did not leave")
                return
            }
        }
        #expect(second.statistics.sentFrames == 20_000)
        #expect(second.copiedFrames == 0)
        second.send([TestFrame(number: 1, to: farStation).held()])
        #expect(second.copiedFrames == 1)
    }

    @Test func aFloodedInterfaceLeavesTheOthersTheirMemory() throws {
        let area = try FrameArea(chunkBytes: 2048, interfaces: 2)
        var filled: [Int] = []
        while let chunk = area.takeForFilling(0) { filled.append(chunk) }
        #expect(filled.count == FrameArea.mostFilled)
        // All of them came and wait to be sent by the other one, which is slow.
        var waiting = 0
        for chunk in filled where area.received(chunk) {
            if waiting < FrameArea.mostSent, area.send(chunk, by: 1) { waiting += 1 }
            area.release(chunk)
        }
        while area.takeForSending(0) != nil {}
        while area.takeForFilling(0) != nil {}
        var others: [Int] = []
        while let chunk = area.takeForFilling(1) { others.append(chunk) }
        #expect(others.count == FrameArea.mostFilled)
        // What was sent is free again, and what the sockets of a deleted interface held is as well.
        for chunk in filled { area.completed(chunk) }
        area.recover(0)
        area.recover(1)
        #expect(area.freeCount == area.count)
        #expect(area.count == 2 * FrameArea.chunksPerInterface)
    }

    @Test func bulkTrafficOfAVirtualCableIsToldOnceWithTheCure() throws {
        let bench = try bench(DriverCommons())
        let undone = TestFrame(
            .tcp4, to: bench.station, payload: [UInt8](repeating: 5, count: 1400), undone: true)
        for round in 0..<40 {
            if round < 30 { #expect(bench.interface.takeAdvice() == nil) }
            bench.arrive([TestFrame](repeating: undone, count: 32))
            #expect(bench.receive(32).count == 32)
        }
        let advice = bench.interface.takeAdvice()
        #expect(advice?.hasSuffix("where that matters use afpacket:d0") == true)
        #expect(bench.interface.takeAdvice() == nil)
    }

    @Test func framesThatAreTooLongAreToldOnceWithTheCure() throws {
        let bench = try bench(DriverCommons())
        #expect(bench.interface.takeAdvice() == nil)
        try bench.setMTU(3000)
        for _ in 0..<2 { bench.arrive(number: 1, length: 3000) }
        bench.arrive(number: 2)
        #expect(bench.receive(1).map(\.number) == [2])
        let interface = bench.interface
        let advice = try TestNetwork.inside(bench.inside) { interface.takeAdvice() }
        #expect(
            advice
                == "d0: MTU 3000 is more than the frame memory was made for (1774), and longer"
                + " frames are lost; lower it (ip link set dev d0 mtu 1774) or start the director"
                + " again")
        #expect(bench.interface.takeAdvice() == nil)
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
}
