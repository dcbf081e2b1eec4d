import Instruments
import LVS
import Testing

@Suite struct PacketPacerTests {
    @Test(
        arguments: [
            ("1x", .times(1)), ("10x", .times(10)), ("0.5x", .times(0.5)), ("max", .unlimited),
            ("", nil), ("x", nil), ("10", nil), ("0x", nil), ("-1x", nil), ("1e9x", nil),
            ("nanx", nil), ("infx", nil), ("1 x", nil), ("Max", nil),
        ] as [(String, PacketPacer.Speed?)])
    func `Speeds are read as they are written`(_ row: (text: String, speed: PacketPacer.Speed?)) {
        let speed = PacketPacer.Speed(row.text)
        #expect(speed == row.speed)
        if let speed { #expect(speed.description == row.text) }
    }

    @Test func `Packets are due at their distances divided by the speed`() {
        var pacer = PacketPacer(.times(10))
        let times: [Int64] = [5000, 6000, 5500, 15_000, .max, .min]
        let due = times.map { pacer.due($0, now: 1_000_000) }
        #expect(due.dropLast(2) == [1_000_000, 1_000_100, 1_000_100, 1_001_000])
        #expect(due[4] > 900_000_000_000_000_000 && due[5] == due[4])
        var free = PacketPacer(.unlimited)
        #expect(times.map { free.due($0, now: 7) } == [7, 7, 7, 7, 7, 7])
    }

    @Test func `Being late is told and does not move what follows`() {
        var pacer = PacketPacer(.times(1))
        _ = pacer.due(0, now: 100)
        let second = pacer.due(50, now: 400)
        #expect(second == 150)
        pacer.sent(due: second, now: 400)
        #expect(pacer.due(500, now: 400) == 600)
        pacer.sent(due: 600, now: 601)
        #expect(pacer.mostLate == 250)
    }
}

@Suite struct PacedSenderTests {
    /// Keeps what it is told to send, and when it does; refuses every fifth frame.
    private final class Wire: PacketDriver {
        let port: PortIndex = 3
        private(set) var sent: [(now: UInt64, bytes: [UInt8])] = []
        private var waiting: [Frame] = []
        private(set) var mostTogether = 0
        var now: UInt64 = 0
        var refuses = false
        private var counts = DriverStatistics()

        func receive(into burst: inout Burst) -> Int { 0 }
        func enqueue(_ frame: Frame) { waiting.append(frame) }
        func flush() {
            mostTogether = max(mostTogether, waiting.count)
            for frame in waiting {
                if refuses, (sent.count + Int(counts.sendFailed)) % 5 == 4 {
                    counts.sendFailed += 1
                    continue
                }
                let bytes = unsafe UnsafeRawBufferPointer(
                    start: frame.bytes, count: Int(frame.length))
                sent.append((now, unsafe Array(bytes)))
            }
            waiting = []
        }
        func release() {}
        var descriptor: Int32? { nil }
        var statistics: DriverStatistics { counts }
    }

    private static let head: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]

    private func sender(_ wire: Wire, _ speed: PacketPacer.Speed) -> PacedSender {
        PacedSender(
            driver: wire, speed: speed,
            hardware: (HardwareAddress(value: 2), HardwareAddress(value: 1))
        ) {
            // Every look at the clock takes a microsecond.
            wire.now += 1000
            return wire.now
        }
    }

    @Test func `Every packet goes out whole and in order`() throws {
        var file = FileBytes.pcap()
        let payloads = (0..<1000).map { index in
            Self.head + [UInt8](repeating: UInt8(index & 255), count: 40 + index * 131 % 9000)
        }
        for payload in payloads { file.record(payload) }
        file.record([1, 2, 3])
        file.record(Self.head, captured: 14, length: 60)
        let wire = Wire()
        let sender = sender(wire, .unlimited)
        let capture = MergedCapture(try CaptureReader(file.bytes))
        var told = 0
        #expect(sender.send(capture, isStopped: { false }, progress: { _ in told += 1 }))
        #expect(wire.sent.map(\.bytes) == payloads)
        #expect(wire.mostTogether == 128 && told == 7)
        let report = sender.report
        #expect(report.frames == 1000 && report.leftOut == 2 && report.lost == 0)
        #expect(report.bytes == UInt64(payloads.reduce(0) { $0 + $1.count }))
        #expect(report.firstRefusal == .short(captured: 3, header: 14))
        #expect(report.rate > 0)
    }

    @Test func `Packets wait for their time, and frames for no packet`() throws {
        var file = FileBytes.pcap()
        let times: [UInt32] = [0, 0, 10, 10, 10, 40, 41, 41]
        let payloads = times.indices.map {
            Self.head + [UInt8](repeating: UInt8($0), count: 50 + 70 * $0)
        }
        for (time, payload) in zip(times, payloads) { file.record(payload, fraction: time) }
        let wire = Wire()
        let sender = sender(wire, .times(0.5))
        #expect(sender.send(MergedCapture(try CaptureReader(file.bytes)), isStopped: { false }))
        let first = try #require(wire.sent.first).now
        let waits = wire.sent.map { Int64($0.now - first) / 1000 }
        #expect(wire.sent.map(\.bytes) == payloads, "no frame is written over before it is sent")
        for (wait, time) in zip(waits, times) {
            let due = Int64(time) * 2
            #expect((due - 2...due + 12).contains(wait), "\(waits)")
        }
        #expect(sender.report.mostLate <= 12_000)
    }

    @Test func `What the wire refuses is counted as lost`() throws {
        var file = FileBytes.pcap()
        for _ in 0..<50 { file.record(Self.head) }
        let wire = Wire()
        wire.refuses = true
        let sender = sender(wire, .unlimited)
        sender.send(MergedCapture(try CaptureReader(file.bytes)), isStopped: { false })
        #expect(sender.report.frames == 50 && sender.report.lost == 10 && wire.sent.count == 40)
    }

    @Test(arguments: [PacketPacer.Speed.times(1), .unlimited])
    func `It stops when it is told to`(speed: PacketPacer.Speed) throws {
        var file = FileBytes.pcap()
        for second: UInt32 in 0..<400 { file.record(Self.head, seconds: second * 1_000_000) }
        let wire = Wire()
        let sender = sender(wire, speed)
        var asked = 0
        let capture = MergedCapture(try CaptureReader(file.bytes))
        let isDone = sender.send(
            capture,
            isStopped: {
                asked += 1
                return asked > 2
            })
        #expect(!isDone)
        #expect(wire.sent.count < 400 && wire.sent.count >= 1)
        #expect(sender.report.frames == UInt64(wire.sent.count))
    }
}
