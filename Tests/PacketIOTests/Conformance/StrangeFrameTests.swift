import LVS
import PacketIO
import TestKit
import Testing

/// Frames that are not the director's, or are not what they say they are.
extension DriverConformance {
    @Test(arguments: DriverRow.onKernel)
    func framesForOthersAndBroadcastsAreLeftAlone(row: DriverRow) throws {
        let bench = try #require(row.bench() as? CableBench)
        bench.arrive([
            TestFrame(number: 1, to: 0x0200_0000_7777),
            TestFrame(number: 2, to: 0xffff_ffff_ffff),
            TestFrame(FrameBytes.arpRequest(for: [10, 0, 0, 1], from: bench.farStation)),
            TestFrame(number: 3, to: bench.station),
        ])
        #expect(bench.bounce().map(\.number) == [3])
        #expect(bench.receive(1, within: 20_000_000).isEmpty)
        #expect(bench.driver.statistics.receivedFrames == 1)
        #expect(bench.driver.statistics.ignored == (row.seesOthers == true ? 3 : 0))
    }

    @Test(arguments: DriverRow.onKernel)
    func framesOfTheHostsOwnVLANAreLeftAlone(row: DriverRow) throws {
        guard row.losesTags == nil else { return }
        let bench = try #require(row.bench() as? CableBench)
        bench.interface.setHostVLANs([100])
        var frames = (1...3).map { TestFrame(number: $0, to: bench.station) }
        frames[0].vlan = 0x8100_0064
        frames[1].vlan = 0x8100_0065
        bench.arrive(frames)
        #expect(bench.receive(2).map(\.number) == [2, 3])
        #expect(bench.receive(1, within: 20_000_000).isEmpty)
        bench.interface.setHostVLANs([])
        bench.arrive(frames)
        #expect(bench.receive(3).map(\.number) == [1, 2, 3])
    }

    /// Cut anywhere, tagged or not: bytes arrive as they are or not at all, and nothing else is lost.
    @Test(arguments: DriverRow.all)
    func framesShorterThanTheirHeadersSayDoNoHarm(row: DriverRow) throws {
        let bench = try row.bench()
        let shortest = row.seesOthers == nil ? 0 : 14
        var cut: [TestFrame] = []
        for flow in TestFrame.Flow.allCases {
            for undone in [false, true] {
                let whole = TestFrame(
                    flow, to: bench.station, payload: Array(1...40), undone: undone)
                for length in shortest...60 {
                    // A sender that has cut it claims no sum; the field may look undone all the same.
                    cut.append(TestFrame(Array(whole.bytes.prefix(length))))
                    guard length >= 18 else { continue }
                    cut[cut.count - 1].vlan = length % 3 == 0 ? TestFrame.tag100 : 0
                }
            }
        }
        var sent = 0
        var came = 0
        for frame in cut {
            bench.arrive(frame)
            bench.arrive(number: 4000 + sent)
            sent += 1
            let wanted = frame.bytes.count == 0 ? [] : frame.bytes
            var seen = bench.bounce()
            while seen.last?.number != 4000 + sent - 1 {
                let more = bench.bounce()
                guard !more.isEmpty else { break }
                seen += more
            }
            guard seen.last?.number == 4000 + sent - 1, seen.count <= 2 else {
                Issue.record("after \(frame.bytes) came \(seen.map(\.bytes))")
                return
            }
            guard seen.count == 2 else { continue }
            came += 1
            #expect(seen[0].bytes == wanted)
        }
        // IPv4 and IPv6 are told by the first 14 bytes: all but a few of them come.
        let range = row.seesBroken ? cut.count / 2...cut.count : 0...0
        #expect(range.contains(came), "\(came) of \(cut.count) came")
        #expect(bench.driver.statistics.ringFull == 0)
    }

    @Test(arguments: DriverRow.onKernel)
    func whatIsNoFrameIsNotSentAndTheNextOneLeaves(row: DriverRow) throws {
        let bench = try row.bench()
        let short = (0..<14).map { TestFrame([UInt8](repeating: 0xff, count: $0)) }
        bench.send(short + [TestFrame(number: 5, to: bench.farStation)])
        #expect(bench.departed(1).map(\.number) == [5])
        #expect(bench.driver.statistics.sendFailed == 14)
        #expect(bench.driver.statistics.sentFrames == 1)
        #expect(bench.driver.statistics.sentBytes == 60)
    }

    @Test(arguments: DriverRow.onKernel)
    func aFrameTheKernelRefusesIsCountedAndTheNextOneLeaves(row: DriverRow) throws {
        let bench = try row.bench()
        bench.send([
            TestFrame(number: 4, to: bench.farStation, length: 5000),
            TestFrame(number: 5, to: bench.farStation),
        ])
        #expect(bench.departed(1).map(\.number) == [5])
        #expect(bench.driver.statistics.sendFailed == 1)
        #expect(bench.driver.statistics.sentFrames == 1)
        #expect(bench.driver.statistics.sentBytes == 60)
    }

    @Test(arguments: DriverRow.onKernel)
    func withoutPrivilegesTheRefusalNamesThem(row: DriverRow) throws {
        let words = try #require(row.privileges)
        let network = TestNetwork()
        let (inside, outside) = (try network.addNamespace("d"), try network.addNamespace("c"))
        try network.addCable("d0", in: inside, "c0", in: outside)
        let open = row.open
        let error = #expect(throws: DriverError.self) {
            try TestNetwork.inside(inside) {
                try Capabilities.dropThoseOfThisThread()
                return try open("d0", 0)
            }
        }
        #expect(error?.code == .missingPrivilege)
        #expect(error?.description.hasPrefix("d0: ") == true)
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
    }

    @Test(arguments: DriverRow.onKernel)
    func anotherXDPProgramIsRefusedWithTheCureOrMadeNothingOf(row: DriverRow) throws {
        let bench = try CableBench { name, port in
            // One that leaves everything to the host.
            try XDPDriver(interface: name, port: port)
        }
        let open = row.open
        guard let words = row.refusesOtherProgram else {
            let driver = try TestNetwork.inside(bench.inside) { try open("d0", 1) }
            bench.arrive(number: 6)
            var burst = Burst()
            _ = eventually(within: 1) { driver.receive(into: &burst) > 0 }
            #expect(burst.count == 1)
            return
        }
        let error = #expect(throws: DriverError.self) {
            try TestNetwork.inside(bench.inside) { try open("d0", 1) }
        }
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
        #expect(error?.description.contains("ip link set dev d0 xdp off") == true)
    }
}
