import Instruments
import LVS
import Testing

@Suite struct LinkLayerTests {
    private static let own = HardwareAddress(value: 0x0200_0000_0001)
    private static let other = HardwareAddress(value: 0x0200_0000_0002)
    private static let toUs: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]
    private static let fromUs: [UInt8] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]
    private static let ip4: [UInt8] = [0x45, 1, 2, 3]
    private static let ip6: [UInt8] = [0x60, 1, 2, 3]

    /// The frame of a packet, or why there is none.
    private func frame(
        _ bytes: [UInt8], _ link: UInt32, length: UInt32? = nil, capacity: Int = 128,
        direction: CapturedPacket.Direction = .unknown, checkBytes: UInt8 = 0,
        takingTag: Bool = true
    ) -> (outcome: LinkLayer.Outcome, bytes: [UInt8]) {
        var memory = [UInt8](repeating: 0xee, count: capacity + 8)
        var interface = CaptureInterface(name: "", linkType: link, snapshotLength: 0)
        interface.checkBytes = checkBytes
        let outcome = unsafe bytes.withUnsafeBytes { bytes in
            let packet = unsafe CapturedPacket(
                number: 1, time: 0, interface: 0, bytes: bytes,
                length: length ?? UInt32(bytes.count), direction: direction)
            return unsafe memory.withUnsafeMutableBytes { memory in
                guard let base = memory.baseAddress else { preconditionFailure("memory") }
                return unsafe LinkLayer.frame(
                    of: packet, on: LinkLayer.Link(interface), into: base, capacity: capacity,
                    hardware: (Self.other, Self.own), takingTag: takingTag)
            }
        }
        #expect(memory[capacity...].allSatisfy { $0 == 0xee }, "nothing behind the memory")
        guard case .frame(let shape) = outcome else { return (outcome, []) }
        return (outcome, Array(memory[..<shape.length]))
    }

    @Test(
        arguments: [
            (12, [], ip4, [8, 0]), (101, [], ip6, [0x86, 0xdd]), (228, [], ip4, [8, 0]),
            (229, [], ip6, [0x86, 0xdd]), (0, [2, 0, 0, 0], ip4, [8, 0]),
            (0, [0, 0, 0, 2], ip4, [8, 0]), (0, [30, 0, 0, 0], ip6, [0x86, 0xdd]),
            (0, [10, 0, 0, 0], ip6, [0x86, 0xdd]), (108, [0, 0, 0, 24], ip6, [0x86, 0xdd]),
        ] as [(UInt32, [UInt8], [UInt8], [UInt8])])
    func `Packets without hardware addresses become frames to the machine`(
        _ row: (link: UInt32, head: [UInt8], packet: [UInt8], type: [UInt8])
    ) {
        let found = frame(row.head + row.packet, row.link)
        #expect(found.bytes == Self.toUs + row.type + row.packet)
        #expect(
            found.outcome
                == .frame(.init(length: 18, fullLength: 18, direction: .unknown)))
        let sent = frame(row.head + row.packet, row.link, direction: .outbound)
        #expect(sent.bytes == Self.fromUs + row.type + row.packet)
    }

    private static func cooked(
        _ kind: UInt8, type: [UInt8] = [8, 0], address: [UInt8] = [], hardware: UInt8 = 1
    ) -> [UInt8] {
        let padded = address + [UInt8](repeating: 0, count: 8 - address.count)
        return [0, kind, 0, hardware, 0, UInt8(address.count)] + padded + type
    }

    private static func cooked2(
        _ kind: UInt8, type: [UInt8] = [8, 0], address: [UInt8] = []
    ) -> [UInt8] {
        let padded = address + [UInt8](repeating: 0, count: 8 - address.count)
        return type + [0, 0, 0, 0, 0, 3, 0, 1, kind, UInt8(address.count)] + padded
    }

    @Test func `Cooked headers tell the sender and the direction`() {
        let sender: [UInt8] = [2, 9, 9, 9, 9, 9]
        let everyone = [UInt8](repeating: 0xff, count: 6)
        let rows: [(kind: UInt8, address: [UInt8], hardware: [UInt8])] = [
            (0, [], Self.toUs), (0, sender, Array(Self.toUs[..<6]) + sender),
            (1, sender, everyone + sender), (4, sender, Array(Self.fromUs[..<6]) + sender),
            (4, [], Self.fromUs),
        ]
        for row in rows {
            for (link, head) in [
                (113, Self.cooked(row.kind, address: row.address)),
                (276, Self.cooked2(row.kind, address: row.address)),
            ] as [(UInt32, [UInt8])] {
                let found = frame(head + Self.ip4, link)
                #expect(found.bytes == row.hardware + [8, 0] + Self.ip4, "\(link) \(row)")
                let direction: CapturedPacket.Direction = row.kind == 4 ? .outbound : .inbound
                #expect(
                    found.outcome
                        == .frame(.init(length: 18, fullLength: 18, direction: direction)))
            }
        }
        // What the file says besides counts more.
        let told = frame(Self.cooked(4) + Self.ip4, 113, direction: .inbound)
        #expect(told.bytes.prefix(12) == Self.toUs[...])
        let arp = frame(Self.cooked(1, type: [8, 6], address: sender) + [1], 113)
        #expect(arp.bytes == everyone + sender + [8, 6, 1])
    }

    @Test func `A VLAN tag is taken out as drivers do it or left`() {
        let tagged = Self.toUs + [0x81, 0, 0x60, 0x64, 0x88, 0xa8, 0, 7, 8, 0] + Self.ip4
        let found = frame(tagged, 1, length: 64)
        #expect(found.bytes == Self.toUs + [0x88, 0xa8, 0, 7, 8, 0] + Self.ip4)
        let shape = LinkLayer.FrameShape(
            length: 22, fullLength: 60, direction: .unknown, vlan: 0x8100_6064)
        #expect(found.outcome == .frame(shape))
        #expect(shape.isTruncated)
        #expect(frame(tagged, 1, takingTag: false).bytes == tagged)
        let short = Self.toUs + [0x81, 0, 0x60]
        #expect(frame(short, 1).bytes == short, "a tag that is not whole")
        #expect(
            frame(Self.cooked(0, type: [0x81, 0]) + [0, 5, 8, 0] + Self.ip4, 113).outcome
                == .frame(
                    .init(length: 18, fullLength: 18, direction: .inbound, vlan: 0x8100_0005)))
    }

    @Test func `A frame check sequence is left away`() {
        let bytes = Self.toUs + [8, 0] + Self.ip4 + [9, 9, 9, 9]
        #expect(frame(bytes, 1, checkBytes: 4).bytes == Array(bytes.dropLast(4)))
        // Cut before it: nothing of the packet is taken for it.
        let cut = frame(Array(bytes.dropLast(5)), 1, length: 22, checkBytes: 4)
        #expect(cut.outcome == .frame(.init(length: 17, fullLength: 18, direction: .unknown)))
    }

    @Test(
        arguments: [
            ([], 1, .short(captured: 0, header: 14)),
            (toUs + [8], 1, .short(captured: 13, header: 14)),
            ([], 101, .short(captured: 0, header: 1)), ([0x50, 0], 101, .foreign(5)),
            ([2, 0, 0], 0, .short(captured: 3, header: 4)), ([7, 0, 0, 0, 1], 0, .foreign(7)),
            ([0, 0], 113, .short(captured: 2, header: 16)),
            ([0, 0], 276, .short(captured: 2, header: 20)),
            (cooked(0, type: [0, 4]) + [1], 113, .foreign(4)),
            ([0, 4, 3, 0x38] + cooked(0)[4...], 113, .foreign(0x800)),
            (ip4, 105, .linkType(105)),
            (toUs + [UInt8](repeating: 1, count: 117), 1, .long(frame: 129, capacity: 128)),
            ([UInt8](repeating: 0x45, count: 115), 101, .long(frame: 129, capacity: 128)),
        ] as [([UInt8], UInt32, LinkLayer.Refusal)])
    func `What cannot be a frame is refused with its reason`(
        _ row: (bytes: [UInt8], link: UInt32, refusal: LinkLayer.Refusal)
    ) {
        #expect(frame(row.bytes, row.link).outcome == .refused(row.refusal))
    }

    @Test func `A refused link type is told with its name and what is accepted`() {
        #expect(
            "\(LinkLayer.Refusal.linkType(105))"
                == "link type 105 (IEEE802_11) cannot be read; accepted are 0 (NULL), 1 (EN10MB),"
                + " 12 (RAW), 101 (unknown), 108 (LOOP), 113 (LINUX_SLL), 228 (IPV4), 229 (IPV6),"
                + " 276 (LINUX_SLL2)")
    }
}
