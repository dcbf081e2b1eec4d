import Instruments
import LVS
import TestKit
import Testing

/// Packets of a director that runs, read back from the blocks that a client would store.
@Suite struct LiveCaptureTests {
    private static let rules = [
        "-A -t 10.1.0.100:80 -s rr", "-a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m",
    ]
    private static let client = IPAddress(v4: 0xc633_6407)

    private let builder = DirectorRig.client(client)
    private let reply = DirectorRig.server(IPAddress(v4: 0x0a02_000b), to: client)

    private func rig(workers: Int = 1) throws -> DirectorRig {
        let rig = DirectorRig.twoLegged(workers: workers)
        for line in Self.rules {
            try RuleLine.run(line.split(separator: " ").map(String.init), on: rig.director)
        }
        return rig
    }

    private func request(
        _ filter: String = "", packets: Int = 1000, bytes: UInt64 = 10_000_000,
        frameBytes: Int = 262_144
    ) throws -> LiveCapture.Request {
        LiveCapture.Request(
            packets: packets, bytes: bytes, frameBytes: frameBytes,
            filter: try PacketFilter([filter]))
    }

    /// Everything that a capture has to tell.
    private func blocks(_ capture: LiveCapture, _ rig: DirectorRig) -> [UInt8] {
        capture.collect(now: rig.clock.now.advanced(bySeconds: 1))
        var bytes: [UInt8] = []
        while let next = capture.next() { bytes += next }
        return bytes
    }

    @Test func `A packet is there as it came and as it left, with the reason`() throws {
        let rig = try rig()
        let capture = try LiveCapture(of: rig.director, request())
        let syn = builder.tcp(from: 4000, to: 80, flags: 2)
        let answer = reply.tcp(from: 8080, to: 4000, flags: 18)
        let sent = [rig.send(syn, on: 0), rig.send(answer, on: 1)]
        _ = rig.send(builder.tcp(from: 4001, to: 81, flags: 2), on: 0)
        let reader = try CaptureReader(blocks(capture, rig))
        #expect(reader.interfaces.map(\.name) == ["cli", "srv"])
        let packets = reader.rest()
        #expect(reader.remarks.isEmpty)
        #expect(packets.map(\.interface) == [0, 1, 1, 0, 0])
        #expect(packets.map(\.direction) == [.inbound, .outbound, .inbound, .outbound, .inbound])
        #expect(packets[0].bytes == syn && packets[2].bytes == answer)
        #expect([packets[1].bytes, packets[3].bytes] == sent.flatMap { $0.sent.map(\.bytes) })
        #expect(
            packets.map(\.comment) == [
                "sent by srv; service tcp 10.1.0.100:80; "
                    + "scheduler rr chose 10.2.0.11:8080; "
                    + "new connection to 10.2.0.11:8080 (Masq), NONE; "
                    + "state NONE -> SYN_RECV, times out after 60 seconds, was 3, "
                    + "counts as active", "packet 1 as it left",
                "sent by cli; connection table: hit from the server, "
                    + "10.2.0.11:8080 (Masq), SYN_RECV, 60 seconds left; "
                    + "state stays SYN_RECV, times out after 60 seconds",
                "packet 3 as it left",
                "left to the host, which has it already; opens no connection: "
                    + "no service has this address, port and protocol",
            ])
        #expect(capture.packets == 3 && capture.frames == 2 && capture.lost == 0)
        #expect(capture.bytes == reader.totalBytes && capture.end == nil)
    }

    @Test func `What the engine makes of a packet names the packet`() throws {
        let rig = try rig()
        let capture = try LiveCapture(of: rig.director, request("src 198.51.100.7"))
        var old = builder.tcp(from: 4000, to: 80, flags: 2)
        old[22] = 1
        old.fillHeaderChecksum()
        let outcome = rig.send(old, on: 0)
        let packets = try CaptureReader(blocks(capture, rig)).rest()
        #expect(packets.count == 2)
        #expect(packets.last?.bytes == outcome.sent.first?.bytes)
        #expect(packets.last?.comment == "frame 1 of 1 that packet 1 led to")
        #expect(packets.first?.comment?.hasPrefix("dropped, ") == true)
    }

    @Test func `Only what the filter wants is captured`() throws {
        let rig = try rig()
        let capture = try LiveCapture(of: rig.director, request("tcp src port 4001"))
        for port in UInt16(4000)...4002 {
            _ = rig.send(builder.tcp(from: port, to: 80, flags: 2), on: 0)
        }
        #expect(try CaptureReader(blocks(capture, rig)).rest().count == 2)
        #expect(capture.packets == 1)
    }

    @Test func `A capture ends with the last packet that was asked for`() throws {
        let rig = try rig()
        let capture = try LiveCapture(of: rig.director, request(packets: 2))
        for port in UInt16(4000)...4005 {
            _ = rig.send(builder.tcp(from: port, to: 80, flags: 2), on: 0)
        }
        #expect(try CaptureReader(blocks(capture, rig)).rest().count == 4)
        #expect(capture.end == .packets && capture.packets == 2 && capture.lost == 0)
        #expect(rig.director.workers[0].narrator == nil)
    }

    @Test func `A capture never grows beyond the bytes that were asked for`() throws {
        let rig = try rig()
        let capture = try LiveCapture(of: rig.director, request(bytes: 10_000))
        for port in UInt16(4000)...4100 {
            _ = rig.send(builder.tcp(from: port, to: 80, flags: 2), on: 0)
        }
        let bytes = blocks(capture, rig)
        #expect(bytes.count <= 10_000 && bytes.count > 9_000)
        let reader = try CaptureReader(bytes)
        #expect(reader.rest().count == capture.packets + capture.frames)
        #expect(reader.remarks.isEmpty && capture.end == .bytes)
    }

    @Test func `What nobody takes is counted as lost and takes no memory`() throws {
        let rig = try rig()
        let capture = try LiveCapture(of: rig.director, request(packets: 1_000_000))
        let syn = builder.tcp(
            from: 4000, to: 80, flags: 2, payload: [UInt8](repeating: 7, count: 1400))
        let count = 64 * 64
        for _ in 0..<count / 64 {
            _ = rig.send([[UInt8]](repeating: syn, count: 64), on: 0)
        }
        let reader = try CaptureReader(blocks(capture, rig))
        #expect(capture.lost > 0 && capture.packets + Int(capture.lost) == count)
        // A worker's stories take four mebibytes, those of one burst beyond that at most.
        #expect(capture.bytes < 5 << 20)
        #expect(reader.rest().count == 2 * capture.packets)
        // There is room again.
        _ = rig.send(syn, on: 0)
        #expect(!blocks(capture, rig).isEmpty)
    }

    @Test func `Of long frames only the beginning is kept`() throws {
        let rig = try rig()
        let capture = try LiveCapture(of: rig.director, request(frameBytes: 64))
        let syn = builder.tcp(
            from: 4000, to: 80, flags: 2, payload: [UInt8](repeating: 7, count: 1000))
        _ = rig.send(syn, on: 0)
        let packets = try CaptureReader(blocks(capture, rig)).rest()
        #expect(packets.map(\.bytes.count) == [64, 64])
        #expect(packets.map(\.length) == [UInt32](repeating: UInt32(syn.count), count: 2))
        #expect(packets.first?.bytes == Array(syn.prefix(64)))
    }

    @Test func `Packets of several workers come in the order of their times`() throws {
        let rig = try rig(workers: 2)
        let capture = try LiveCapture(of: rig.director, request())
        for number in UInt16(0)..<6 {
            rig.advance(milliseconds: 1)
            _ = rig.send(
                builder.tcp(from: 4000 + number, to: 80, flags: 2), on: 0,
                worker: Int(number % 2))
        }
        let packets = try CaptureReader(blocks(capture, rig)).rest()
        let inbound = packets.filter { $0.direction == .inbound }
        #expect(inbound.map { $0.bytes.be16(34) } == Array(4000..<4006))
        #expect(zip(inbound, inbound.dropFirst()).allSatisfy { $1.time - $0.time == 1_000_000 })
    }

    @Test func `Young packets wait for older ones of other workers, and come at the end`() throws {
        let rig = try rig()
        let capture = try LiveCapture(of: rig.director, request())
        _ = rig.send(builder.tcp(from: 4000, to: 80, flags: 2), on: 0)
        capture.collect(now: rig.clock.now)
        let head = try #require(capture.next())
        #expect(capture.next() == nil)
        capture.stop()
        let rest = try #require(capture.next())
        #expect(try CaptureReader(head + rest).rest().count == 2)
        #expect(capture.next() == nil && capture.end == .stopped)
    }

    @Test func `A packet that waits for its next hop is there when it leaves`() throws {
        let rig = try rig()
        let server = IPAddress(v4: 0x0a02_000b)
        let neighbour = Neighbour(port: 1, address: server)
        rig.director.setNeighbour(neighbour, nil)
        let capture = try LiveCapture(of: rig.director, request())
        _ = rig.send(builder.tcp(from: 4000, to: 80, flags: 2), on: 0)
        rig.advance(milliseconds: 100)
        rig.director.setNeighbour(neighbour, HardwareAddress(value: 0x0200_0a02_000b))
        let left = rig.turn()
        #expect(left.count == 1)
        let packets = try CaptureReader(blocks(capture, rig)).rest()
        #expect(packets.count == 2 && capture.packets == 1 && capture.frames == 1)
        #expect(packets.first?.comment?.hasPrefix("kept: it waits; service") == true)
        #expect(packets.last?.bytes == left.first?.bytes)
        #expect(
            packets.last?.comment == "packet 1 as it left, once its next hop had answered")
        #expect(packets[1].time - packets[0].time == 100_000_000)
    }

    @Test func `Tags that were taken out are put back, and unfinished checksums are told`() throws {
        let rig = try rig()
        let capture = try LiveCapture(of: rig.director, request())
        let syn = builder.tcp(from: 4000, to: 80, flags: 2)
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 64)
        defer { unsafe memory.deallocate() }
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: 4096)
        unsafe (memory + 128).copyMemory(from: syn, byteCount: syn.count)
        var frame = unsafe Frame(
            bytes: memory + 128, length: syn.count, capacity: 3000, headroom: 128, ingress: 0)
        frame.vlan = 0x8100_0005
        frame.checksum = .partial
        frame.checksumStart = 34
        frame.checksumOffset = 16
        var burst = Burst()
        burst.append(frame)
        rig.director.workers[0].wake()
        rig.director.workers[0].process(&burst, now: rig.clock.now)
        rig.director.workers[0].rest()
        let packet = try #require(try CaptureReader(blocks(capture, rig)).rest().first)
        #expect(packet.bytes == syn.prefix(12) + [0x81, 0, 0, 5] + syn.dropFirst(12))
        #expect(packet.length == UInt32(syn.count + 4))
        #expect(packet.comment?.hasSuffix("; checksum left to the card") == true)
    }

    @Test func `The door to the host is described once a frame has gone through it`() throws {
        let rig = try rig()
        let door = HardwareAddress(value: 0x0200_0000_0009)
        rig.director.setPorts(
            rig.director.ports + [Port(index: 2, name: "door", hardware: door, mtu: 1500)])
        rig.director.setDoor(2)
        let capture = try LiveCapture(of: rig.director, request())
        let reader = try CaptureReader(blocks(capture, rig))
        #expect(reader.interfaces.map(\.name) == ["cli", "srv"])
        _ = rig.send(reply.tcp(from: 9, to: 4000, flags: 16), on: 2)
        let bytes = blocks(capture, rig)
        #expect(!bytes.isEmpty && capture.packets == 1)
        let whole = try CaptureReader(
            blocks(try LiveCapture(of: rig.director, request()), rig) + bytes)
        #expect(whole.rest().first?.interface == 2)
        #expect(whole.interfaces.map(\.name) == ["cli", "srv", "door"])
    }

    @Test func `A capture that is let go of leaves the workers alone`() throws {
        let rig = try rig()
        var capture: LiveCapture? = try LiveCapture(of: rig.director, request())
        _ = rig.send(builder.tcp(from: 4000, to: 80, flags: 2), on: 0)
        #expect(capture?.end == nil && rig.director.workers[0].narrator != nil)
        capture = nil
        _ = rig.send(builder.tcp(from: 4001, to: 80, flags: 2), on: 0)
        #expect(rig.director.workers[0].narrator == nil)
    }

    @Test func `A replay of the capture sends what the director has sent`() throws {
        let rig = try rig()
        let capture = try LiveCapture(of: rig.director, request())
        for frame in [
            (builder.tcp(from: 4000, to: 80, flags: 2), PortIndex(0)),
            (reply.tcp(from: 8080, to: 4000, flags: 18), 1),
            (builder.tcp(from: 4000, to: 80, flags: 16, payload: [1, 2, 3]), 0),
            (reply.tcp(from: 8080, to: 4000, flags: 16), 1),
        ] {
            rig.advance(milliseconds: 5)
            _ = rig.send(frame.0, on: frame.1)
        }
        let file = blocks(capture, rig)
        let left = try CaptureReader(file).rest().filter { $0.direction == .outbound }
        var sheet = Sheet()
        try sheet.read(
            """
            link set dev cli address 02:00:0a:01:00:01
            link set dev srv address 02:00:0a:02:00:01
            address add 10.1.0.1/24 dev cli
            address add 10.1.0.100/32 dev cli
            address add 10.2.0.1/24 dev srv
            neighbour add 10.1.0.254 lladdr 02:00:0a:01:00:fe dev cli
            route add default via 10.1.0.254
            """)
        let network = try ReplayNetwork(
            sheet.network, names: ["cli", "srv"], services: [], servers: [])
        let replay = try Replay(network)
        for rule in Self.rules {
            try RuleLine.run(rule.split(separator: " ").map(String.init), on: replay.director)
        }
        let outcome = ReplayTests.Outcome()
        replay.sink = outcome
        let run = ReplayRun(
            MergedCapture(try CaptureReader(file)), replay, names: ["cli", "srv"])
        while run.step() {}
        replay.flush()
        #expect(run.outgoing == 4 && left.count == 4)
        // Hardware addresses aside, which the replay makes up for servers.
        #expect(outcome.sent.map { $0.bytes.dropFirst(12) } == left.map { $0.bytes.dropFirst(12) })
        #expect(outcome.sent.map { Int($0.port) } == left.map(\.interface))
    }
}
