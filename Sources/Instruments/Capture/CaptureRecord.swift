/// A packet as capture files write it; all numbers little-endian.
///
/// Callers have the room: a packet of `CaptureReader.mostBytes`, a comment of `mostComment`, and less
/// than 128 bytes beside. Safe because it is made where the bytes are, and written at once.
@safe
struct CaptureRecord {
    /// Longest comment, bytes of UTF-8.
    static let mostComment = 65_532
    /// Longest interface name that is read and written, bytes of UTF-8.
    static let mostName = 255
    /// More bytes than the description of an interface has.
    static let mostDescription = 512
    private static let program = "swift-lvs"

    var bytes: UnsafeRawPointer
    var count: Int
    /// Bytes that the packet had, with its VLAN tag.
    var length: Int
    /// A tag to be put in behind both addresses, as in `Frame.vlan`.
    var vlan: UInt32
    /// Nanoseconds since 1970.
    var time: Int64
    var interface: Int
    var direction: CapturedPacket.Direction

    /// Bytes of it that are written.
    @inline(__always)
    private var captured: Int { min(count + (vlan == 0 ? 0 : 4), CaptureReader.mostBytes) }

    // MARK: pcap

    /// The 24 bytes before all records; `PcapLayout` draws them.
    static func putPcapHeader(
        _ interface: CaptureInterface?, at target: UnsafeMutableRawPointer
    ) -> Int {
        unsafe put(0xa1b2_3c4d, at: target, 0)
        unsafe put(2 | 4 << 16, at: target, 4)
        unsafe put(0, at: target, 8)
        unsafe put(0, at: target, 12)
        unsafe put(UInt32(CaptureReader.mostBytes), at: target, 16)
        unsafe put(interface?.linkType ?? LinkTypes.ethernet, at: target, 20)
        return PcapLayout.headerBytes
    }

    @inline(__always)
    func putPcap(at target: UnsafeMutableRawPointer) -> Int {
        let captured = captured
        let time = max(0, time)
        let (seconds, rest) = time.quotientAndRemainder(dividingBy: 1_000_000_000)
        let isWithin = seconds <= Int64(UInt32.max)
        unsafe Self.put(UInt32(clamping: seconds), at: target, 0)
        unsafe Self.put(isWithin ? UInt32(rest) : 999_999_999, at: target, 4)
        unsafe Self.put(UInt32(captured), at: target, 8)
        unsafe Self.put(UInt32(clamping: max(length, captured)), at: target, 12)
        unsafe putBytes(captured, at: target + 16)
        return 16 + captured
    }

    // MARK: pcapng

    /// A section header that names the program.
    static func putSection(at target: UnsafeMutableRawPointer) -> Int {
        unsafe put(PcapngBlock.Kind.section.rawValue, at: target, 0)
        unsafe put(PcapngBlock.byteOrderMagic, at: target, 8)
        unsafe put(1, at: target, 12)
        // The section's length is not known.
        unsafe put(.max, at: target, 16)
        unsafe put(.max, at: target, 20)
        var size = 24
        unsafe size += putOption(4, Self.program, at: target + size)
        return unsafe end(size, at: target)
    }

    /// A description of an interface whose times are nanoseconds.
    static func putInterface(
        _ interface: CaptureInterface, at target: UnsafeMutableRawPointer
    ) -> Int {
        unsafe put(PcapngBlock.Kind.interface.rawValue, at: target, 0)
        unsafe put(interface.linkType, at: target, 8)
        unsafe put(UInt32(CaptureReader.mostBytes), at: target, 12)
        var size = 16
        if !interface.name.isEmpty {
            let name = prefix(of: interface.name, Self.mostName)
            unsafe size += putOption(2, name, at: target + size)
        }
        unsafe put(9 | 1 << 16, at: target, size)
        unsafe put(9, at: target, size + 4)
        size += 8
        return unsafe end(size, at: target)
    }

    @inline(__always)
    func putPcapng(at target: UnsafeMutableRawPointer, _ comment: String?) -> Int {
        let captured = captured
        let time = UInt64(max(0, time))
        unsafe Self.put(PcapngBlock.Kind.packet.rawValue, at: target, 0)
        unsafe Self.put(UInt32(interface), at: target, 8)
        unsafe Self.put(UInt32(time >> 32), at: target, 12)
        unsafe Self.put(UInt32(truncatingIfNeeded: time), at: target, 16)
        unsafe Self.put(UInt32(captured), at: target, 20)
        unsafe Self.put(UInt32(clamping: max(length, captured)), at: target, 24)
        let padded = (captured + 3) & ~3
        // The padding first: the packet then covers what is not padding.
        if padded > captured { unsafe Self.put(0, at: target, 28 + padded - 4) }
        unsafe putBytes(captured, at: target + 28)
        var size = 28 + padded
        if let comment {
            let kept = Self.prefix(of: comment, Self.mostComment)
            unsafe size += Self.putOption(1, kept, at: target + size)
        }
        if direction != .unknown {
            unsafe Self.put(2 | 4 << 16, at: target, size)
            unsafe Self.put(UInt32(direction.rawValue), at: target, size + 4)
            size += 8
        }
        if size > 28 + padded { return unsafe Self.end(size, at: target) }
        return unsafe Self.close(size, at: target)
    }

    /// Puts the end of the options, and closes the block.
    private static func end(_ size: Int, at target: UnsafeMutableRawPointer) -> Int {
        unsafe put(0, at: target, size)
        return unsafe close(size + 4, at: target)
    }

    /// Puts the block's length at both of its ends.
    @inline(__always)
    private static func close(_ size: Int, at target: UnsafeMutableRawPointer) -> Int {
        unsafe put(UInt32(size + 4), at: target, 4)
        unsafe put(UInt32(size + 4), at: target, size)
        return size + 4
    }

    private static func putOption(
        _ code: UInt32, _ text: String, at target: UnsafeMutableRawPointer
    ) -> Int {
        var text = text
        return text.withUTF8 { bytes in
            unsafe put(code | UInt32(bytes.count) << 16, at: target, 0)
            let padded = (bytes.count + 3) & ~3
            if padded > bytes.count { unsafe put(0, at: target, padded) }
            if let base = bytes.baseAddress {
                unsafe (target + 4).copyMemory(from: base, byteCount: bytes.count)
            }
            return 4 + padded
        }
    }

    /// As much of a text as has room, without half a character.
    private static func prefix(of text: String, _ most: Int) -> String {
        guard text.utf8.count > most else { return text }
        var end = text.utf8.index(text.utf8.startIndex, offsetBy: most)
        while end.samePosition(in: text.unicodeScalars) == nil {
            end = text.utf8.index(before: end)
        }
        return String(text[..<end])
    }

    // MARK: Bytes

    @inline(__always)
    private func putBytes(_ captured: Int, at target: UnsafeMutableRawPointer) {
        guard vlan != 0 else {
            unsafe target.copyMemory(from: bytes, byteCount: captured)
            return
        }
        unsafe target.copyMemory(from: bytes, byteCount: 12)
        unsafe target.storeBytes(of: vlan.bigEndian, toByteOffset: 12, as: UInt32.self)
        unsafe (target + 16).copyMemory(from: bytes + 12, byteCount: captured - 16)
    }

    @inline(__always)
    private static func put(_ value: UInt32, at target: UnsafeMutableRawPointer, _ offset: Int) {
        unsafe target.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
    }

    /// How much of written bytes is whole records, and how many packets these are.
    static func whole(
        _ written: UnsafeRawBufferPointer, _ format: CaptureWriter.Format, hasHeader: Bool
    ) -> (bytes: Int, packets: UInt64) {
        guard let base = written.baseAddress else { return (0, 0) }
        func word(_ offset: Int) -> Int {
            unsafe Int(
                UInt32(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        }
        let most = written.count
        var end = 0
        var packets: UInt64 = 0
        if format == .pcap, hasHeader {
            guard most >= PcapLayout.headerBytes else { return (0, 0) }
            end = PcapLayout.headerBytes
        }
        while end + 16 <= most {
            let isPcap = format == .pcap
            let next = end + (isPcap ? 16 + word(end + 8) : word(end + 4))
            guard next <= most else { break }
            if isPcap || word(end) == Int(PcapngBlock.Kind.packet.rawValue) { packets += 1 }
            end = next
        }
        return (end, packets)
    }
}
