import Instruments
import Testing

@Suite struct PcapReadingTests {
    static let second: Int64 = 1_700_000_000_000_000_000

    @Test(arguments: [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1)] as [(UInt32, Int64)], [false, true])
    func `Microseconds and nanoseconds are read in both byte orders`(
        _ kind: (magic: UInt32, unit: Int64), isBig: Bool
    ) throws {
        var file = FileBytes.pcap(magic: kind.magic, isBig: isBig, link: 101, snap: 96)
        file.record([1, 2, 3], fraction: 7)
        file.record([4, 5], fraction: 8, captured: 2, length: 1500)
        let reader = try CaptureReader(file.bytes)
        #expect(reader.format == .pcap)
        #expect(
            reader.interfaces == [CaptureInterface(name: "", linkType: 101, snapshotLength: 96)])
        #expect(
            reader.rest() == [
                ReadPacket(1, [1, 2, 3], Self.second + 7 * kind.unit),
                ReadPacket(2, [4, 5], Self.second + 8 * kind.unit, length: 1500),
            ])
        #expect(reader.found == [.snapped: 1])
        #expect(!reader.remarks.hasLosses)
        #expect(reader.bytesRead == UInt64(file.bytes.count))
    }

    @Test(arguments: [1, 7, 24, 4096])
    func `It does not matter how many bytes come at once`(piece: Int) throws {
        var file = FileBytes.pcap()
        let sizes = (0..<60).map { 1 + $0 * 37 % 1500 }
        for size in sizes { file.record([UInt8](repeating: UInt8(size & 255), count: size)) }
        let reader = try CaptureReader(file.bytes, piece: piece, isPipe: true)
        #expect(reader.rest().map(\.bytes.count) == sizes)
        #expect(reader.remarks.isEmpty)
    }

    @Test func `Lengths of versions before 2.3 stand the other way round`() throws {
        var file = FileBytes.pcap(minor: 2)
        file.record([9], captured: 40, length: 1)
        var other = FileBytes.pcap(minor: 3)
        other.record([8], captured: 40, length: 1)
        for bytes in [file.bytes, other.bytes] {
            let packets = try CaptureReader(bytes).rest()
            #expect(packets.map(\.length) == [40] && packets.map(\.bytes.count) == [1])
        }
    }

    @Test func `The patched format of the nineties tells directions`() throws {
        var file = FileBytes.pcap(magic: 0xa1b2_cd34)
        for kind: UInt8 in [0, 4] {
            file.record([0, 0, 0, 2, 8, 0, kind, 0], captured: 2)
            file.bytes += [1, 2]
        }
        let reader = try CaptureReader(file.bytes)
        #expect(reader.rest().map(\.direction) == [.inbound, .outbound])
        #expect(reader.remarks.isEmpty, "\(reader.remarks.lines)")
    }

    @Test func `Frame check sequences are the header's to tell`() throws {
        let reader = try CaptureReader(FileBytes.pcap(link: 0x2400_0001).bytes)
        #expect(reader.interfaces[0].checkBytes == 4 && reader.interfaces[0].linkType == 1)
    }

    @Test func `A file that ends early gives what is whole`() throws {
        var file = FileBytes.pcap()
        file.record([1, 2, 3, 4])
        let whole = file.bytes.count
        file.record([5, 6, 7, 8])
        for count in whole + 1..<file.bytes.count {
            let reader = try CaptureReader(Array(file.bytes[..<count]))
            #expect(reader.rest().map(\.number) == [1], "cut after \(count) bytes")
            #expect(reader.found == [.cut: 1], "cut after \(count) bytes")
            #expect(reader.remarks.kept.first?.packet == 2)
            #expect(reader.remarks.hasLosses)
            #expect(reader.next() == nil)
        }
    }

    @Test func `Behind an absurd length the next packets are found`() throws {
        var file = FileBytes.pcap()
        file.record([1, 1], fraction: 1)
        let bad = file.bytes.count
        file.record([2, 2, 2, 2], fraction: 2, captured: 0xffff_fff0)
        file.record([3, 3], fraction: 3)
        file.record([4, 4], fraction: 4)
        let reader = try CaptureReader(file.bytes)
        #expect(
            reader.rest().map { [$0.number, UInt64($0.bytes[0])] } == [[1, 1], [3, 3], [4, 4]])
        #expect(reader.found == [.absurdLength: 1, .passedOver: 1])
        #expect(
            reader.remarks.lines.first
                == "packet 2 (byte \(bad)): its record says that 4294967280 bytes of 4294967280 follow"
        )
    }

    @Test func `Where nothing more makes sense the reading ends`() throws {
        var file = FileBytes.pcap()
        file.record([1, 1])
        file.record([UInt8](repeating: 0, count: 500_000), captured: 0xffff_fff0)
        let reader = try CaptureReader(file.bytes)
        #expect(reader.rest().map(\.number) == [1])
        #expect(reader.found == [.absurdLength: 1, .passedOver: 1])
        #expect(reader.bytesRead == UInt64(file.bytes.count))
    }

    @Test(arguments: [false, true])
    func `A packet of more than 256 KiB is named and left out`(isPipe: Bool) throws {
        var file = FileBytes.pcap()
        let most = CaptureReader.mostBytes
        file.record([UInt8](repeating: 1, count: most))
        file.record([UInt8](repeating: 2, count: most + 1))
        file.record([UInt8](repeating: 3, count: 2_000_000))
        file.record([4])
        let reader = try CaptureReader(file.bytes, isPipe: isPipe)
        #expect(
            reader.rest().map { [$0.number, UInt64($0.bytes.count)] } == [[1, 262_144], [4, 1]])
        #expect(reader.found == [.tooLong: 2])
    }

    @Test func `Packets without bytes are left out and counted as packets`() throws {
        var file = FileBytes.pcap()
        file.record([])
        file.record([], captured: 0, length: 60)
        file.record([1])
        let reader = try CaptureReader(file.bytes)
        #expect(reader.rest().map(\.number) == [3])
        #expect(reader.found == [.empty: 2])
    }

    @Test func `Times that go backwards or are none are named and kept`() throws {
        var file = FileBytes.pcap()
        file.record([1], seconds: 100, fraction: 5)
        file.record([2], seconds: 99, fraction: 0)
        file.record([3], seconds: 99, fraction: 1_000_000)
        file.record([4], seconds: 0xffff_ffff, fraction: 0)
        let reader = try CaptureReader(file.bytes)
        #expect(
            reader.rest().map(\.time) == [
                100_000_005_000, 99_000_000_000, 100_000_000_000, 4_294_967_295_000_000_000,
            ])
        #expect(reader.found == [.backwards: 1, .absurdTime: 1])
        #expect(!reader.remarks.hasLosses)
    }

    @Test func `A packet with more bytes than it had is as long as its bytes`() throws {
        var file = FileBytes.pcap()
        file.record([1, 2, 3], captured: 3, length: 2)
        let reader = try CaptureReader(file.bytes)
        #expect(reader.rest().map(\.length) == [3])
        #expect(reader.found == [.overfull: 1])
    }

    @Test func `Remarks are counted in full and kept in part`() throws {
        var file = FileBytes.pcap()
        for _ in 0..<1000 { file.record([1], captured: 1, length: 60) }
        let reader = try CaptureReader(file.bytes)
        #expect(reader.rest().count == 1000)
        #expect(reader.remarks.count(.snapped) == 1000 && reader.remarks.total == 1000)
        #expect(reader.remarks.kept.count == 8)
        #expect(reader.remarks.lines.last?.hasSuffix("(and 992 more like this)") == true)
    }
}

@Suite struct CaptureFindingTests {
    @Test(
        arguments: [
            ([], "test is empty; pcap and pcapng files can be read"),
            (
                [0x1f, 0x8b, 8, 0],
                "test is compressed by gzip; unpack it with `gunzip`; pcap and pcapng files can be read"
            ),
            (
                Array("virtual=192.0.2.1:80\n".utf8),
                "test is text; pcap and pcapng files can be read"
            ),
            (
                [1, 2, 3, 0xff, 5, 6, 7, 8, 9, 10],
                "test begins with 01 02 03 ff 05 06 07 08; pcap and pcapng files can be read"
            ),
            (
                [0xd4, 0xc3, 0xb2, 0xa1, 2, 0],
                "test ends after 6 bytes, within the header of a capture"
            ),
            (
                Array("snoop\0\0\0".utf8) + [UInt8](repeating: 0, count: 40),
                "test is a capture of Solaris snoop; `editcap` makes pcap of it;"
                    + " pcap and pcapng files can be read"
            ),
        ] as [([UInt8], String)])
    func `What is no capture is refused by its name`(_ row: (bytes: [UInt8], text: String)) {
        let error = #expect(throws: CaptureError.self) { try CaptureReader(row.bytes) }
        #expect(error?.description == row.text)
        #expect(error?.code == .notACapture)
    }

    @Test func `A pcap of another version is refused`() {
        var file = FileBytes(isBig: false)
        for word: UInt32 in [0xa1b2_c3d4, 3, 0, 0, 65535, 1] { file.u32(word) }
        let error = #expect(throws: CaptureError.self) { try CaptureReader(file.bytes) }
        #expect(error?.description == "test is a pcap file of version 3.0; 2.x can be read")
    }

    @Test(
        arguments: [
            ("/nonexistent/a.pcap", "open /nonexistent/a.pcap: No such file or directory"),
            ("/", "read /: Is a directory"),
            ("/dev/null", "/dev/null is empty; pcap and pcapng files can be read"),
        ])
    func `A path that leads to no file is refused`(_ row: (path: String, text: String)) {
        let error = #expect(throws: CaptureError.self) { try CaptureReader(path: row.path) }
        #expect(error?.description == row.text)
    }
}
