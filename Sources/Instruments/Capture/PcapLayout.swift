/// How a pcap file is to be read, as its header says (draft-ietf-opsawg-pcap).
///
/// ```
///  0       4       6       8         16           20          24
///  | magic | major | minor | unused  | snap length | link type | records ...
///  record:  seconds | fraction | captured | length | bytes ...      each 4 bytes
/// ```
struct PcapLayout {
    static let headerBytes = 24

    /// One record's numbers.
    struct Record {
        var seconds: UInt32
        /// In the file's unit.
        var fraction: UInt32
        var captured: UInt32
        var length: UInt32
        var direction: CapturedPacket.Direction
    }

    let order: ByteOrder
    /// 1 or 1000.
    let nanosecondsPerUnit: UInt32
    /// Bytes of a record before its packet.
    let recordBytes: Int
    /// Minor number of the version; both lengths stood the other way round before version 2.3, and in
    /// files of 2.3 either way.
    private let minor: UInt16

    /// Kinds of pcap file by the first word, read in this machine's order.
    private static func kind(_ magic: UInt32) -> (unit: UInt32, recordBytes: Int)? {
        switch magic {
        case 0xa1b2_c3d4: (1000, 16)
        case 0xa1b2_3c4d: (1, 16)
        // A patched libpcap of the nineties that adds interface, protocol and direction.
        case 0xa1b2_cd34: (1000, 24)
        default: nil
        }
    }

    static func isMagic(_ word: UInt32) -> Bool {
        kind(word) != nil || kind(word.byteSwapped) != nil
    }

    /// Reads a header of `headerBytes` bytes whose magic is one.
    init(_ bytes: UnsafeRawPointer, name: String) throws(CaptureError) {
        let magic = unsafe ByteOrder.native.u32(bytes, 0)
        order = ByteOrder(isSwapped: Self.kind(magic) == nil)
        guard let kind = Self.kind(order.isSwapped ? magic.byteSwapped : magic) else {
            throw CaptureError(.notACapture, "\(name) is no pcap file")
        }
        (nanosecondsPerUnit, recordBytes) = kind
        let major = unsafe order.u16(bytes, 4)
        minor = unsafe order.u16(bytes, 6)
        guard major == 2 else {
            throw CaptureError(
                .unsupported, "\(name) is a pcap file of version \(major).\(minor); 2.x can be read"
            )
        }
    }

    /// The only interface of a file with this header.
    func interface(_ bytes: UnsafeRawPointer) -> CaptureInterface {
        let link = unsafe order.u32(bytes, 20)
        var interface = unsafe CaptureInterface(
            name: "", linkType: link & 0xffff, snapshotLength: order.u32(bytes, 16))
        // Bit 26 says that the upper four bits count the frame check sequence in units of two bytes.
        if link & 0x0400_0000 != 0 { interface.checkBytes = UInt8(link >> 28) * 2 }
        return interface
    }

    @inline(__always)
    func record(_ bytes: UnsafeRawPointer) -> Record {
        var record = unsafe Record(
            seconds: order.u32(bytes, 0), fraction: order.u32(bytes, 4),
            captured: order.u32(bytes, 8), length: order.u32(bytes, 12), direction: .unknown)
        if minor < 3 || (minor == 3 && record.captured > record.length) {
            swap(&record.captured, &record.length)
        }
        if recordBytes > 16 {
            // The kernel's packet types: 4 is what the machine sent.
            record.direction =
                unsafe bytes.load(fromByteOffset: 22, as: UInt8.self) == 4
                ? .outbound : .inbound
        }
        return record
    }

    /// Nanoseconds since 1970.
    @inline(__always)
    func time(of record: Record) -> Int64 {
        Int64(record.seconds) * 1_000_000_000 + Int64(record.fraction) * Int64(nanosecondsPerUnit)
    }

    /// Whether the fraction is less than a second.
    @inline(__always)
    func hasTime(_ record: Record) -> Bool {
        UInt64(record.fraction) * UInt64(nanosecondsPerUnit) < 1_000_000_000
    }

    /// Bytes of a record that makes sense within a day of `time`, or of any time when that is nil.
    func plausibleSize(_ bytes: UnsafeRawPointer, near time: Int64?) -> Int? {
        let record = unsafe record(bytes)
        guard record.captured > 0, record.captured <= record.length,
            record.captured <= UInt32(CaptureReader.mostBytes), record.length <= 1 << 24,
            hasTime(record)
        else { return nil }
        if let time {
            let apart = Int64(record.seconds) - time / 1_000_000_000
            guard apart.magnitude <= 86_400 else { return nil }
        }
        return recordBytes + Int(record.captured)
    }
}
