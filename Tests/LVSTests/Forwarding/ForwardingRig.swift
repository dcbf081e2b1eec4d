import LVS
import TestKit

/// A two-legged director with one service, and frames handed to its worker directly, so that tests
/// can say how a driver describes them.
@safe
final class ForwardingRig {
    static let virtual = IPAddress(v4: 0x0a01_0064)
    static let server = IPAddress(v4: 0x0a02_000b)
    static let client = IPAddress(v4: 0xc633_6401)
    private static let room = 70_000
    private static let headroom = 128

    let rig: DirectorRig
    private let memory: UnsafeMutableRawPointer
    private var burst = Burst()
    /// Segment size of the frame sent last, as the director left it.
    private(set) var segment: UInt16 = 0
    /// What a driver would be told of the frame sent last; its memory is not to be looked at.
    private(set) var last: Frame?
    /// The frame sent last as it went through the host door; nil when it did not.
    private(set) var delivered: [UInt8]?

    /// Hands frames to the worker of a director that the caller has set up.
    init(around rig: DirectorRig) {
        self.rig = rig
        unsafe memory = .allocate(
            byteCount: ForwardingRig.room + ForwardingRig.headroom, alignment: 64)
    }

    convenience init(
        method: ForwardingMethod, transport: TransportProtocol = .tcp, tunnel: TunnelKind = .ipip,
        port: UInt16 = 80
    ) throws {
        self.init(around: .twoLegged())
        let key = ServiceKey.address(transport, ForwardingRig.virtual, port: port)
        try rig.director.add(VirtualService(key: key, scheduler: "rr"))
        try rig.director.add(
            RealServer(
                address: ForwardingRig.server, port: method == .masquerading ? 8080 : port,
                method: method, tunnel: tunnel), to: key)
    }

    deinit { unsafe memory.deallocate() }

    var builder: PacketBuilder { DirectorRig.client(ForwardingRig.client) }

    /// Frames of the real server's replies.
    var reply: PacketBuilder {
        PacketBuilder(
            from: ForwardingRig.server, at: HardwareAddress(value: 0x0200_0a02_000b),
            to: ForwardingRig.client, at: HardwareAddress(value: 0x0200_0a02_0001))
    }

    /// Verdict, and every frame that left, as it lies in memory.
    func send(
        _ bytes: [UInt8], on port: PortIndex = 0, headroom: Int = ForwardingRig.headroom,
        describe: (inout Frame) -> Void = { _ in }
    ) -> (verdict: Verdict, sent: [[UInt8]]) {
        let start = unsafe memory + ForwardingRig.headroom
        for (offset, byte) in bytes.enumerated() {
            unsafe start.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
        }
        var frame = unsafe Frame(
            bytes: start, length: bytes.count, capacity: ForwardingRig.room, headroom: headroom,
            ingress: port)
        describe(&frame)
        burst.append(frame)
        rig.director.workers[0].wake()
        rig.director.workers[0].process(&burst, now: rig.clock.now)
        rig.director.workers[0].rest()
        var sent: [[UInt8]] = []
        let verdict = burst[0].verdict
        segment = burst[0].segmentSize
        last = burst[0]
        delivered = verdict.usesDoor ? ForwardingRig.bytes(burst[0]) : nil
        if verdict.kind == .send { sent.append(ForwardingRig.bytes(burst[0])) }
        for index in 0..<burst.madeCount {
            let made = burst.madeFrame(index).frame
            if made.verdict.kind == .send { sent.append(ForwardingRig.bytes(made)) }
        }
        burst.removeAll()
        return (verdict, sent)
    }

    private static func bytes(_ frame: Frame) -> [UInt8] {
        (0..<Int(frame.length)).map { unsafe frame.bytes.load(fromByteOffset: $0, as: UInt8.self) }
    }
}

extension [UInt8] {
    /// True when the IPv4 header's checksum is right.
    var hasRightHeader: Bool { onesSum(14..<14 + Int(self[14] & 15) * 4) == 0xffff }

    /// True when the transport's complete checksum is right.
    var hasRightTransport: Bool {
        let start = 14 + Int(self[14] & 15) * 4
        return onesSum(start..<14 + Int(be16(16)), from: UInt32(pseudoHeaderSum())) == 0xffff
    }
}
