import LVS
import PacketIO
import TestKit
import Testing

/// Checksums that senders left undone, segments that they left uncut, and tags.
extension DriverConformance {
    @Test(arguments: DriverRow.all, TestFrame.Flow.allCases)
    func aChecksumLeftUndoneIsToldAndLeavesRight(row: DriverRow, flow: TestFrame.Flow) throws {
        let bench = try row.bench()
        let frame = TestFrame(flow, to: bench.station, payload: Array(1...11), undone: true)
        bench.arrive(frame)
        let seen = try #require(bench.bounce().first)
        #expect(seen.bytes == frame.bytes)
        #expect(seen.checksum == .partial)
        #expect(seen.checksumStart == UInt16(flow.start))
        #expect(seen.checksumOffset == UInt16(flow.field))
        #expect(seen.segmentKind == 0)
        let left = try #require(bench.departed(1).first)
        switch row.sums {
        case .toldOn:
            #expect(left.checksum == .partial)
            #expect(left.checksumStart == UInt16(flow.start))
            #expect(left.checksumOffset == UInt16(flow.field))
            #expect(left.packet == Array(frame.bytes.dropFirst(12)))
        case .finished:
            #expect(left.checksum != .partial)
            #expect(TestFrame.isRight(left.bytes), "\(left.bytes)")
            let complete = TestFrame(flow, to: bench.station, payload: Array(1...11))
            #expect(left.packet == Array(complete.bytes.dropFirst(12)))
        }
    }

    @Test(arguments: DriverRow.all, TestFrame.Flow.allCases)
    func aCompleteChecksumStaysAsItIs(row: DriverRow, flow: TestFrame.Flow) throws {
        let bench = try row.bench()
        let frame = TestFrame(flow, to: bench.station, payload: Array(1...11))
        var wrong = frame
        wrong.bytes[flow.start + flow.field] ^= 0x55
        bench.arrive([frame, wrong])
        #expect(bench.bounce(2).map(\.checksum) == [.complete, .complete])
        let left = bench.departed(2)
        #expect(left.map(\.packet) == [frame, wrong].map { Array($0.bytes.dropFirst(12)) })
    }

    /// 0 in a UDP header means that there is no checksum, so a sum of 0 is sent as 0xffff.
    @Test(arguments: DriverRow.all, [TestFrame.Flow.udp4, .udp6])
    func noUDPChecksumStaysNoneAndASumOfZeroIsNoNone(
        row: DriverRow, flow: TestFrame.Flow
    ) throws {
        let bench = try row.bench()
        let field = flow.start + flow.field
        var none = TestFrame(flow, to: bench.station, payload: Array(1...12))
        none.bytes.set(field, be16: 0)
        // The last word of the payload makes the complete sum 0xffff, its complement 0.
        var zero = TestFrame(flow, to: bench.station, payload: Array(1...12), undone: true)
        let complete = TestFrame(flow, to: bench.station, payload: Array(1...10) + [0, 0])
        zero.bytes.set(zero.bytes.count - 2, be16: complete.bytes.be16(field))
        bench.arrive([none, zero])
        #expect(bench.bounce(2).map(\.checksum) == [.complete, .partial])
        let left = bench.departed(2)
        try #require(left.count == 2)
        #expect(left[0].bytes.be16(field) == 0)
        switch row.sums {
        case .toldOn: #expect(left[1].checksum == .partial)
        case .finished: #expect(left[1].bytes.be16(field) == 0xffff)
        }
    }

    private func superFrame(
        _ flow: TestFrame.Flow, to station: UInt64, payload: Int = 20_000
    ) -> TestFrame {
        let data = (0..<payload).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        return TestFrame(flow, to: station, payload: data, segmentSize: 1400)
    }

    /// The segments carry the payload of the super-frame, in order, each with right checksums.
    private func expectSegments(
        _ seen: [Seen], of frame: TestFrame, _ flow: TestFrame.Flow,
        _ place: SourceLocation = #_sourceLocation
    ) {
        let payload = seen.flatMap { $0.bytes.dropFirst(flow.headers) }
        #expect(payload == Array(frame.bytes[flow.headers...]), sourceLocation: place)
        #expect(
            seen.allSatisfy { $0.bytes.count <= flow.headers + 1400 }, sourceLocation: place)
        #expect(seen.allSatisfy { $0.segmentKind == 0 }, sourceLocation: place)
        for segment in seen where segment.checksum != .partial {
            #expect(TestFrame.isRight(segment.bytes), sourceLocation: place)
        }
    }

    @Test(arguments: DriverRow.all, [TestFrame.Flow.tcp4, .tcp6, .udp4, .udp6])
    func aSuperFrameArrivesAndLeavesWithAllItCarries(
        row: DriverRow, flow: TestFrame.Flow
    ) throws {
        let bench = try row.bench()
        let frame = superFrame(flow, to: bench.station)
        bench.arrive(frame)
        let pieces = (20_000 + 1399) / 1400
        switch row.superFrames {
        case .whole:
            let seen = try #require(bench.bounce().first)
            #expect(seen.bytes == frame.bytes)
            #expect(seen.segmentKind == flow.segmentKind)
            #expect(seen.segmentSize == 1400)
            #expect(!seen.segmentSizeIsOpen)
            #expect(seen.checksum == .partial)
            #expect(seen.headroom >= 64)
            let left = try #require(bench.departed(1).first)
            #expect(left.packet == Array(frame.bytes.dropFirst(12)))
            #expect(left.segmentKind == flow.segmentKind)
            #expect(left.segmentSize == 1400)
        case .wholeWithoutSize:
            let seen = try #require(bench.bounce().first)
            #expect(seen.bytes == frame.bytes)
            #expect(seen.segmentKind == flow.segmentKind)
            #expect(Int(seen.segmentSize) == 1514 - flow.headers)
            #expect(seen.segmentSizeIsOpen)
            #expect(seen.checksum == .partial)
            if flow.isTCP {
                let left = try #require(bench.departed(1).first)
                #expect(left.packet == Array(frame.bytes.dropFirst(12)))
                #expect(left.segmentSize == seen.segmentSize)
            }
            #expect(bench.departed(1, within: 20_000_000).isEmpty)
            #expect(bench.driver.statistics.sendFailed == (flow.isTCP ? 0 : 1))
            // Those of other drivers leave whole.
            let another = superFrame(flow, to: bench.farStation)
            bench.send([another])
            let left = try #require(bench.departed(1).first)
            #expect(left.bytes == another.bytes)
            #expect(left.segmentSize == 1400)
        case .segments:
            expectSegments(bench.bounce(pieces), of: frame, flow)
            expectSegments(bench.departed(pieces), of: frame, flow)
        case .lost(let words):
            let driver = try #require(bench.driver as? any InterfaceDriver)
            #expect(driver.summary.contains(words))
            #expect(bench.receive(1, within: 20_000_000).isEmpty)
            #expect(driver.statistics.truncated == 1)
            // Those of other drivers leave in pieces all the same.
            let another = superFrame(flow, to: bench.farStation)
            bench.send([another])
            expectSegments(bench.departed(pieces), of: another, flow)
        }
        bench.arrive(number: 3)
        #expect(bench.receive(1).map(\.number) == [3])
    }

    @Test(arguments: DriverRow.all.filter { $0.superFrames.areWhole }, [2000, 65_000])
    func superFramesOfAnyLengthAreWhole(row: DriverRow, payload: Int) throws {
        let bench = try row.bench()
        let frame = superFrame(.tcp4, to: bench.station, payload: payload)
        bench.arrive(frame)
        #expect(bench.bounce().map(\.bytes) == [frame.bytes])
        #expect(bench.departed(1).map(\.packet) == [Array(frame.bytes.dropFirst(12))])
        #expect(bench.driver.statistics.truncated == 0)
    }

    /// The next device cannot segment, as a veth whose peer runs XDP cannot.
    @Test(arguments: DriverRow.onKernel)
    func aSuperFrameLeavesByADeviceThatCannotSegment(row: DriverRow) throws {
        let bench = try #require(row.bench() as? CableBench)
        try TestNetwork.run("ip netns exec \(bench.inside) ethtool -K d0 tx off")
        for flow in [TestFrame.Flow.tcp4, .udp4] {
            let frame = superFrame(flow, to: bench.farStation)
            bench.send([frame])
            expectSegments(bench.departed(15), of: frame, flow)
        }
        #expect(bench.driver.statistics.sendFailed == 0)
    }

    @Test(arguments: DriverRow.all.filter { $0.superFrames.areWhole })
    func longAndShortFramesKeepTheirOrder(row: DriverRow) throws {
        let bench = try row.bench()
        let frames = (0..<20).map { number in
            number % 2 == 0
                ? superFrame(.tcp4, to: bench.station, payload: 30_000 + number)
                : TestFrame(number: number, to: bench.station, length: 60 + number)
        }
        bench.arrive(frames)
        #expect(bench.bounce(20).map(\.bytes.count) == frames.map(\.bytes.count))
        #expect(bench.departed(20).map(\.bytes.count) == frames.map(\.bytes.count))
    }

    /// They have to be taken out of the socket in step with the ring.
    @Test(arguments: DriverRow.onKernel.filter { $0.superFrames.areWhole })
    func longFramesForOthersTakeNoRoomOfTheOthers(row: DriverRow) throws {
        let bench = try row.bench()
        let frames = (0..<40).flatMap { number in
            [UInt64(0x0200_0000_7777), 0x0200_0000_7778, bench.station].map { station in
                superFrame(.tcp4, to: station, payload: 20_000 + number)
            }
        }
        bench.arrive(frames)
        let wanted = frames.enumerated().filter { $0.offset % 3 == 2 }.map(\.element)
        var burst = Burst()
        bench.receive(40, into: &burst)
        try #require(burst.count == 40)
        for (index, frame) in wanted.enumerated() {
            guard FrameBytes.bytes(of: burst[index]) == frame.bytes else {
                Issue.record("frame \(index) has \(burst[index].length) bytes or other contents")
                break
            }
        }
        bench.finish(&burst)
    }

    /// The outermost tag stands beside the frame, and offsets count without it.
    @Test(arguments: DriverRow.all, [UInt32(0x8100_0064), 0x88a8_0064])
    func aTagIsToldAndPutBack(row: DriverRow, tag: UInt32) throws {
        let bench = try row.bench()
        if let words = row.losesTags {
            let driver = try #require(bench.driver as? any InterfaceDriver)
            #expect(driver.summary.contains(words))
            return
        }
        var plain = TestFrame(number: 1, to: bench.station)
        plain.vlan = tag
        var undone = TestFrame(.tcp4, to: bench.station, payload: Array(1...30), undone: true)
        undone.vlan = tag
        bench.arrive([plain, undone])
        let seen = bench.bounce(2)
        #expect(seen.map(\.vlan) == [tag, tag])
        #expect(seen.map(\.bytes) == [plain.bytes, undone.bytes])
        #expect(seen.last?.checksum == .partial)
        #expect(seen.last?.checksumStart == 34)
        let left = bench.departed(2)
        try #require(left.count == 2)
        #expect(left.map(\.vlan) == [tag, tag])
        #expect(left[0].packet == Array(plain.bytes.dropFirst(12)))
        switch row.sums {
        case .toldOn:
            #expect(left[1].checksum == .partial)
            #expect(left[1].checksumStart == 34)
            #expect(left[1].packet == Array(undone.bytes.dropFirst(12)))
        case .finished: #expect(TestFrame.isRight(left[1].bytes))
        }
    }

    /// QinQ: what has a tag inside a tag is the host's, on the way out both are in the frame.
    @Test(arguments: DriverRow.all)
    func aTagInsideATagIsLeftToTheHost(row: DriverRow) throws {
        guard row.losesTags == nil else { return }
        let bench = try row.bench()
        var frame = TestFrame(number: 2, to: bench.station)
        frame.bytes.insert(contentsOf: [0x81, 0, 0, 7], at: 12)
        frame.vlan = 0x88a8_0064
        bench.arrive(frame)
        bench.arrive(number: 3)
        let seen = bench.receive(row.seesOthers == nil ? 2 : 1)
        #expect(seen.map(\.vlan) == (row.seesOthers == nil ? [0x88a8_0064, 0] : [0]))
        #expect(seen.last?.number == 3)
        bench.send([frame])
        #expect(bench.driver.statistics.sentFrames == 1)
        #expect(bench.driver.statistics.sendFailed == 0)
    }
}

extension DriverRow.SuperFrames {
    var areWhole: Bool {
        switch self {
        case .whole, .wholeWithoutSize: true
        case .segments, .lost: false
        }
    }
}
