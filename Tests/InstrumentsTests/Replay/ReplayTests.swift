import Instruments
import LVS
import TestKit
import Testing

@Suite struct ReplayTests {
    /// Frames that left, as a test compares them.
    final class Outcome: ReplaySink {
        struct Sent: Hashable {
            var port: PortIndex
            var time: Int64
            var packet: UInt64?
            var bytes: [UInt8]
        }

        var sent: [Sent] = []
        var verdicts: [UInt64: Verdict] = [:]
        /// Bytes at each frame's end that were not captured.
        var missing: [UInt32] = []

        func sent(_ frame: Frame, by port: PortIndex, at time: Int64, packet: UInt64?) {
            let bytes = unsafe Array(
                UnsafeRawBufferPointer(start: frame.bytes, count: Int(frame.length)))
            missing.append(frame.slot)
            sent.append(Sent(port: port, time: time, packet: packet, bytes: bytes))
        }

        func decided(_ verdict: Verdict, packet: UInt64, at time: Int64) {
            verdicts[packet] = verdict
        }
    }

    private static let start: Int64 = 1_700_000_000_000_000_000
    private static let second: Int64 = 1_000_000_000

    /// NAT with two servers on `srv`, clients on `cli`.
    private static func rig(
        _ rules: [String] = [
            "-A -t 10.1.0.100:80 -s rr", "-a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m",
            "-a -t 10.1.0.100:80 -r 10.2.0.12:8080 -m",
        ], network lines: String? = nil
    ) throws -> (Replay, Outcome) {
        var sheet = Sheet()
        try sheet.read(
            lines ?? """
                link set dev cli address 02:00:00:00:01:01
                address add 10.1.0.1/24 dev cli
                address add 10.1.0.100/32 dev cli
                address add 10.2.0.1/24 dev srv
                neighbour add 10.2.0.11 lladdr 02:00:00:00:02:0b dev srv
                """)
        let network = try ReplayNetwork(
            sheet.network, names: ["cli", "srv"], services: [], servers: [])
        let replay = try Replay(network)
        for rule in rules {
            try RuleLine.run(rule.split(separator: " ").map(String.init), on: replay.director)
        }
        let outcome = Outcome()
        replay.sink = outcome
        return (replay, outcome)
    }

    private static func packet(
        from client: UInt32, port: UInt16, flags: UInt8 = 2, to hardware: UInt64 = 0x0200_0000_0101
    ) -> [UInt8] {
        PacketBuilder(
            from: IPAddress(v4: client), at: HardwareAddress(value: 0x0200_0000_0163),
            to: IPAddress(v4: 0x0a01_0064), at: HardwareAddress(value: hardware)
        ).tcp(from: port, to: 80, flags: flags)
    }

    private static func feed(
        _ replay: Replay, _ bytes: [UInt8], _ number: UInt64, at time: Int64, by port: PortIndex = 0
    ) throws {
        let lent = unsafe replay.place(packet: number, at: time, length: bytes.count)
        guard let place = unsafe lent else {
            Issue.record("packet \(number) has no place")
            return
        }
        unsafe bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            unsafe place.copyMemory(from: base, byteCount: bytes.count)
        }
        replay.take(length: bytes.count, by: port)
    }

    @Test
    func
        `Clients' packets leave towards servers at their own times, to given and made-up addresses`()
        throws
    {
        let (replay, outcome) = try Self.rig()
        try Self.feed(replay, Self.packet(from: 0x0a01_0002, port: 4000), 1, at: Self.start)
        try Self.feed(replay, Self.packet(from: 0x0a01_0002, port: 4001), 2, at: Self.start + 7)
        replay.finish()
        #expect(outcome.sent.map(\.packet) == [1, 2])
        #expect(outcome.sent.map(\.time) == [Self.start, Self.start + 7])
        #expect(outcome.sent.map(\.port) == [1, 1])
        #expect(
            outcome.sent.map { Array($0.bytes[0..<6]) } == [
                [2, 0, 10, 2, 0, 12], [2, 0, 0, 0, 2, 11],
            ])
        #expect(
            outcome.sent.map { Array($0.bytes[30..<34]) } == [[10, 2, 0, 12], [10, 2, 0, 11]])
        #expect(replay.madeUp.map(\.address.description) == ["10.2.0.12"])
        let summary = ReplaySummary(of: replay)
        #expect(summary.openConnections == 2)
        #expect(summary.services[0].servers.map(\.share) == [0.5, 0.5])
        #expect(summary.text.contains("2 decided, 2 sent"), "\(summary.text)")
    }

    @Test func `Connections end when the capture's time has passed, not ours`() throws {
        let (replay, _) = try Self.rig()
        try Self.feed(replay, Self.packet(from: 0x0a01_0002, port: 4000), 1, at: Self.start)
        // SYN_RECV lasts a minute.
        try Self.feed(
            replay, Self.packet(from: 0x0a01_0003, port: 4000), 2, at: Self.start + 59 * Self.second
        )
        replay.flush()
        #expect(ReplaySummary(of: replay).openConnections == 2)
        try Self.feed(
            replay, Self.packet(from: 0x0a01_0004, port: 4000), 3, at: Self.start + 62 * Self.second
        )
        replay.flush()
        #expect(ReplaySummary(of: replay).openConnections == 2)
        replay.finish(afterSeconds: 300)
        #expect(ReplaySummary(of: replay).openConnections == 0)
    }

    @Test func `Time that goes back is named and stands still, and a jump of years ends`() throws {
        let (replay, outcome) = try Self.rig()
        let times: [Int64] = [
            Self.start, Self.start - 5, Int64.max, Int64.min, 0, Self.start,
        ]
        for (index, time) in times.enumerated() {
            try Self.feed(
                replay, Self.packet(from: 0x0a01_0002, port: 4000 + UInt16(index)),
                UInt64(index + 1), at: time)
        }
        replay.finish()
        #expect(replay.counts.backwards == 4)
        #expect(replay.counts.firstBackwards == 2)
        #expect(outcome.sent.count == 6)
        #expect(ReplaySummary(of: replay).text.contains("4 packets are earlier"))
    }

    @Test func `The same packets give the same frames, whatever bursts they fall into`() throws {
        func run(gap: Int64) throws -> [[UInt8]] {
            let (replay, outcome) = try Self.rig([
                "-A -t 10.1.0.100:80 -s wlc", "-a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m -w 3",
                "-a -t 10.1.0.100:80 -r 10.2.0.12:8080 -m -w 1",
            ])
            for index in 0..<500 {
                let flags: UInt8 = index % 5 == 4 ? 0x10 : 2
                try Self.feed(
                    replay,
                    Self.packet(
                        from: 0x0a01_0002 + UInt32(index % 7), port: 4000 + UInt16(index / 3),
                        flags: flags), UInt64(index + 1), at: Self.start + Int64(index) * gap)
            }
            replay.finish()
            return outcome.sent.map(\.bytes)
        }
        let one = try run(gap: 0)
        #expect(one == (try run(gap: 0)))
        #expect(one == (try run(gap: 20_000_000)), "bursts of one packet")
        #expect(one.count == 400, "acknowledgements of nothing are the host's")
    }

    @Test func `What the director sent itself, and what is for other machines, is left out`() throws
    {
        let (replay, outcome) = try Self.rig()
        try Self.feed(
            replay, Self.packet(from: 0x0a01_0002, port: 4000, to: 0x0200_0000_0999), 1,
            at: Self.start)
        var own = Self.packet(from: 0x0a01_0002, port: 4001)
        own.replaceSubrange(6..<12, with: [2, 0, 0, 0, 1, 1])
        try Self.feed(replay, own, 2, at: Self.start)
        replay.finish()
        #expect(outcome.sent.isEmpty)
        #expect(replay.counts.foreign == 1)
        #expect(replay.counts.own == 1)
    }

    @Test func `Without a network clients are behind a gateway and servers on the link`() throws {
        let service = VirtualService(
            key: .address(.tcp, IPAddress(v4: 0x0a01_0064), port: 80), scheduler: "rr")
        let network = try ReplayNetwork(
            NetworkSheet(), names: ["in"], services: [service],
            servers: [IPAddress(v4: 0x0a02_000b), IPAddress(v4: 0x0a02_000c)])
        #expect(network.assumptions.count == 1)
        let replay = try Replay(network)
        for rule in [
            "-A -t 10.1.0.100:80 -s rr", "-a -t 10.1.0.100:80 -r 10.2.0.11:80 -g",
        ] {
            try RuleLine.run(rule.split(separator: " ").map(String.init), on: replay.director)
        }
        let outcome = Outcome()
        replay.sink = outcome
        try Self.feed(
            replay, Self.packet(from: 0xc633_6407, port: 4000, to: 0x0600_0000_0001), 1,
            at: Self.start)
        replay.finish()
        #expect(outcome.sent.map(\.port) == [0])
        #expect(outcome.sent.map { Array($0.bytes[0..<6]) } == [[2, 0, 10, 2, 0, 11]])
    }

    @Test func `A frame longer than any has no place`() throws {
        let (replay, _) = try Self.rig()
        let tooLong = unsafe replay.place(packet: 1, at: 0, length: 70_000) == nil
        let longest = unsafe replay.place(packet: 2, at: 0, length: 65_600) == nil
        #expect(tooLong && !longest)
    }

    @Test func `What was joined by the machine that captured goes on whole`() throws {
        let (replay, outcome) = try Self.rig()
        try Self.feed(replay, Self.packet(from: 0x0a01_0002, port: 4000), 1, at: Self.start)
        let long = PacketBuilder(
            from: IPAddress(v4: 0x0a01_0002), at: HardwareAddress(value: 0x0200_0000_0163),
            to: IPAddress(v4: 0x0a01_0064), at: HardwareAddress(value: 0x0200_0000_0101)
        ).tcp(from: 4000, to: 80, flags: 16, payload: [UInt8](repeating: 7, count: 9000))
        try Self.feed(replay, long, 2, at: Self.start)
        replay.finish()
        #expect(outcome.sent.map(\.bytes.count) == [54, 9054])
        #expect(replay.counts.dropped == 0)
    }

    @Test func `Bytes that were not captured are not written either`() throws {
        let (replay, outcome) = try Self.rig()
        let whole = Self.packet(from: 0x0a01_0002, port: 4000) + [UInt8](repeating: 0, count: 6)
        let lent = unsafe replay.place(packet: 1, at: Self.start, length: whole.count)
        guard let place = unsafe lent else {
            Issue.record("no place")
            return
        }
        unsafe whole.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            unsafe place.copyMemory(from: base, byteCount: whole.count)
        }
        replay.take(length: whole.count, missing: 6, by: 0)
        replay.finish()
        #expect(outcome.missing == [6])
    }
}
