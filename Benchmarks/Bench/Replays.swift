internal import Instruments
internal import LVS
internal import Posix

/// Replay of a capture of a million packets from the file to the verdict, and to a capture of what is
/// sent: connections of a thousand clients to sixteen servers by NAT.
enum Replays {
    private static let packets = 1_000_000
    private static let flows = 10_000

    static func run(_ options: Options, _ report: inout Report) throws {
        let base = "/tmp/swift-lvs-bench.\(MonotonicClock.now())"
        let (input, output) = (base + ".pcap", base + ".out.pcap")
        defer { for path in [input, output] { Files.remove(path) } }
        try write(input)
        print("replay of \(packets) packets of \(flows) connections (NAT): ns a packet, [p10 p90]")
        var costs: (bare: [Double], written: [Double]) = ([], [])
        for _ in 0..<(options.quick ? 5 : 11) {
            costs.bare.append(try replay(input, to: nil))
            costs.written.append(try replay(input, to: output))
        }
        report.add(Captures.Result(name: "replay", cost: Spread(costs.bare)))
        report.add(Captures.Result(name: "replay-write", cost: Spread(costs.written)))
    }

    /// ns a packet of thread CPU time.
    private static func replay(_ input: String, to output: String?) throws -> Double {
        let start = MonotonicClock.threadTime()
        let capture = MergedCapture([
            MergedCapture.Source(name: "in", reader: try CaptureReader(path: input))
        ])
        let key = ServiceKey.address(.tcp, World.virtual, port: 80)
        let service = VirtualService(key: key, scheduler: "wrr")
        let servers = (0..<World.servers).map { World.server($0) }
        let network = try ReplayNetwork(
            NetworkSheet(), names: ["in"], services: [service], servers: servers)
        var settings = Replay.Options()
        settings.connections = 1 << 16
        let replay = try Replay(network, settings)
        try replay.director.add(service)
        for server in servers {
            try replay.director.add(
                RealServer(address: server, port: 8080, method: .masquerading), to: key)
        }
        replay.begin()
        let sink = try ReplayOutput(
            output.map { [(name: nil, path: $0)] } ?? [], ports: network.ports, sparing: [])
        if output != nil { replay.sink = sink }
        let run = ReplayRun(capture, replay, names: ["in"])
        _ = run.play()
        replay.finish()
        sink.close()
        let end = MonotonicClock.threadTime()
        precondition(
            replay.counts.sent == packets && sink.failure == nil, "all packets are sent")
        return Double(end - start) / Double(packets)
    }

    /// A SYN of each connection and acknowledgements behind it, a microsecond apart.
    private static func write(_ path: String) throws {
        let interface = CaptureInterface(name: "in", linkType: 1, snapshotLength: 0)
        let writer = try CaptureWriter(path: path, interfaces: [interface])
        var frame = [UInt8](repeating: 0, count: 84)
        try unsafe frame.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return }
            for number in 0..<packets {
                unsafe fill(base, flow: number % flows, flags: number < flows ? 2 : 16)
                try unsafe writer.write(
                    UnsafeRawBufferPointer(bytes),
                    time: 1_700_000_000_000_000_000 + Int64(number) * 1000)
            }
        }
        try writer.close()
    }

    private static func fill(_ bytes: UnsafeMutableRawPointer, flow: Int, flags: UInt8) {
        let client = World.client(flow)
        let words: [UInt32] = [
            0x0200_0000, 0x0001_0200, 0x0000_0999, 0x0800_4500, 0x0046_1234, 0x4000_4006,
            client.address >> 16, client.address << 16 | World.virtual.v4 >> 16,
            World.virtual.v4 << 16 | UInt32(client.port), 80 << 16, 0, 0x5000 | UInt32(flags),
            0xffff_5678,
        ]
        for (index, word) in words.enumerated() {
            unsafe bytes.storeBytes(
                of: word.bigEndian, toByteOffset: index * 4, as: UInt32.self)
        }
        unsafe Checksum.writeHeader(bytes + 14, count: 20)
    }
}
