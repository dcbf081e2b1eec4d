import LVS
import PacketIO
import Testing

/// What every driver must do, whatever is behind it; each behaviour is written once and run for every
/// row of `DriverRow.all`.
///
/// README.md beside this file says which of these tests fails when which cure is taken out.
@Suite(.serialized) struct DriverConformance {}

extension DriverConformance {
    @Test(arguments: DriverRow.all)
    func nothingThereIsNoFrame(row: DriverRow) throws {
        let bench = try row.bench()
        var burst = Burst()
        let came = bench.driver.receive(into: &burst)
        #expect(came == 0)
        bench.driver.release()
        bench.driver.flush()
        #expect(bench.departed().isEmpty)
    }

    @Test(arguments: DriverRow.all)
    func framesArriveInOrderAndWhole(row: DriverRow) throws {
        let bench = try row.bench()
        let lengths = [60, 61, 1514, 60, 300]
        let frames = lengths.enumerated().map { number, length in
            TestFrame(number: number, to: bench.station, length: length)
        }
        bench.arrive(frames)
        var burst = Burst()
        bench.receive(frames.count, into: &burst)
        #expect(burst.count == frames.count)
        for (index, frame) in frames.enumerated() where index < burst.count {
            #expect(FrameBytes.bytes(of: burst[index]) == frame.bytes)
            #expect(burst[index].ingress == bench.driver.port)
            #expect(burst[index].headroom >= 64)
            #expect(burst[index].capacity >= burst[index].length)
            #expect(burst[index].verdict == .pass)
            #expect(burst[index].checksum != .partial)
            #expect(burst[index].segmentKind == 0)
        }
        bench.finish(&burst)
    }

    @Test(arguments: DriverRow.all)
    func theBurstsRoomIsKept(row: DriverRow) throws {
        let bench = try row.bench()
        bench.arrive((0..<100).map { TestFrame(number: $0, to: bench.station) })
        var burst = Burst()
        bench.receive(64, into: &burst)
        #expect(burst.count == 64)
        let came = bench.driver.receive(into: &burst)
        #expect(came == 0)
        bench.finish(&burst)
        bench.receive(36, into: &burst)
        #expect(burst.count == 36)
        if burst.count > 0 { #expect(Seen(burst[0]).number == 64) }
        bench.finish(&burst)
    }

    @Test(arguments: DriverRow.all)
    func nothingLeavesBeforeTheFlush(row: DriverRow) throws {
        let bench = try row.bench()
        let frame = TestFrame(number: 7, to: bench.farStation)
        let held = frame.held()
        defer { withExtendedLifetime(held) {} }
        bench.driver.enqueue(held.frame)
        #expect(bench.departed().isEmpty)
        bench.driver.flush()
        #expect(bench.departed(1).map(\.bytes) == [frame.bytes])
        bench.driver.flush()
        #expect(bench.departed().isEmpty)
    }

    /// Whatever comes meanwhile, wanted or not.
    @Test(arguments: DriverRow.all)
    func framesStayAsTheyAreUntilTheyAreReleased(row: DriverRow) throws {
        let bench = try row.bench()
        var burst = Burst()
        for number in 0..<5 {
            bench.arrive(number: number, length: 1000)
            bench.receive(number + 1, into: &burst)
            if row.seesOthers != nil {
                bench.arrive([TestFrame(number: 100, to: 0x0200_0000_7777, length: 1000)])
            }
            let came = bench.driver.receive(into: &burst)
            #expect(came == 0)
        }
        bench.arrive((0..<500).map { TestFrame(number: 200 + $0 % 50, to: bench.station) })
        try #require(burst.count == 5)
        for number in 0..<5 {
            let frame = TestFrame(number: number, to: bench.station, length: 1000)
            #expect(FrameBytes.bytes(of: burst[number]) == frame.bytes)
        }
        bench.finish(&burst)
        #expect(bench.receive(1).first?.number == 200)
    }

    @Test(arguments: DriverRow.all)
    func framesLeaveAsTheEngineLeftThem(row: DriverRow) throws {
        let bench = try row.bench()
        bench.arrive((0..<3).map { TestFrame(number: $0, to: bench.station, length: 100) })
        var burst = Burst()
        bench.receive(3, into: &burst)
        let target = FrameBytes.mac(bench.farStation)
        for index in 0..<burst.count {
            unsafe burst[index].bytes.copyMemory(from: target, byteCount: 6)
            unsafe burst[index].bytes.storeBytes(of: 0xaa, toByteOffset: 50, as: UInt8.self)
            burst[index].length = 80
            burst[index].verdict = index == 1 ? .drop(.noRoute) : .send(bench.driver.port)
        }
        bench.finish(&burst)
        let expected = [0, 2].map { number in
            let frame = TestFrame(number: number, to: bench.farStation, length: 100)
            var bytes = Array(frame.bytes.prefix(80))
            bytes[50] = 0xaa
            return bytes
        }
        #expect(bench.departed(2).map(\.bytes) == expected)
    }

    @Test(arguments: DriverRow.all)
    func madeFramesFollowTheirCause(row: DriverRow) throws {
        let bench = try row.bench()
        bench.arrive((0..<3).map { TestFrame(number: $0, to: bench.station) })
        var burst = Burst()
        bench.receive(3, into: &burst)
        try #require(burst.count == 3)
        for (cause, number) in [(0, 100), (0, 101), (2, 102), (Burst.capacity, 103)] {
            let bytes = TestFrame(number: number, to: bench.farStation).bytes
            guard var made = burst.make(length: 60, ingress: bench.driver.port, cause: cause) else {
                Issue.record("no memory for a made frame")
                return
            }
            unsafe made.bytes.copyMemory(from: bytes, byteCount: 60)
            made.verdict = .send(bench.driver.port)
            burst.setMadeFrame(burst.madeCount - 1, made)
        }
        let target = FrameBytes.mac(bench.farStation)
        burst[0].verdict = .consumed
        for index in 1...2 {
            unsafe burst[index].bytes.copyMemory(from: target, byteCount: 6)
            burst[index].verdict = .send(bench.driver.port)
        }
        bench.finish(&burst)
        #expect(bench.departed(6).map(\.number) == [100, 101, 1, 2, 102, 103])
    }

    @Test(arguments: DriverRow.all)
    func headersMayBePutBeforeAFrame(row: DriverRow) throws {
        let bench = try row.bench()
        bench.arrive(number: 9)
        var burst = Burst()
        bench.receive(1, into: &burst)
        try #require(burst.count == 1)
        unsafe burst[0].bytes -= 50
        burst[0].headroom -= 50
        burst[0].length += 50
        burst[0].capacity += 50
        let longer = TestFrame(number: 10, to: bench.farStation, length: 110).bytes
        unsafe burst[0].bytes.copyMemory(from: longer, byteCount: longer.count)
        burst[0].verdict = .send(bench.driver.port)
        bench.finish(&burst)
        #expect(bench.departed(1).map(\.bytes) == [longer])
    }

    /// Three times around everything the driver has; half of the frames leave again.
    @Test(arguments: DriverRow.all)
    func memoryComesBackForEver(row: DriverRow) throws {
        let bench = try row.bench()
        let frames = (0..<32).map { TestFrame(number: $0, to: bench.station) }
        let numbers = Array(0..<32)
        for round in 0..<max(200, 3 * row.pieces / 32) {
            bench.arrive(frames)
            let came = round % 2 == 0 ? bench.bounce(32) : bench.receive(32)
            guard came.map(\.number) == numbers else {
                Issue.record("round \(round) brought \(came.map(\.number))")
                return
            }
            guard round % 2 == 0 else { continue }
            let left = bench.departed(32).map(\.number)
            guard left == numbers else {
                Issue.record("in round \(round) left \(left)")
                return
            }
        }
        #expect(bench.driver.statistics.ringFull == 0)
        #expect(bench.driver.statistics.sendFailed == 0)
    }

    /// Frames of every kind of memory: as they came, long, made by somebody else.
    @Test(arguments: DriverRow.all)
    func theOrderWithinABurstIsKept(row: DriverRow) throws {
        let bench = try row.bench()
        let lengths = [60, 1514, 300, 61, 1000]
        bench.arrive(
            (0..<40).map {
                TestFrame(number: $0, to: bench.station, length: lengths[$0 % lengths.count])
            })
        var burst = Burst()
        bench.receive(40, into: &burst)
        try #require(burst.count == 40)
        let target = FrameBytes.mac(bench.farStation)
        var held: [HeldFrame] = []
        defer { withExtendedLifetime(held) {} }
        for index in 0..<40 {
            unsafe burst[index].bytes.copyMemory(from: target, byteCount: 6)
            burst[index].verdict = .send(bench.driver.port)
        }
        bench.settle(&burst)
        for index in 0..<40 {
            bench.driver.enqueue(burst[index])
            guard index % 3 == 0 else { continue }
            held.append(TestFrame(number: 1000 + index, to: bench.farStation).held())
            bench.driver.enqueue(held[held.count - 1].frame)
        }
        bench.driver.flush()
        bench.driver.release()
        let expected = (0..<40).flatMap { $0 % 3 == 0 ? [$0, 1000 + $0] : [$0] }
        #expect(bench.departed(expected.count).map(\.number) == expected)
    }

    /// More than one call to the kernel sends at once.
    @Test(arguments: DriverRow.all)
    func manyFramesLeaveWithOneFlush(row: DriverRow) throws {
        let bench = try row.bench()
        bench.send((0..<500).map { TestFrame(number: $0, to: bench.farStation) })
        #expect(bench.departed(500).map(\.number) == Array(0..<500))
        #expect(bench.driver.statistics.sendFailed == 0)
    }

    @Test(arguments: DriverRow.all)
    func everythingIsCounted(row: DriverRow) throws {
        let bench = try row.bench()
        for length in [60, 100, 1514] { bench.arrive(number: 1, length: length) }
        #expect(bench.bounce(3).count == 3)
        #expect(bench.departed(3).count == 3)
        let counts = bench.driver.statistics
        #expect(counts.receivedFrames == 3)
        #expect(counts.receivedBytes == 1674)
        #expect(counts.sentFrames == 3)
        #expect(counts.sentBytes == 1674)
        #expect(counts.ringFull == 0)
        #expect(counts.truncated == 0)
        #expect(counts.sendFailed == 0)
    }

    @Test(arguments: DriverRow.onKernel)
    func framesThatNobodyTakesAreCountedAndNothingIsLostAfterwards(row: DriverRow) throws {
        let bench = try row.bench()
        let ring = try #require(row.ring)
        bench.arrive((0..<ring + 1000).map { TestFrame(number: $0 & 255, to: bench.station) })
        #expect(bench.receive(ring).count == ring)
        #expect(bench.receive(1, within: 20_000_000).isEmpty)
        #expect(bench.driver.statistics.ringFull == 1000)
        for number in 0..<3 * ring {
            bench.arrive(number: number)
            guard bench.bounce().first?.number == number, bench.departed(1).count == 1 else {
                Issue.record("frame \(number) after the flood was lost")
                return
            }
        }
        #expect(bench.driver.statistics.ringFull == 1000)
    }
}
