internal import LVS

/// Somebody's question who has an IPv6 address (RFC 4861, section 4.3), or whether anybody has it
/// (RFC 4862, section 5.4.3: from the unspecified address).
///
/// ```
///  Ethernet        IPv6                       ICMPv6
///  0    6      14  22     38     54           54     58        62      78
///  | to | from | …… | source| to  |           | 135 0 | reserved| target | options …
/// ```
struct NeighbourSolicitation {
    /// Up to the options.
    private static let bytes = 78
    static let transport: UInt8 = 58

    /// Where the answer goes; the frame's own sender unless it says otherwise.
    var asker: HardwareAddress
    /// Unspecified for who wants to take the address himself.
    var source: IPAddress
    var target: IPAddress

    /// Nil for other frames, and for what RFC 4861, section 7.1.1 has one discard.
    init?(_ frame: Frame) {
        guard Int(frame.length) >= Self.bytes else { return nil }
        let bytes = unsafe frame.bytes
        let (ether, header) = unsafe (
            bytes.loadUnaligned(fromByteOffset: 12, as: UInt16.self).bigEndian,
            bytes.loadUnaligned(fromByteOffset: 14, as: UInt64.self).bigEndian
        )
        let length = Int(header >> 16 & 0xffff)
        // Hop limit 255: nobody has forwarded it. No extension headers: the kernel sends none.
        guard ether == 0x86dd, header >> 60 == 6,
            header & 0xffff == UInt64(Self.transport) << 8 | 255,
            length >= 24, length <= Int(frame.length) - 54,
            unsafe bytes.loadUnaligned(fromByteOffset: 54, as: UInt16.self).bigEndian == 0x8700,
            unsafe frame.checksum == .verified
                || Checksum.isTransportRight(
                    bytes + 54, length: length, network: bytes + 14, transport: Self.transport)
        else { return nil }
        source = unsafe IPAddress(wire: bytes + 22)
        target = unsafe IPAddress(wire: bytes + 62)
        let destination = unsafe IPAddress(wire: bytes + 38)
        guard !target.isMulticast else { return nil }
        var link: HardwareAddress?
        var offset = Self.bytes
        while offset < 54 + length {
            guard 54 + length - offset >= 8 else { return nil }
            let size = unsafe Int(bytes.load(fromByteOffset: offset + 1, as: UInt8.self)) * 8
            guard size > 0, size <= 54 + length - offset else { return nil }
            // Source link-layer address.
            if unsafe bytes.load(fromByteOffset: offset, as: UInt8.self) == 1, size == 8 {
                link = unsafe HardwareAddress(wire: bytes + offset + 2)
            }
            offset += size
        }
        if source == .anyV6 {
            guard destination == target.solicitedNode, link == nil else { return nil }
        }
        asker = unsafe link ?? HardwareAddress(wire: bytes + 6)
    }
}

/// The word that an IPv6 address is at a MAC address (RFC 4861, section 4.4), with the option that
/// names it.
struct NeighbourAdvertisement {
    static let bytes = 86
    private static let allNodes = IPAddress(high: 0xff02 << 48, low: 1)
    private static let allNodesHardware = HardwareAddress(value: 0x3333_0000_0001)

    private var address: IPAddress
    private var hardware: HardwareAddress
    private var receiver: IPAddress
    private var receiverHardware: HardwareAddress
    private var isSolicited: Bool

    /// The answer to a solicitation; who wants the address himself is told along with everybody.
    init(answering solicitation: NeighbourSolicitation, from mine: HardwareAddress) {
        let isClaim = solicitation.source == .anyV6
        address = solicitation.target
        hardware = mine
        receiver = isClaim ? Self.allNodes : solicitation.source
        receiverHardware = isClaim ? Self.allNodesHardware : solicitation.asker
        isSolicited = !isClaim
    }

    /// Tells everybody on a segment who has the address now.
    init(announcing address: IPAddress, from mine: HardwareAddress) {
        self.address = address
        hardware = mine
        receiver = Self.allNodes
        receiverHardware = Self.allNodesHardware
        isSolicited = false
    }

    func write(into frame: Frame) {
        let bytes = unsafe frame.bytes
        unsafe receiverHardware.write(to: bytes)
        unsafe hardware.write(to: bytes + 6)
        unsafe bytes.storeBytes(of: UInt16(0x86dd).bigEndian, toByteOffset: 12, as: UInt16.self)
        let transport = UInt64(NeighbourSolicitation.transport)
        let head: UInt64 = 6 << 60 | 32 << 16 | transport << 8 | 255
        unsafe bytes.storeBytes(of: head.bigEndian, toByteOffset: 14, as: UInt64.self)
        unsafe address.write(to: bytes + 22)
        unsafe receiver.write(to: bytes + 38)
        // Type 136; solicited or not; and this address replaces the one in the neighbour's cache.
        let message: UInt64 = 136 << 56 | (isSolicited ? 0x6000_0000 : 0x2000_0000)
        unsafe bytes.storeBytes(of: message.bigEndian, toByteOffset: 54, as: UInt64.self)
        unsafe address.write(to: bytes + 62)
        // Target link-layer address, eight bytes long.
        unsafe bytes.storeBytes(of: UInt16(0x0201).bigEndian, toByteOffset: 78, as: UInt16.self)
        unsafe hardware.write(to: bytes + 80)
        unsafe Checksum.writeTransport(
            bytes + 54, length: 32, network: bytes + 14,
            transport: NeighbourSolicitation.transport)
    }
}

extension HardwareAddress {
    /// Six bytes as they go over the wire.
    fileprivate init(wire bytes: UnsafeMutableRawPointer) {
        let (high, low) = unsafe (
            bytes.loadUnaligned(as: UInt32.self).bigEndian,
            bytes.loadUnaligned(fromByteOffset: 4, as: UInt16.self).bigEndian
        )
        self.init(value: UInt64(high) << 16 | UInt64(low))
    }
}

extension IPAddress {
    /// Sixteen bytes as they go over the wire.
    fileprivate init(wire bytes: UnsafeMutableRawPointer) {
        let (high, low) = unsafe (
            bytes.loadUnaligned(as: UInt64.self).bigEndian,
            bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self).bigEndian
        )
        self.init(wireHigh: high, low: low)
    }

    fileprivate func write(to bytes: UnsafeMutableRawPointer) {
        unsafe bytes.storeBytes(of: wireHigh.bigEndian, as: UInt64.self)
        unsafe bytes.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }

    /// The group that is asked for this IPv6 address (RFC 4291, section 2.7.1).
    var solicitedNode: IPAddress {
        IPAddress(high: 0xff02 << 48, low: 0x1_ff00_0000 | low & 0xff_ffff)
    }
}
