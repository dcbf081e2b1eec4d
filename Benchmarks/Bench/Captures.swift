internal import CPcap
internal import Instruments
internal import LVS
internal import Posix

/// Capture files of a million packets of 80 to 100 bytes, read and written, with libpcap's figures of
/// the same run.
enum Captures {
    struct Result {
        var name: String
        /// ns a packet of thread CPU time; most of it is the kernel's copying.
        var cost: Spread
    }

    private static let packets = 1_000_000

    static func run(_ options: Options, _ report: inout Report) throws {
        let rounds = options.quick ? 5 : 11
        let base = "/tmp/swift-lvs-bench.\(MonotonicClock.now())"
        let paths = [base + ".pcap", base + ".pcapng", base + ".libpcap"]
        defer { for path in paths { Files.remove(path) } }
        print("capture files of \(packets) packets of 80 to 100 bytes: ns a packet, [p10 p90]")
        var costs: [String: [Double]] = [:]
        func measure(_ name: String, _ body: () throws -> UInt64) throws {
            let start = MonotonicClock.threadTime()
            let count = try body()
            let end = MonotonicClock.threadTime()
            precondition(count == packets, "\(name): \(count) packets")
            costs[name, default: []].append(Double(end - start) / Double(packets))
        }
        for _ in 0..<rounds {
            for path in paths[..<2] {
                let kind = path.hasSuffix("ng") ? "pcapng" : "pcap"
                try measure("write-\(kind)") { try write(path) }
            }
            try measure("write-libpcap") { writeByLibpcap(paths[2]) }
            for path in paths[..<2] {
                let kind = path.hasSuffix("ng") ? "pcapng" : "pcap"
                try measure("read-\(kind)") { try read(path) }
            }
            try measure("read-frames") { try frames(paths[0]) }
            try measure("read-libpcap") { readByLibpcap(paths[0]) }
        }
        for name in costs.keys.sorted() {
            guard let values = costs[name], options.wants("capture-\(name.prefix { $0 != "-" })")
            else { continue }
            report.add(Result(name: "capture-\(name)", cost: Spread(values)))
        }
    }

    private static func size(_ number: Int) -> Int { 80 + number &* 7 % 21 }

    private static func write(_ path: String) throws -> UInt64 {
        let interface = CaptureInterface(name: "eth0", linkType: 1, snapshotLength: 0)
        let writer = try CaptureWriter(path: path, interfaces: [interface])
        let bytes = [UInt8](repeating: 0x55, count: 128)
        try unsafe bytes.withUnsafeBytes { bytes in
            for number in 0..<packets {
                try unsafe writer.write(
                    UnsafeRawBufferPointer(rebasing: bytes[..<size(number)]),
                    time: 1_700_000_000_000_000_000 + Int64(number) * 1000)
            }
        }
        try writer.close()
        return writer.packets
    }

    private static func read(_ path: String) throws -> UInt64 {
        let reader = try CaptureReader(path: path)
        var count: UInt64 = 0
        var sum = 0
        while let packet = reader.next() {
            count += 1
            sum &+= unsafe packet.bytes.count
        }
        precondition(sum > 0 && reader.remarks.isEmpty, "all is well")
        return count
    }

    /// The way of a replay: through a merge, and made into frames.
    private static func frames(_ path: String) throws -> UInt64 {
        let capture = MergedCapture(try CaptureReader(path: path))
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 2048, alignment: 64)
        defer { unsafe memory.deallocate() }
        var count: UInt64 = 0
        while let packet = capture.next() {
            let outcome = unsafe LinkLayer.frame(
                of: packet, on: capture.link(of: packet), into: memory, capacity: 2048,
                hardware: (HardwareAddress(value: 2), HardwareAddress(value: 1)))
            if case .frame = outcome { count += 1 }
        }
        return count
    }

    private static func writeByLibpcap(_ path: String) -> UInt64 {
        guard let format = unsafe pcap_open_dead(DLT_EN10MB, 262_144),
            let file = unsafe cpcap_create(format, path)
        else { return 0 }
        defer { unsafe pcap_close(format) }
        let bytes = [UInt8](repeating: 0x55, count: 128)
        var written: UInt64 = 0
        unsafe bytes.withUnsafeBytes { bytes in
            for number in 0..<packets {
                let size = UInt32(size(number))
                let time = 1_700_000_000_000_000_000 + UInt64(number) * 1000
                guard unsafe cpcap_write(file, time, bytes.baseAddress, size, size) == 0 else {
                    return
                }
                written += 1
            }
        }
        unsafe cpcap_close(file, .max)
        return written
    }

    private static func readByLibpcap(_ path: String) -> UInt64 {
        var error = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
        let file = unsafe pcap_open_offline_with_tstamp_precision(
            path, UInt32(PCAP_TSTAMP_PRECISION_NANO), &error)
        guard let file = unsafe file else { return 0 }
        defer { unsafe pcap_close(file) }
        var header: UnsafeMutablePointer<pcap_pkthdr>?
        var bytes: UnsafePointer<UInt8>?
        var count: UInt64 = 0
        while unsafe pcap_next_ex(file, &header, &bytes) == 1 { count += 1 }
        return count
    }
}
