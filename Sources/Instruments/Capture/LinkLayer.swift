package import LVS

/// Makes Ethernet frames of captured packets, whatever link they were captured on.
///
/// The kinds are those of the tcpdump group's registry of link types.
package enum LinkLayer {
    /// What must be known of an interface to read its packets.
    package struct Link: Hashable, Sendable {
        /// LINKTYPE number.
        package var type: UInt32
        /// Bytes of frame check sequence at the end of each packet.
        package var checkBytes: UInt8

        package init(_ interface: CaptureInterface) {
            type = interface.linkType
            checkBytes = interface.checkBytes
        }
    }

    /// A frame in the caller's memory.
    package struct FrameShape: Hashable, Sendable {
        /// Bytes that are there, from the destination address on.
        package var length: Int
        /// Bytes that the frame had when it was captured, without what was taken out; more than
        /// `length` when the capture holds only its beginning.
        package var fullLength: Int
        package var direction: CapturedPacket.Direction
        /// Outermost VLAN tag that was taken out, as in `Frame.vlan`; 0 when there was none.
        package var vlan: UInt32 = 0

        package init(
            length: Int, fullLength: Int, direction: CapturedPacket.Direction, vlan: UInt32 = 0
        ) {
            self.length = length
            self.fullLength = fullLength
            self.direction = direction
            self.vlan = vlan
        }

        /// True when the end of the frame is missing.
        package var isTruncated: Bool { length < fullLength }
    }

    /// Why a packet cannot be a frame.
    package enum Refusal: Hashable, Sendable, CustomStringConvertible {
        /// Packets of this link type cannot be read.
        case linkType(UInt32)
        /// The packet ends within the header of its link.
        case short(captured: Int, header: Int)
        /// The frame would be longer than the memory for it.
        case long(frame: Int, capacity: Int)
        /// A protocol of the link that has no Ethernet number.
        case foreign(UInt32)

        package var description: String {
            switch self {
            case .linkType(let number):
                "link type \(number) (\(LinkTypes.name(number))) cannot be read;"
                    + " accepted are \(LinkTypes.accepted)"
            case .short(let captured, let header):
                "\(captured) bytes, fewer than the link's header of \(header)"
            case .long(let frame, let capacity):
                "a frame of \(frame) bytes, at most \(capacity) have room"
            case .foreign(let number): "protocol \(number) of the link is nothing on Ethernet"
            }
        }
    }

    package enum Outcome: Hashable, Sendable {
        case frame(FrameShape)
        case refused(Refusal)
    }

    private static let ethernetHeader = 14

    /// What the link's header says.
    private struct Head {
        /// Bytes of it.
        var count: Int
        var etherType: UInt16 = 0
        var direction: CapturedPacket.Direction
        /// The sender's address, where it is told.
        var source: UInt64?
        var isToEveryone = false
    }

    /// Writes a packet as an Ethernet frame to `target`, of which `capacity` bytes are the caller's.
    ///
    /// Links without hardware addresses get `hardware`: `destination` is the machine that captured,
    /// `source` who sends to it; the other way round for what it sent itself. With `takingTag` the
    /// outermost VLAN tag (0x8100, 0x88a8) is taken out as the kernel does for drivers.
    package static func frame(
        of packet: CapturedPacket, on link: Link,
        into target: UnsafeMutableRawPointer, capacity: Int,
        hardware: (source: HardwareAddress, destination: HardwareAddress), takingTag: Bool = true
    ) -> Outcome {
        if link.type == LinkTypes.ethernet {
            return unsafe ethernet(packet, link, target, capacity, takingTag)
        }
        let head: Head
        switch self.head(packet, link.type) {
        case .success(let found): head = found
        case .failure(let refusal): return .refused(refusal.reason)
        }
        let count = unsafe packet.bytes.count - head.count
        let length = ethernetHeader + count
        guard length <= capacity else { return .refused(.long(frame: length, capacity: capacity)) }
        let isOutgoing = head.direction == .outbound
        let own = hardware.destination.value
        let other = hardware.source.value
        let destination =
            head.isToEveryone ? HardwareAddress.broadcast.value : isOutgoing ? other : own
        let source = head.source ?? (isOutgoing ? own : other)
        unsafe write(destination, to: target)
        unsafe write(source, to: target + 6)
        unsafe target.storeBytes(of: head.etherType.bigEndian, toByteOffset: 12, as: UInt16.self)
        if let base = unsafe packet.bytes.baseAddress {
            unsafe (target + ethernetHeader).copyMemory(from: base + head.count, byteCount: count)
        }
        let shape = FrameShape(
            length: length, fullLength: ethernetHeader + Int(packet.length) - head.count,
            direction: head.direction)
        return .frame(takingTag ? unsafe takeTag(of: target, shape) : shape)
    }

    private static func ethernet(
        _ packet: CapturedPacket, _ link: Link,
        _ target: UnsafeMutableRawPointer, _ capacity: Int, _ takingTag: Bool
    ) -> Outcome {
        let fullLength = max(0, Int(packet.length) - Int(link.checkBytes))
        let length = unsafe min(packet.bytes.count, fullLength)
        guard length >= ethernetHeader, let base = unsafe packet.bytes.baseAddress else {
            return .refused(.short(captured: length, header: ethernetHeader))
        }
        guard length <= capacity else { return .refused(.long(frame: length, capacity: capacity)) }
        unsafe target.copyMemory(from: base, byteCount: length)
        let shape = FrameShape(
            length: length, fullLength: fullLength, direction: packet.direction)
        return .frame(takingTag ? unsafe takeTag(of: target, shape) : shape)
    }

    /// Takes the outermost tag out: both addresses move four bytes towards it, then all to the front.
    @inline(__always)
    private static func takeTag(
        of frame: UnsafeMutableRawPointer, _ shape: FrameShape
    ) -> FrameShape {
        let type = unsafe be16(UnsafeRawPointer(frame), 12)
        guard type == 0x8100 || type == 0x88a8, shape.length >= 18 else { return shape }
        var shape = shape
        shape.vlan = unsafe UInt32(type) << 16 | UInt32(be16(UnsafeRawPointer(frame), 14))
        unsafe (frame + 12).copyMemory(from: frame + 16, byteCount: shape.length - 16)
        shape.length -= 4
        shape.fullLength -= 4
        return shape
    }

    /// Lets a refusal stand in a `Result`.
    private struct Refused: Error {
        var reason: Refusal

        init(_ reason: Refusal) { self.reason = reason }
    }

    private static func head(
        _ packet: CapturedPacket, _ linkType: UInt32
    ) -> Result<Head, Refused> {
        switch linkType {
        case LinkTypes.raw, LinkTypes.rawBSD: raw(packet)
        case LinkTypes.ipv4:
            .success(Head(count: 0, etherType: 0x0800, direction: packet.direction))
        case LinkTypes.ipv6:
            .success(Head(count: 0, etherType: 0x86dd, direction: packet.direction))
        case LinkTypes.null, LinkTypes.loop: family(packet)
        case LinkTypes.cooked: cooked(packet, header: 16)
        case LinkTypes.cooked2: cooked(packet, header: 20)
        default: .failure(Refused(.linkType(linkType)))
        }
    }

    /// An IP packet without anything before it, told by its version.
    private static func raw(_ packet: CapturedPacket) -> Result<Head, Refused> {
        guard let first = unsafe packet.bytes.first else {
            return .failure(Refused(.short(captured: 0, header: 1)))
        }
        switch first >> 4 {
        case 4: return .success(Head(count: 0, etherType: 0x0800, direction: packet.direction))
        case 6: return .success(Head(count: 0, etherType: 0x86dd, direction: packet.direction))
        default: return .failure(Refused(.foreign(UInt32(first >> 4))))
        }
    }

    /// The BSD loopback: an address family in the byte order of the machine that captured (108: of the
    /// network).
    private static func family(_ packet: CapturedPacket) -> Result<Head, Refused> {
        guard let base = unsafe packet.bytes.baseAddress, unsafe packet.bytes.count >= 4 else {
            return unsafe .failure(Refused(.short(captured: packet.bytes.count, header: 4)))
        }
        var family = unsafe base.loadUnaligned(as: UInt32.self)
        if family > 0xffff { family = family.byteSwapped }
        switch family {
        case 2: return .success(Head(count: 4, etherType: 0x0800, direction: packet.direction))
        // Linux, then OpenBSD and NetBSD, FreeBSD, macOS.
        case 10, 24, 28, 30:
            return .success(Head(count: 4, etherType: 0x86dd, direction: packet.direction))
        default: return .failure(Refused(.foreign(family)))
        }
    }

    /// What `tcpdump -i any` writes.
    ///
    /// ```
    ///       0            2          4          6                14
    ///  v1   | direction  | hardware | length   | address        | protocol |
    ///       0            2          4          8          10          11       12               20
    ///  v2   | protocol   | reserved | index    | hardware | direction | length | address        |
    /// ```
    private static func cooked(
        _ packet: CapturedPacket, header: Int
    ) -> Result<Head, Refused> {
        guard let base = unsafe packet.bytes.baseAddress, unsafe packet.bytes.count >= header else {
            return unsafe .failure(Refused(.short(captured: packet.bytes.count, header: header)))
        }
        let isFirst = header == 16
        let etherType = unsafe be16(base, isFirst ? 14 : 0)
        let hardware = unsafe be16(base, isFirst ? 2 : 8)
        let kind =
            unsafe isFirst ? be16(base, 0) : UInt16(base.load(fromByteOffset: 10, as: UInt8.self))
        let addressLength =
            unsafe isFirst ? be16(base, 4) : UInt16(base.load(fromByteOffset: 11, as: UInt8.self))
        // Below 1536 it is a kind of IEEE 802.2 frame; netlink's (824) are numbers of its own.
        guard etherType >= 0x0600, hardware != 824 else {
            return .failure(Refused(.foreign(UInt32(etherType))))
        }
        var head = Head(count: header, etherType: etherType, direction: .inbound)
        // The kernel's packet types: to us, to everyone, to a group, to another host, sent by us.
        if kind == 4 { head.direction = .outbound }
        head.isToEveryone = kind == 1
        if packet.direction != .unknown { head.direction = packet.direction }
        if addressLength == 6 {
            let start = unsafe base + (isFirst ? 6 : 12)
            head.source =
                unsafe UInt64(be16(start, 0)) << 32 | UInt64(be16(start, 2)) << 16
                | UInt64(be16(start, 4))
        }
        return .success(head)
    }

    @inline(__always)
    private static func be16(_ bytes: UnsafeRawPointer, _ offset: Int) -> UInt16 {
        unsafe UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    private static func write(_ address: UInt64, to target: UnsafeMutableRawPointer) {
        unsafe target.storeBytes(
            of: UInt16(truncatingIfNeeded: address >> 32).bigEndian, as: UInt16.self)
        unsafe target.storeBytes(
            of: UInt32(truncatingIfNeeded: address).bigEndian, toByteOffset: 2, as: UInt32.self)
    }
}
