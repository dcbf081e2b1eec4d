internal import LVS

/// Somebody's question who has an IPv4 address (RFC 826), and the frames that answer it.
///
/// ```
///  Ethernet                ARP for IPv4 over Ethernet
///  0    6      12          14     20         22      28      32      38      42
///  | to | from | 0x0806    | kind | operation| sha   | spa   | tha   | tpa   |
/// ```
struct ARPRequest {
    static let bytes = 42
    private static let etherType: UInt16 = 0x0806
    /// Ethernet, IPv4, lengths 6 and 4: the first six bytes of the ARP part.
    private static let kind: UInt64 = 0x0001_0800_0604

    var asker: HardwareAddress
    /// IPv4 values, host order.
    var sender: UInt32
    var target: UInt32

    /// Nil for other frames, and for who announces the address for himself: he is no asker.
    init?(_ frame: Frame) {
        guard frame.length >= UInt32(Self.bytes) else { return nil }
        let bytes = unsafe frame.bytes
        guard
            unsafe bytes.loadUnaligned(fromByteOffset: 12, as: UInt16.self).bigEndian
                == Self.etherType
        else { return nil }
        let kind = unsafe bytes.loadUnaligned(fromByteOffset: 14, as: UInt64.self).bigEndian
        guard kind == Self.kind << 16 | 1 else { return nil }
        sender = unsafe bytes.loadUnaligned(fromByteOffset: 28, as: UInt32.self).bigEndian
        target = unsafe bytes.loadUnaligned(fromByteOffset: 38, as: UInt32.self).bigEndian
        asker = unsafe HardwareAddress(
            value: bytes.loadUnaligned(fromByteOffset: 20, as: UInt64.self).bigEndian
                & 0xffff_ffff_ffff)
        guard sender != target else { return nil }
    }

    /// The IPv4 address that an ARP frame's sender says is his, and where he is; nil for other frames
    /// and for who asks without an address.
    static func claim(in frame: Frame) -> (address: UInt32, hardware: HardwareAddress)? {
        guard frame.length >= UInt32(Self.bytes) else { return nil }
        let bytes = unsafe frame.bytes
        let (type, kind, address, hardware) = unsafe (
            bytes.loadUnaligned(fromByteOffset: 12, as: UInt16.self).bigEndian,
            bytes.loadUnaligned(fromByteOffset: 14, as: UInt64.self).bigEndian >> 16,
            bytes.loadUnaligned(fromByteOffset: 28, as: UInt32.self).bigEndian,
            bytes.loadUnaligned(fromByteOffset: 20, as: UInt64.self).bigEndian & 0xffff_ffff_ffff
        )
        guard type == Self.etherType, kind == Self.kind, address != 0 else { return nil }
        return (address, HardwareAddress(value: hardware))
    }

    /// Writes the answer: the address is at `mine`.
    func writeReply(from mine: HardwareAddress, into frame: Frame) {
        Self.write(
            operation: 2, from: mine, target, to: asker, targetHardware: asker, sender, into: frame)
    }

    /// Writes a request for one's own address, to everybody.
    static func writeAnnouncement(
        of address: UInt32, from mine: HardwareAddress, into frame: Frame
    ) {
        write(
            operation: 1, from: mine, address, to: .broadcast,
            targetHardware: HardwareAddress(value: 0), address, into: frame)
    }

    /// Writes the question whether anybody has an address that is to be one's own, which puts it into
    /// nobody's cache (RFC 5227, section 2.1.1).
    static func writeProbe(for address: UInt32, from mine: HardwareAddress, into frame: Frame) {
        write(
            operation: 1, from: mine, 0, to: .broadcast, targetHardware: HardwareAddress(value: 0),
            address, into: frame)
    }

    private static func write(
        operation: UInt16, from mine: HardwareAddress, _ address: UInt32,
        to receiver: HardwareAddress, targetHardware: HardwareAddress, _ target: UInt32,
        into frame: Frame
    ) {
        let bytes = unsafe frame.bytes
        unsafe receiver.write(to: bytes)
        unsafe mine.write(to: bytes + 6)
        unsafe bytes.storeBytes(of: etherType.bigEndian, toByteOffset: 12, as: UInt16.self)
        let head = kind << 16 | UInt64(operation)
        unsafe bytes.storeBytes(of: head.bigEndian, toByteOffset: 14, as: UInt64.self)
        unsafe mine.write(to: bytes + 22)
        unsafe bytes.storeBytes(of: address.bigEndian, toByteOffset: 28, as: UInt32.self)
        unsafe targetHardware.write(to: bytes + 32)
        unsafe bytes.storeBytes(of: target.bigEndian, toByteOffset: 38, as: UInt32.self)
    }
}

extension HardwareAddress {
    /// Writes the six bytes as they go over the wire.
    func write(to bytes: UnsafeMutableRawPointer) {
        let high = UInt32(truncatingIfNeeded: value >> 16).bigEndian
        let low = UInt16(truncatingIfNeeded: value).bigEndian
        unsafe bytes.storeBytes(of: high, as: UInt32.self)
        unsafe bytes.storeBytes(of: low, toByteOffset: 4, as: UInt16.self)
    }
}
