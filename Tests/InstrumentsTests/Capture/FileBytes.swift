import Instruments
import Posix

/// Numbers of a capture file in either byte order.
struct FileBytes {
    var isBig: Bool
    var bytes: [UInt8] = []

    init(isBig: Bool = false) { self.isBig = isBig }

    mutating func u16(_ value: UInt16) { put(UInt64(value), 2) }
    mutating func u32(_ value: UInt32) { put(UInt64(value), 4) }
    mutating func u64(_ value: UInt64) { put(value, 8) }

    private mutating func put(_ value: UInt64, _ count: Int) {
        for index in 0..<count {
            let shift = UInt64(isBig ? count - 1 - index : index) * 8
            bytes.append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    // MARK: pcap

    /// A pcap header.
    static func pcap(
        magic: UInt32 = 0xa1b2_c3d4, isBig: Bool = false, minor: UInt16 = 4, link: UInt32 = 1,
        snap: UInt32 = 65535
    ) -> FileBytes {
        var file = FileBytes(isBig: isBig)
        file.u32(magic)
        file.u16(2)
        file.u16(minor)
        file.u64(0)
        file.u32(snap)
        file.u32(link)
        return file
    }

    mutating func record(
        _ packet: [UInt8], seconds: UInt32 = 1_700_000_000, fraction: UInt32 = 0,
        captured: UInt32? = nil, length: UInt32? = nil
    ) {
        u32(seconds)
        u32(fraction)
        u32(captured ?? UInt32(packet.count))
        u32(length ?? captured ?? UInt32(packet.count))
        bytes += packet
    }

    // MARK: pcapng

    /// A section header, as the beginning of a file.
    static func section(isBig: Bool = false) -> FileBytes {
        var file = FileBytes(isBig: isBig)
        file.addSection()
        return file
    }

    mutating func addSection() {
        block(0x0a0d_0d0a) { body in
            body.u32(0x1a2b_3c4d)
            body.u16(1)
            body.u16(0)
            body.u64(.max)
        }
    }

    mutating func block(_ type: UInt32, length: UInt32? = nil, _ fill: (inout FileBytes) -> Void) {
        var body = FileBytes(isBig: isBig)
        fill(&body)
        body.pad()
        u32(type)
        u32(length ?? UInt32(body.bytes.count + 12))
        bytes += body.bytes
        u32(UInt32(body.bytes.count + 12))
    }

    mutating func pad() { while bytes.count % 4 != 0 { bytes.append(0) } }

    mutating func option(_ code: UInt16, _ value: [UInt8]) {
        u16(code)
        u16(UInt16(value.count))
        bytes += value
        pad()
    }

    mutating func interface(
        _ name: String = "", link: UInt16 = 1, snap: UInt32 = 0, resolution: UInt8? = nil,
        offset: Int64? = nil
    ) {
        block(1) { body in
            body.u16(link)
            body.u16(0)
            body.u32(snap)
            if !name.isEmpty { body.option(2, Array(name.utf8)) }
            if let resolution { body.option(9, [resolution]) }
            if let offset {
                body.u16(14)
                body.u16(8)
                body.u64(UInt64(bitPattern: offset))
            }
            body.option(0, [])
        }
    }

    mutating func packet(
        _ packet: [UInt8], interface: UInt32 = 0, units: UInt64 = 1_700_000_000_000_000,
        length: UInt32? = nil, captured: UInt32? = nil, flags: UInt32? = nil, comment: String? = nil
    ) {
        block(6) { body in
            body.u32(interface)
            body.u32(UInt32(units >> 32))
            body.u32(UInt32(truncatingIfNeeded: units))
            body.u32(captured ?? UInt32(packet.count))
            body.u32(length ?? captured ?? UInt32(packet.count))
            body.bytes += packet
            body.pad()
            if let comment { body.option(1, Array(comment.utf8)) }
            if let flags {
                body.u16(2)
                body.u16(4)
                body.u32(flags)
            }
            if comment != nil || flags != nil { body.option(0, []) }
        }
    }
}

/// A packet of a test's file, which stays when the next is read.
struct ReadPacket: Equatable {
    var number: UInt64
    var bytes: [UInt8]
    var time: Int64
    var interface = 0
    var length: UInt32
    var direction = CapturedPacket.Direction.unknown
    var comment: String?

    init(
        _ number: UInt64, _ bytes: [UInt8], _ time: Int64, interface: Int = 0,
        length: UInt32? = nil, direction: CapturedPacket.Direction = .unknown,
        comment: String? = nil
    ) {
        self.number = number
        self.bytes = bytes
        self.time = time
        self.interface = interface
        self.length = length ?? UInt32(bytes.count)
        self.direction = direction
        self.comment = comment
    }

    init(_ packet: CapturedPacket, comment: String? = nil) {
        self.init(
            packet.number, unsafe Array(packet.bytes), packet.time, interface: packet.interface,
            length: packet.length, direction: packet.direction, comment: comment)
    }
}

extension CaptureReader {
    /// Reads bytes, `piece` at a time.
    convenience init(_ bytes: [UInt8], piece: Int = .max, isPipe: Bool = false) throws {
        var rest = bytes[...]
        try unsafe self.init(name: "test", totalBytes: isPipe ? nil : UInt64(bytes.count)) {
            buffer throws(SystemError) in
            let count = min(buffer.count, rest.count, piece)
            unsafe buffer.copyBytes(from: rest.prefix(count))
            rest = rest.dropFirst(count)
            return count
        }
    }

    /// All packets.
    func rest() -> [ReadPacket] {
        var packets: [ReadPacket] = []
        while let packet = next() { packets.append(ReadPacket(packet, comment: comment)) }
        return packets
    }

    /// How often which kind of remark was made.
    var found: [CaptureRemark.Kind: UInt64] {
        var found: [CaptureRemark.Kind: UInt64] = [:]
        for kind in CaptureRemark.Kind.allCases where remarks.count(kind) > 0 {
            found[kind] = remarks.count(kind)
        }
        return found
    }
}
