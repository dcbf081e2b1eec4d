import Instruments
import Testing

@Suite struct PcapngReadingTests {
    @Test(arguments: [false, true])
    func `Both byte orders are read, with interfaces, directions and comments`(
        isBig: Bool
    ) throws {
        var file = FileBytes.section(isBig: isBig)
        file.interface("eth0", snap: 96, resolution: 9)
        file.interface("eth1", link: 101)
        file.packet([1, 2, 3], units: 5_000_000_007, flags: 1, comment: "to rs1")
        file.packet([4], interface: 1, units: 6_000_000, flags: 2)
        file.packet([5, 6, 7, 8], units: 7_000_000_000, length: 60)
        let reader = try CaptureReader(file.bytes)
        #expect(reader.format == .pcapng)
        #expect(
            reader.interfaces == [
                CaptureInterface(name: "eth0", linkType: 1, snapshotLength: 96),
                CaptureInterface(name: "eth1", linkType: 101, snapshotLength: 0),
            ])
        #expect(
            reader.rest() == [
                ReadPacket(
                    1, [1, 2, 3], 5_000_000_007, direction: .inbound, comment: "to rs1"),
                ReadPacket(2, [4], 6_000_000_000, interface: 1, direction: .outbound),
                ReadPacket(3, [5, 6, 7, 8], 7_000_000_000, length: 60),
            ])
        #expect(reader.found == [.snapped: 1])
        #expect(reader.bytesRead == UInt64(file.bytes.count))
    }

    @Test(
        arguments: [
            (0, 0, 3, 3_000_000_000), (3, 0, 1500, 1_500_000_000), (9, 0, 17, 17),
            (12, 0, 17_999, 17), (28, 0, UInt64.max, 1), (40, 0, UInt64.max, 0),
            (0x80 | 10, 0, 1536, 1_500_000_000), (0x80 | 32, 0, 1 << 31, 500_000_000),
            (0x80 | 127, 0, 5, 0), (6, 100, 1, 100_000_001_000),
            (9, -2, 3_000_000_000, 1_000_000_000),
            (9, -4, 3_000_000_000, -1_000_000_000),
        ] as [(UInt8, Int64, UInt64, Int64)])
    func `Times are read in the interface's unit`(
        _ row: (resolution: UInt8, offset: Int64, units: UInt64, time: Int64)
    ) throws {
        var file = FileBytes.section()
        file.interface(resolution: row.resolution, offset: row.offset == 0 ? nil : row.offset)
        file.packet([1], units: row.units)
        let reader = try CaptureReader(file.bytes)
        #expect(reader.rest().map(\.time) == [row.time])
        #expect(reader.remarks.isEmpty, "\(reader.remarks.lines)")
    }

    @Test(
        arguments: [
            (0, UInt64.max, 0), (9, .max, 0), (9, 1, .max), (9, 0, .min), (0x80, .max, .max),
        ]
            as [(UInt8, UInt64, Int64)])
    func `A time beyond all bounds is that of the packet before`(
        _ row: (resolution: UInt8, units: UInt64, offset: Int64)
    ) throws {
        var file = FileBytes.section()
        file.interface("good", resolution: 9)
        file.interface("bad", resolution: row.resolution, offset: row.offset)
        file.packet([1], units: 77)
        file.packet([2], interface: 1, units: row.units)
        let reader = try CaptureReader(file.bytes)
        #expect(reader.rest().map(\.time) == [77, 77])
        #expect(reader.found == [.absurdTime: 1])
    }

    @Test func `Every section has its own byte order and interfaces`() throws {
        var file = FileBytes.section()
        file.interface("eth0")
        file.packet([1], units: 1)
        var other = FileBytes.section(isBig: true)
        other.interface("tun0", link: 101)
        other.interface("eth0")
        other.packet([2], interface: 0, units: 2)
        other.packet([3], interface: 1, units: 3)
        let reader = try CaptureReader(file.bytes + other.bytes)
        #expect(reader.interfaces.map(\.name) == ["eth0"])
        // What has a name that is known is what had it before.
        #expect(reader.rest().map(\.interface) == [0, 1, 0])
        #expect(reader.interfaces.map(\.name) == ["eth0", "tun0"])
        #expect(reader.remarks.isEmpty, "\(reader.remarks.lines)")
    }

    @Test func `Packets of the simple and the obsolete kind are read`() throws {
        var file = FileBytes.section()
        file.interface("eth0", snap: 4)
        file.packet([1], units: 9)
        file.block(3) { body in
            body.u32(60)
            body.bytes += [2, 2, 2, 2]
        }
        file.block(2) { body in
            body.u16(0)
            body.u16(7)
            body.u32(0)
            body.u32(10)
            body.u32(3)
            body.u32(3)
            body.bytes += [3, 3, 3]
            body.pad()
            body.u16(2)
            body.u16(4)
            body.u32(2)
            body.option(0, [])
        }
        let reader = try CaptureReader(file.bytes)
        #expect(
            reader.rest() == [
                ReadPacket(1, [1], 9000), ReadPacket(2, [2, 2, 2, 2], 9000, length: 60),
                ReadPacket(3, [3, 3, 3], 10_000, direction: .outbound),
            ])
        #expect(reader.found == [.noTime: 1, .snapped: 1])
    }

    @Test func `Blocks that say nothing of packets are passed over`() throws {
        var file = FileBytes.section()
        file.interface("eth0")
        for type: UInt32 in [4, 5, 9, 10, 0xbad, 0x4000_0bad, 0x7777] {
            file.block(type) { $0.bytes += [UInt8](repeating: 1, count: 16) }
        }
        // As long as no packet may be.
        file.block(10) { $0.bytes += [UInt8](repeating: 1, count: 700_000) }
        file.packet([1], units: 1)
        let reader = try CaptureReader(file.bytes)
        #expect(reader.rest().map(\.number) == [1])
        #expect(reader.found == [.unknownBlock: 1])
    }

    @Test func `Of a hostile file everything that makes sense is read`() throws {
        var file = FileBytes.section()
        file.interface("eth0", resolution: 9)
        file.packet([1], units: 1)
        file.packet([2], interface: 1, units: 2)
        file.packet([], units: 3)
        file.packet([4, 4], units: 4, captured: 60)
        file.packet([5], units: 2)
        file.block(6) { $0.u32(0) }
        file.packet([UInt8](repeating: 7, count: 300_000), units: 7)
        file.packet([UInt8](repeating: 8, count: 600_000), units: 8)
        file.packet([9], units: 9)
        let reader = try CaptureReader(file.bytes)
        #expect(reader.rest().map(\.number) == [1, 5, 9])
        #expect(
            reader.found
                == [.noInterface: 1, .empty: 1, .absurdLength: 2, .backwards: 1, .tooLong: 2])
    }

    @Test(arguments: [0, 11, 13, 14, 40, 0x7fff_fffc, 0xffff_fffc, 0xffff_ffff] as [UInt32])
    func `Behind a block of an absurd length the next one is found`(length: UInt32) throws {
        var file = FileBytes.section()
        file.interface("eth0")
        file.packet([1], units: 1)
        file.block(6, length: length) { body in
            for word: UInt32 in [0, 0, 2, 1, 1, 2] { body.u32(word) }
        }
        file.packet([3], units: 3)
        for isPipe in [false, true] {
            let reader = try CaptureReader(file.bytes, isPipe: isPipe)
            #expect(reader.rest().map(\.number) == [1, 3], "\(reader.remarks.lines)")
            #expect(reader.remarks.count(.passedOver) == 1, "\(reader.remarks.lines)")
            #expect(reader.remarks.kept.first?.packet == 2)
        }
    }

    @Test func `A file that ends early gives what is whole`() throws {
        var file = FileBytes.section()
        file.interface("eth0")
        file.packet([1, 1, 1], units: 1)
        let whole = file.bytes.count
        file.packet([2, 2, 2], units: 2)
        for count in whole + 1..<file.bytes.count {
            let reader = try CaptureReader(Array(file.bytes[..<count]))
            #expect(reader.rest().map(\.number) == [1], "cut after \(count) bytes")
            #expect(reader.found == [.cut: 1], "cut after \(count): \(reader.remarks.lines)")
        }
    }

    @Test func `More interfaces than anybody has are refused`() throws {
        var file = FileBytes.section()
        for _ in 0..<CaptureReader.mostInterfaces + 1 { file.interface() }
        file.packet([1], interface: UInt32(CaptureReader.mostInterfaces), units: 1)
        file.packet([2], interface: 5, units: 2)
        let reader = try CaptureReader(file.bytes)
        #expect(reader.rest().map(\.interface) == [5])
        #expect(reader.interfaces.count == CaptureReader.mostInterfaces)
        #expect(reader.found == [.tooManyInterfaces: 1, .noInterface: 1])
    }

    @Test(arguments: [1, 5, 12, 333])
    func `It does not matter how many bytes come at once`(piece: Int) throws {
        var file = FileBytes.section()
        file.interface("eth0")
        let sizes = (0..<60).map { 1 + $0 * 37 % 1500 }
        for (index, size) in sizes.enumerated() {
            file.packet([UInt8](repeating: 1, count: size), units: UInt64(index))
        }
        let reader = try CaptureReader(file.bytes, piece: piece, isPipe: true)
        #expect(reader.rest().map(\.bytes.count) == sizes)
        #expect(reader.remarks.isEmpty, "\(reader.remarks.lines)")
    }

    @Test func `A section without its byte order is passed over`() throws {
        var file = FileBytes.section()
        file.interface("eth0")
        file.packet([1], units: 1)
        file.block(0x0a0d_0d0a) { $0.bytes += [UInt8](repeating: 9, count: 16) }
        file.packet([2], units: 2)
        let reader = try CaptureReader(file.bytes)
        #expect(reader.rest().map(\.number) == [1, 2])
        #expect(reader.found == [.absurdLength: 1, .passedOver: 1])
    }
}
