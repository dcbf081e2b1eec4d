import LVS
import PacketIO
import Posix
import Synchronization
import Testing

/// An engine that gives each frame the verdict a closure names.
final class ScriptedProcessor: BurstProcessor {
    private let decide: (Frame) -> Verdict
    private(set) var wakes = 0
    private(set) var sleeps = 0
    private(set) var emptyBursts = 0
    var makeReply: Bool = false

    init(_ decide: @escaping (Frame) -> Verdict) { self.decide = decide }

    func process(_ burst: inout Burst, now: Instant) {
        if burst.count == 0 { emptyBursts += 1 }
        for index in 0..<burst.count {
            burst[index].verdict = decide(burst[index])
            guard makeReply else { continue }
            guard var made = burst.make(length: 60, ingress: 0, cause: index) else { continue }
            unsafe made.bytes.copyMemory(from: burst[index].bytes, byteCount: 60)
            unsafe made.bytes.storeBytes(of: 0xee, toByteOffset: 30, as: UInt8.self)
            made.verdict = .send(burst[index].ingress)
            burst.setMadeFrame(burst.madeCount - 1, made)
        }
    }

    var hasWaiting = false
    func wake() { wakes += 1 }
    func sleep() { sleeps += 1 }
}

@Suite struct WorkerLoopTests {
    private func numbers(_ sent: [MemoryDriver.Sent]) -> [UInt8] { sent.map { $0.bytes[20] } }

    /// Runs the loop until it slept twice, so that everything delivered before is done.
    private func run(_ loop: WorkerLoop) throws {
        try loop.start()
        let end = MonotonicClock.now() + 2_000_000_000
        while loop.counts.sleeps < 1, MonotonicClock.now() < end { Thread.yield() }
        loop.wake()
        while loop.counts.sleeps < 2, MonotonicClock.now() < end { Thread.yield() }
        loop.stop()
    }

    @Test func framesLeaveByThePortOfTheirVerdictInOrder() throws {
        let (left, right) = (MemoryDriver(port: 0), MemoryDriver(port: 1))
        let loop = try WorkerLoop(
            drivers: [left, right],
            processor: ScriptedProcessor { $0.ingress == 0 ? .send(1) : .send(0) })
        for number in 0..<UInt8(100) { left.deliver(FrameBytes.plain(to: 1, number: number)) }
        right.deliver(FrameBytes.plain(to: 1, number: 200))
        try run(loop)
        #expect(numbers(right.takeSent()) == Array(0..<UInt8(100)))
        #expect(numbers(left.takeSent()) == [200])
        #expect(loop.counts.frames == 101)
        #expect(loop.counts.sent == 101)
        #expect(loop.counts.bursts == 3)
    }

    @Test func everyVerdictIsDoneAndCounted() throws {
        let (driver, door) = (MemoryDriver(port: 0), MemoryDriver(port: 7))
        let verdicts: [Verdict] = [
            .pass, .passThroughDoor, .send(0), .consumed, .drop(.noRoute), .send(5), .send(99),
        ]
        let loop = try WorkerLoop(
            drivers: [driver], door: door,
            processor: ScriptedProcessor { frame in
                verdicts[unsafe Int(frame.bytes.load(fromByteOffset: 20, as: UInt8.self))]
            })
        for number in verdicts.indices {
            driver.deliver(FrameBytes.plain(to: 1, number: UInt8(number)))
        }
        try run(loop)
        #expect(numbers(driver.takeSent()) == [2])
        #expect(numbers(door.takeSent()) == [1])
        var expected = WorkerCounts()
        expected.bursts = 1
        expected.frames = 7
        expected.passed = 1
        expected.throughDoor = 1
        expected.sent = 1
        expected.consumed = 1
        expected.dropped = 1
        expected.portMissing = 2
        expected.sleeps = loop.counts.sleeps
        #expect(loop.counts == expected)
    }

    @Test func framesForAMissingDoorAreCounted() throws {
        let driver = MemoryDriver(port: 0)
        let loop = try WorkerLoop(
            drivers: [driver], processor: ScriptedProcessor { _ in .passThroughDoor })
        driver.deliver(FrameBytes.plain(to: 1))
        try run(loop)
        #expect(loop.counts.doorClosed == 1)
        #expect(loop.counts.throughDoor == 0)
    }

    @Test func madeFramesLeaveAfterTheFramesThatCausedThem() throws {
        let driver = MemoryDriver(port: 0)
        let processor = ScriptedProcessor { _ in .send(0) }
        processor.makeReply = true
        let loop = try WorkerLoop(drivers: [driver], processor: processor)
        for number in 0..<3 { driver.deliver(FrameBytes.plain(to: 1, number: UInt8(number))) }
        try run(loop)
        let sent = driver.takeSent()
        #expect(numbers(sent) == [0, 0, 1, 1, 2, 2])
        #expect(sent.map { $0.bytes[30] == 0xee } == [false, true, false, true, false, true])
        #expect(loop.counts.sent == 6)
    }

    @Test func aWakeUpGivesTheEngineATurnWithoutFrames() throws {
        let processor = ScriptedProcessor { _ in .pass }
        let loop = try WorkerLoop(drivers: [], processor: processor)
        try loop.start()
        let end = MonotonicClock.now() + 2_000_000_000
        while loop.counts.sleeps < 1, MonotonicClock.now() < end { Thread.yield() }
        loop.wake()
        while loop.counts.sleeps < 2, MonotonicClock.now() < end { Thread.yield() }
        loop.stop()
        #expect(processor.emptyBursts >= 1)
        #expect(processor.wakes == processor.sleeps)
    }

    @Test func whileFramesWaitInTheEngineItGetsTurnsEveryFewMilliseconds() throws {
        let processor = ScriptedProcessor { _ in .pass }
        processor.hasWaiting = true
        let loop = try WorkerLoop(drivers: [], processor: processor)
        try loop.start()
        let start = MonotonicClock.now()
        while loop.counts.sleeps < 5, MonotonicClock.now() < start + 2_000_000_000 {
            Thread.yield()
        }
        loop.stop()
        #expect(processor.emptyBursts >= 4)
    }

    @Test func arpIsNeverAnsweredUnlessAddressesAreNamed() throws {
        let driver = MemoryDriver(port: 0)
        let loop = try WorkerLoop(drivers: [driver], processor: ScriptedProcessor { _ in .pass })
        driver.deliver(FrameBytes.arpRequest(for: [10, 0, 0, 1], from: 0x0200_0000_00aa))
        try run(loop)
        #expect(driver.takeSent().isEmpty)
        #expect(loop.counts.passed == 1)
    }
}
