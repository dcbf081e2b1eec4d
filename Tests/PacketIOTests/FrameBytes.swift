import LVS
import PacketIO

/// Frames as tests write them.
enum FrameBytes {
    static func mac(_ value: UInt64) -> [UInt8] {
        (0..<6).map { UInt8(truncatingIfNeeded: value >> (40 - 8 * UInt64($0))) }
    }

    /// An IPv4 packet's worth of bytes that nobody looks into, marked with a number.
    static func plain(
        to: UInt64, from: UInt64 = 0x0200_0000_00fe, number: UInt8 = 0, length: Int = 60
    ) -> [UInt8] {
        var bytes = mac(to) + mac(from) + [8, 0, 0x45, 0]
        bytes += [UInt8](repeating: number, count: max(0, length - bytes.count))
        return bytes
    }

    /// TCP over IPv4 with the pseudo-header's sum in the checksum field, `payload` bytes of data.
    static func partialTCP(to: UInt64, from: UInt64 = 0x0200_0000_00fe, payload: Int) -> [UInt8] {
        let total = 40 + payload
        var ip: [UInt8] = [
            0x45, 0, UInt8(total >> 8 & 255), UInt8(total & 255), 0, 1, 0x40, 0, 64, 6, 0, 0,
            10, 0, 0, 1, 10, 0, 0, 2,
        ]
        let sum = fold(ip)
        ip[10] = UInt8(~sum >> 8 & 255)
        ip[11] = UInt8(~sum & 255)
        let pseudo = fold(
            Array(ip[12..<20]) + [0, 6] + [
                UInt8((20 + payload) >> 8 & 255), UInt8((20 + payload) & 255),
            ])
        let tcp: [UInt8] = [
            0x12, 0x34, 0, 80, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0x10, 0,
            UInt8(pseudo >> 8), UInt8(pseudo & 255), 0, 0,
        ]
        let data = (0..<payload).map { UInt8(truncatingIfNeeded: $0) }
        return mac(to) + mac(from) + [8, 0] + ip + tcp + data
    }

    /// A broadcast question for an IPv4 address.
    static func arpRequest(
        for target: [UInt8], from: UInt64, address: [UInt8] = [10, 0, 0, 9]
    ) -> [UInt8] {
        mac(0xffff_ffff_ffff) + mac(from) + [8, 6, 0, 1, 8, 0, 6, 4, 0, 1] + mac(from) + address
            + mac(0) + target
    }

    /// An ICMPv6 message with its checksum filled in; addresses are 16 bytes.
    static func control6(
        to: UInt64, from: UInt64, source: [UInt8], destination: [UInt8], hops: UInt8,
        _ message: [UInt8]
    ) -> [UInt8] {
        var message = message
        let length = [UInt8(message.count >> 8), UInt8(message.count & 255)]
        let sum = ~fold(source + destination + length + [0, 58] + message)
        message[2] = UInt8(sum >> 8)
        message[3] = UInt8(sum & 255)
        return mac(to) + mac(from) + [0x86, 0xdd, 0x60, 0, 0, 0] + length + [58, hops] + source
            + destination + message
    }

    /// Ones'-complement sum of big-endian 16-bit words, folded, not inverted.
    static func fold(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            let low = index + 1 < bytes.count ? UInt32(bytes[index + 1]) : 0
            sum += UInt32(bytes[index]) << 8 | low
        }
        while sum >> 16 != 0 { sum = (sum & 0xffff) + sum >> 16 }
        return UInt16(sum)
    }

    static func bytes(of frame: Frame) -> [UInt8] {
        unsafe Array(UnsafeRawBufferPointer(start: frame.bytes, count: Int(frame.length)))
    }
}

/// Memory that holds one frame with room before it, as a test hands it to a driver.
///
/// The memory goes with the object, and an optimised build lets go of an object after its last use:
/// who hands `frame` to a driver keeps the object until the flush, as `PacketDriver.send` does.
@safe
final class HeldFrame {
    var frame: Frame
    private let memory: UnsafeMutableRawPointer

    init(_ bytes: [UInt8], port: PortIndex = 0, adjust: (inout Frame) -> Void = { _ in }) {
        unsafe memory = .allocate(byteCount: bytes.count + 128, alignment: 64)
        unsafe (memory + 64).copyMemory(from: bytes, byteCount: bytes.count)
        unsafe frame = Frame(
            bytes: memory + 64, length: bytes.count, capacity: bytes.count + 64, headroom: 64,
            ingress: port)
        adjust(&frame)
    }

    deinit { unsafe memory.deallocate() }
}

extension PacketDriver {
    /// Sends frames, and keeps their memory until they are sent.
    func send(_ frames: [HeldFrame]) {
        withExtendedLifetime(frames) {
            for held in frames { enqueue(held.frame) }
            flush()
        }
    }
}
