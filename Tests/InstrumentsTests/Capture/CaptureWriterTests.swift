import CPcap
import Foundation
import Instruments
import LVS
import Posix
import Testing

@Suite struct CaptureWriterTests {
    private static let time: Int64 = 1_700_000_000_123_456_789
    private static let interfaces = [
        CaptureInterface(name: "eth0", linkType: 1, snapshotLength: 0),
        CaptureInterface(name: "eth1", linkType: 1, snapshotLength: 0),
    ]

    /// A directory of the test's own.
    private final class Directory {
        let path: String

        init() throws {
            path = "/tmp/capture-writer-test.\(Identity.process).\(UInt32.random(in: 0 ... .max))"
            try Files.makeDirectory(path)
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private func write(_ writer: CaptureWriter) throws {
        let long = [UInt8](repeating: 7, count: CaptureReader.mostBytes)
        for (index, bytes) in [[1, 2, 3], [UInt8](repeating: 9, count: 60), long].enumerated() {
            try unsafe bytes.withUnsafeBytes { bytes in
                try unsafe writer.write(
                    bytes, length: index == 1 ? 1500 : nil, time: Self.time + Int64(index),
                    interface: index & 1, direction: index == 0 ? .inbound : .unknown,
                    comment: index == 1 ? "dropped: no route" : nil)
            }
        }
        try writer.close()
    }

    @Test(arguments: ["a.pcap", "a.pcapng", "a"])
    func `What was written is read back`(name: String) throws {
        let directory = try Directory()
        let path = directory.path + "/" + name
        let writer = try CaptureWriter(path: path, interfaces: Self.interfaces)
        try write(writer)
        let reader = try CaptureReader(path: path)
        let isLong = name.hasSuffix("ng")
        #expect(reader.format == (isLong ? .pcapng : .pcap))
        #expect(reader.interfaces.map(\.name) == (isLong ? ["eth0", "eth1"] : [""]))
        let packets = reader.rest()
        #expect(packets.map(\.bytes.count) == [3, 60, CaptureReader.mostBytes])
        #expect(packets.map(\.length) == [3, 1500, UInt32(CaptureReader.mostBytes)])
        #expect(packets.map(\.time) == [Self.time, Self.time + 1, Self.time + 2])
        #expect(packets.map(\.interface) == (isLong ? [0, 1, 0] : [0, 0, 0]))
        #expect(packets.map(\.comment) == [nil, isLong ? "dropped: no route" : nil, nil])
        #expect(packets[0].direction == (isLong ? .inbound : .unknown))
        #expect(reader.found == [.snapped: 1])
        #expect(writer.packets == 3 && writer.bytes == reader.totalBytes)
        // Only its owner reads what was on the wire.
        #expect(Files.identity(path)?.mode == 0o600)
    }

    @Test(arguments: ["a.pcap", "a.pcapng"])
    func `libpcap reads the same`(name: String) throws {
        let directory = try Directory()
        let path = directory.path + "/" + name
        try write(try CaptureWriter(path: path, interfaces: Self.interfaces))
        var error = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
        let opened = unsafe pcap_open_offline_with_tstamp_precision(
            path, UInt32(PCAP_TSTAMP_PRECISION_NANO), &error)
        guard let file = unsafe opened else {
            Issue.record("libpcap cannot open \(name)")
            return
        }
        defer { unsafe pcap_close(file) }
        #expect(unsafe pcap_datalink(file) == DLT_EN10MB)
        var header: UnsafeMutablePointer<pcap_pkthdr>?
        var bytes: UnsafePointer<UInt8>?
        var found: [[Int]] = []
        while unsafe pcap_next_ex(file, &header, &bytes) == 1 {
            let head = try #require(unsafe header?.pointee)
            found.append([
                head.ts.tv_sec, Int(head.ts.tv_usec), Int(head.caplen), Int(head.len),
                unsafe Int(bytes?.pointee ?? 0),
            ])
        }
        let most = CaptureReader.mostBytes
        #expect(
            found == [
                [1_700_000_000, 123_456_789, 3, 3, 1], [1_700_000_000, 123_456_790, 60, 1500, 9],
                [1_700_000_000, 123_456_791, most, most, 7],
            ])
    }

    @Test(arguments: [CaptureWriter.Format.pcap, .pcapng])
    func `The same packets give the same bytes`(format: CaptureWriter.Format) throws {
        #expect(try written(format) == (try written(format)))
    }

    private func written(_ format: CaptureWriter.Format) throws -> [UInt8] {
        var file: [UInt8] = []
        let writer = try unsafe CaptureWriter(
            name: "test", format: format, interfaces: Self.interfaces
        ) { bytes throws(SystemError) in
            unsafe file += bytes
            return bytes.count
        }
        try write(writer)
        return file
    }

    @Test(arguments: [CaptureWriter.Format.pcap, .pcapng])
    func `A full disk is told once and leaves whole packets`(format: CaptureWriter.Format) throws {
        let whole = try written(format)
        for room in stride(from: 0, through: whole.count - 1, by: 1 + whole.count / 211) {
            var file: [UInt8] = []
            let writer = try unsafe CaptureWriter(
                name: "test", format: format, interfaces: Self.interfaces
            ) { bytes throws(SystemError) in
                let count = min(bytes.count, room - file.count)
                guard count > 0 else { throw SystemError("write", on: "test", code: 28) }
                unsafe file += bytes.prefix(count)
                return count
            }
            let error = #expect(throws: CaptureError.self) { try write(writer) }
            #expect(error?.code == .system(28))
            #expect(error?.description == "write test: No space left on device")
            #expect(writer.failure == error)
            // Nothing more is said.
            try unsafe [UInt8](repeating: 1, count: 9).withUnsafeBytes { bytes in
                try unsafe writer.write(bytes, time: 0)
            }
            try writer.close()
            #expect(writer.bytes <= UInt64(room))
            guard writer.bytes >= 24 else { continue }
            let reader = try CaptureReader(Array(file[..<Int(writer.bytes)]))
            #expect(UInt64(reader.rest().count) == writer.packets, "room for \(room)")
            #expect(!reader.remarks.hasLosses, "room for \(room): \(reader.remarks.lines)")
        }
    }

    @Test func `A real full device is told with its reason`() throws {
        let writer = try CaptureWriter(path: "/dev/full", interfaces: Self.interfaces)
        let error = #expect(throws: CaptureError.self) { try write(writer) }
        #expect(error?.description == "write /dev/full: No space left on device")
    }

    @Test func `A VLAN tag that was taken out is put back`() throws {
        var bytes = [UInt8](0..<60)
        var file: [UInt8] = []
        let writer = try unsafe CaptureWriter(
            name: "test", format: .pcap, interfaces: [Self.interfaces[0]]
        ) { bytes throws(SystemError) in
            unsafe file += bytes
            return bytes.count
        }
        try unsafe bytes.withUnsafeMutableBytes { memory in
            guard let base = memory.baseAddress else { return }
            var frame = unsafe Frame(
                bytes: base, length: 60, capacity: 60, headroom: 0, ingress: 0)
            frame.vlan = 0x8100_0064
            try writer.write(frame, time: 5)
        }
        try writer.close()
        let packet = try #require(try CaptureReader(file).rest().first)
        #expect(packet.bytes == Array(bytes[..<12]) + [0x81, 0, 0, 0x64] + bytes[12...])
        #expect(packet.length == 64)
    }

    @Test(arguments: [(12, [0x81, 0, 0, 0x64], 64), (11, [], 60)])
    func `A tag is put back behind both addresses, where they were captured`(
        captured: Int, tag: [UInt8], length: UInt32
    ) throws {
        let bytes = [UInt8](1...11) + [UInt8](repeating: 12, count: captured - 11)
        var file: [UInt8] = []
        let writer = try unsafe CaptureWriter(
            name: "test", format: .pcapng, interfaces: [Self.interfaces[0]]
        ) { bytes throws(SystemError) in
            unsafe file += bytes
            return bytes.count
        }
        try unsafe bytes.withUnsafeBytes { bytes in
            try unsafe writer.write(bytes, length: 60, vlan: 0x8100_0064, time: 5)
        }
        try writer.close()
        let packet = try #require(try CaptureReader(file).rest().first)
        #expect(packet.bytes == bytes + tag)
        #expect(packet.length == length)
    }

    @Test func `A comment that is too long is cut between characters`() throws {
        var file: [UInt8] = []
        let writer = try unsafe CaptureWriter(
            name: "test", format: .pcapng, interfaces: [Self.interfaces[0]]
        ) { bytes throws(SystemError) in
            unsafe file += bytes
            return bytes.count
        }
        try unsafe [UInt8(1)].withUnsafeBytes { bytes in
            try unsafe writer.write(
                bytes, time: -5, comment: "x" + String(repeating: "→", count: 30_000))
        }
        try writer.close()
        let packet = try #require(try CaptureReader(file).rest().first)
        #expect(packet.comment == "x" + String(repeating: "→", count: 21_843))
        #expect(packet.time == 0)
    }

    @Test func `An interface that is described late is written where it came`() throws {
        var file: [UInt8] = []
        let writer = try unsafe CaptureWriter(
            name: "test", format: .pcapng, interfaces: [Self.interfaces[0]]
        ) { bytes throws(SystemError) in
            unsafe file += bytes
            return bytes.count
        }
        try unsafe [UInt8(1), 2].withUnsafeBytes { bytes in
            try unsafe writer.write(bytes, time: 1)
            let error = #expect(throws: CaptureError.self) {
                try unsafe writer.write(bytes, time: 2, interface: 1)
            }
            #expect(error?.description == "test: a packet of interface 1, and 1 are described")
            let late = CaptureInterface(name: "tun0", linkType: 101, snapshotLength: 0)
            #expect(try writer.add(late) == 1)
            try unsafe writer.write(bytes, time: 3, interface: 1)
        }
        try writer.close()
        let reader = try CaptureReader(file)
        #expect(reader.rest().map(\.interface) == [0, 1])
        #expect(reader.interfaces.map(\.linkType) == [1, 101])
        #expect(reader.remarks.isEmpty, "\(reader.remarks.lines)")
    }

    @Test func `To a pcap file only an interface of its link type is added`() throws {
        let writer = try unsafe CaptureWriter(
            name: "test", format: .pcap, interfaces: [Self.interfaces[0]]
        ) { bytes throws(SystemError) in bytes.count }
        #expect(try writer.add(Self.interfaces[1]) == 1)
        let error = #expect(throws: CaptureError.self) {
            try writer.add(CaptureInterface(name: "tun0", linkType: 101, snapshotLength: 0))
        }
        #expect(error?.code == .unsupported && writer.interfaces.count == 2)
    }

    @Test func `As many interfaces as can be read can be written`() throws {
        let name = String(repeating: "n", count: 300)
        let interfaces = (0..<CaptureReader.mostInterfaces).map {
            CaptureInterface(name: "\($0)" + name, linkType: 1, snapshotLength: 0)
        }
        var file: [UInt8] = []
        let writer = try unsafe CaptureWriter(
            name: "test", format: .pcapng, interfaces: interfaces
        ) { bytes throws(SystemError) in
            unsafe file += bytes
            return bytes.count
        }
        try writer.close()
        let reader = try CaptureReader(file)
        #expect(reader.interfaces.count == interfaces.count)
        #expect(reader.interfaces.last?.name.utf8.count == 255)
        #expect(reader.remarks.isEmpty)
    }

    @Test func `What cannot be written is refused and left alone`() throws {
        let directory = try Directory()
        let path = directory.path + "/read.pcap"
        try write(try CaptureWriter(path: path, interfaces: Self.interfaces))
        let reader = try CaptureReader(path: path)
        let size = try #require(reader.totalBytes)
        let identity = try #require(reader.identity)
        let mixed = [
            Self.interfaces[0], CaptureInterface(name: "tun0", linkType: 101, snapshotLength: 0),
        ]
        let wide = [CaptureInterface(name: "x", linkType: 1 << 16, snapshotLength: 0)]
        let fifo = directory.path + "/fifo"
        #expect(unsafe mkfifo(fifo, 0o600) == 0)
        let refusals: [(path: String, interfaces: [CaptureInterface], text: String)] = [
            (
                path, Self.interfaces,
                "\(path) is being read; write the capture to another file"
            ),
            (
                path, mixed,
                "\(path): a pcap file holds one link type, not 1 and 101; name it .pcapng"
            ),
            (path, [], "\(path): a capture needs an interface"),
            (path, wide, "\(path): there is no link type 65536"),
            (fifo, Self.interfaces, "create \(fifo): No such device or address"),
            ("/nonexistent/a", Self.interfaces, "create /nonexistent/a: No such file or directory"),
            ("/tmp", Self.interfaces, "create /tmp: Is a directory"),
        ]
        for refusal in refusals {
            let error = #expect(throws: CaptureError.self, "\(refusal.path)") {
                try CaptureWriter(
                    path: refusal.path, interfaces: refusal.interfaces, sparing: [identity])
            }
            #expect(error?.description == refusal.text)
        }
        #expect(try CaptureReader(path: path).totalBytes == size)
    }

    @Test func `A pipe is written and read as a file is`() throws {
        let directory = try Directory()
        let path = directory.path + "/fifo"
        #expect(unsafe mkfifo(path, 0o600) == 0)
        let thread = try Thread(name: "writer") {
            // Opening waits for nobody, so the reader is waited for.
            for _ in 0..<500 {
                if let writer = try? CaptureWriter(
                    path: path, format: .pcapng, interfaces: Self.interfaces)
                {
                    try? self.write(writer)
                    return
                }
                Program.sleep(seconds: 0.01)
            }
        }
        let reader = try CaptureReader(path: path)
        let packets = reader.rest()
        thread.join()
        #expect(packets.map(\.number) == [1, 2, 3])
        #expect(reader.totalBytes == nil && reader.format == .pcapng)
    }
}
