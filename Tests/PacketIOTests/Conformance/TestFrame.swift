import LVS
import PacketIO
import TestKit

/// A frame as a test sends it: its bytes, and what a sending kernel says of them beside.
struct TestFrame {
    /// What an IP packet carries.
    enum Flow: String, CaseIterable, Sendable {
        case tcp4, udp4, tcp6, udp6

        var isTCP: Bool { self == .tcp4 || self == .tcp6 }
        var isIPv6: Bool { self == .tcp6 || self == .udp6 }
        /// Where the transport header begins, and its checksum field behind that.
        var start: Int { isIPv6 ? 54 : 34 }
        var field: Int { isTCP ? 16 : 6 }
        /// Ethernet, network and transport headers.
        var headers: Int { start + (isTCP ? 20 : 8) }
        /// Segmentation kind as the virtio-net header numbers it.
        var segmentKind: UInt8 { isTCP ? (isIPv6 ? 4 : 1) : 5 }
    }

    static let sender: UInt64 = 0x0200_0000_00fe
    /// What the kernel calls tags: protocol and tag, as in `Frame.vlan`.
    static let tag100: UInt32 = 0x8100_0064

    var bytes: [UInt8]
    var sum: (start: UInt16, offset: UInt16)?
    var segment: (kind: UInt8, size: UInt16, headers: UInt16)?
    var vlan: UInt32 = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// What a director of all these frames serves.
    static var served: ServedTraffic {
        var served = ServedTraffic()
        for isIPv6 in [false, true] {
            for transport in [TransportProtocol.tcp, .udp] {
                served.services.insert(
                    .init(address: addresses(isIPv6).to, transport: transport, port: 0))
            }
        }
        return served
    }

    private static func addresses(_ isIPv6: Bool) -> (from: IPAddress, to: IPAddress) {
        let source = isIPv6 ? "2001:db8::1" : "10.0.0.1"
        let destination = isIPv6 ? "2001:db8::2" : "10.0.0.2"
        guard let from = IPAddress(parsing: source), let to = IPAddress(parsing: destination) else {
            preconditionFailure("addresses of the tests")
        }
        return (from, to)
    }

    /// A UDP datagram over IPv4 that carries a number.
    init(number: Int, to station: UInt64, length: Int = 60) {
        let payload =
            [UInt8(number >> 8 & 255), UInt8(number & 255)]
            + [UInt8](repeating: UInt8(number & 255), count: max(0, length - 44))
        self.init(.udp4, to: station, payload: payload)
    }

    /// A packet of a flow with right checksums, or with the sum of the transport left undone.
    init(
        _ flow: Flow, to station: UInt64, payload: [UInt8], undone: Bool = false,
        segmentSize: UInt16 = 0
    ) {
        let (from, to) = Self.addresses(flow.isIPv6)
        let builder = PacketBuilder(
            from: from, at: HardwareAddress(value: Self.sender), to: to,
            at: HardwareAddress(value: station))
        bytes =
            flow.isTCP
            ? builder.tcp(from: 4000, to: 80, flags: 0x18, payload: payload)
            : builder.udp(from: 4000, to: 53, payload: payload)
        guard undone || segmentSize > 0 else { return }
        bytes.set(flow.start + flow.field, be16: bytes.pseudoHeaderSum())
        sum = (UInt16(flow.start), UInt16(flow.field))
        guard segmentSize > 0 else { return }
        segment = (flow.segmentKind, segmentSize, UInt16(flow.headers))
    }

    /// The number a frame carries, whatever was done to it; -1 where it cannot.
    static func number(of bytes: [UInt8]) -> Int { bytes.count >= 44 ? Int(bytes.be16(42)) : -1 }

    /// Whether the checksum of the transport is complete and right.
    static func isRight(_ bytes: [UInt8]) -> Bool {
        let end = bytes.isIPv6 ? 54 + Int(bytes.be16(18)) : 14 + Int(bytes.be16(16))
        guard end <= bytes.count else { return false }
        return bytes.onesSum(
            bytes.transport().start..<end, from: UInt32(bytes.pseudoHeaderSum())) == 0xffff
    }

    func describe(_ frame: inout Frame) {
        frame.vlan = vlan
        if let sum {
            frame.checksum = .partial
            frame.checksumStart = sum.start
            frame.checksumOffset = sum.offset
        }
        if let segment {
            frame.segmentKind = segment.kind
            frame.segmentSize = segment.size
            frame.headerLength = segment.headers
        }
    }

    func held() -> HeldFrame { HeldFrame(bytes) { describe(&$0) } }
}

/// A frame that came out of a driver, with what is known of it.
struct Seen: Equatable {
    var bytes: [UInt8]
    var checksum: ChecksumState
    var checksumStart: UInt16
    var checksumOffset: UInt16
    var segmentKind: UInt8
    var segmentSize: UInt16
    /// Whether nobody said what size the segments have.
    var segmentSizeIsOpen: Bool
    var vlan: UInt32
    var headroom: Int

    init(_ frame: Frame) {
        bytes = FrameBytes.bytes(of: frame)
        checksum = frame.checksum
        checksumStart = frame.checksum == .partial ? frame.checksumStart : 0
        checksumOffset = frame.checksum == .partial ? frame.checksumOffset : 0
        segmentKind = frame.segmentKind
        segmentSize = frame.segmentSize
        segmentSizeIsOpen = frame.segmentSizeIsOpen
        vlan = frame.vlan
        headroom = Int(frame.headroom)
    }

    init(_ sent: MemoryDriver.Sent) {
        bytes = sent.bytes
        checksum = sent.checksum
        checksumStart = sent.checksum == .partial ? sent.checksumStart : 0
        checksumOffset = sent.checksum == .partial ? sent.checksumOffset : 0
        segmentKind = sent.segmentKind
        segmentSize = sent.segmentSize
        segmentSizeIsOpen = false
        vlan = sent.vlan
        headroom = 0
    }

    var number: Int { TestFrame.number(of: bytes) }
    /// All but the hardware addresses.
    var packet: [UInt8] { Array(bytes.dropFirst(12)) }
}
