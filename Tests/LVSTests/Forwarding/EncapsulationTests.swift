import LVS
import TestKit
import Testing

/// What the encapsulations put between the two IP headers, for unfinished checksums and super-frames
/// too, which no recording has.
@Suite struct EncapsulationTests {
    private static let remote = TunnelKind.gue(port: 6080, flags: 2)

    private static func describePartial(_ frame: inout Frame) {
        frame.checksum = .partial
        frame.checksumStart = 34
        frame.checksumOffset = 16
    }

    /// The sum over outer addresses, protocol and the UDP datagram of a frame; 0xffff is right.
    private static func outerSum(_ sent: [UInt8]) -> UInt16 {
        sent.onesSum(34..<sent.count, from: UInt32(sent.pseudoHeaderSum()))
    }

    private static func inner(_ sent: [UInt8], behind length: Int) -> [UInt8] {
        Array(sent[..<14] + sent[(34 + length)...])
    }

    @Test func `A remote checksum is left undone, and GUE says where it lies`() throws {
        let rig = try ForwardingRig(method: .tunnel, tunnel: Self.remote)
        var frame = rig.builder.tcp(from: 4000, to: 80, flags: 2, payload: [1, 2, 3])
        let partial = frame.pseudoHeaderSum()
        frame.set(50, be16: partial)
        let sent = try #require(rig.send(frame, describe: Self.describePartial).sent.first)
        #expect(sent.count == frame.count + 40)
        #expect(sent[23] == 17 && sent.hasRightHeader)
        #expect(sent.be16(36) == 6080 && Int(sent.be16(38)) == sent.count - 34)
        #expect(Self.outerSum(sent) == 0xffff)
        #expect(sent.be32(42) == 0x0204_0001, "two words of options, IPv4 inside, private flags")
        #expect(sent.be32(46) == 0x8000_0000)
        #expect(sent.be16(50) == 20 && sent.be16(52) == 36)
        let inner = Self.inner(sent, behind: 20)
        #expect(inner.be16(50) == partial)
        #expect(inner.hasRightHeader && inner[22] == 63)
    }

    @Test func `A finished checksum needs no remote one, but the datagram has a sum`() throws {
        let rig = try ForwardingRig(method: .tunnel, tunnel: Self.remote)
        let sent = try #require(
            rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2)).sent.first)
        #expect(sent.be32(42) == 0x0004_0000)
        #expect(Self.outerSum(sent) == 0xffff)
        #expect(Self.inner(sent, behind: 12).hasRightTransport)
    }

    @Test(arguments: [
        (TunnelKind.ipip, 0, 1480), (.gue(port: 9, flags: 0), 12, 1468),
        (.gue(port: 9, flags: 1), 12, 1468), (.gre(flags: 0), 4, 1476), (.gre(flags: 1), 8, 1472),
    ])
    func `Every segment of a super-frame gets headers of its own`(
        tunnel: TunnelKind, length: Int, fitting: Int
    ) throws {
        let rig = try ForwardingRig(method: .tunnel, tunnel: tunnel)
        _ = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        let payload = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let frame = rig.builder.tcp(
            from: 4000, to: 80, flags: 0x18, payload: payload, sequence: 7)
        let size = fitting - 40
        let outcome = rig.send(frame) { frame in
            Self.describePartial(&frame)
            frame.segmentKind = 1
            frame.segmentSize = UInt16(size)
        }
        #expect(outcome.sent.count == (payload.count + size - 1) / size)
        var data: [UInt8] = []
        for sent in outcome.sent {
            #expect(sent.count <= 1514 && sent.hasRightHeader)
            let inner = Self.inner(sent, behind: length)
            #expect(inner.hasRightHeader && inner.hasRightTransport)
            if sent[23] == 17, sent.be16(40) != 0 { #expect(Self.outerSum(sent) == 0xffff) }
            if sent[23] == 47, length == 8 { #expect(sent.onesSum(34..<sent.count) == 0xffff) }
            data += inner[54...]
        }
        #expect(data == payload)
    }

    @Test func `Segments of a super-frame leave their sums to the server when it takes them`()
        throws
    {
        let rig = try ForwardingRig(method: .tunnel, tunnel: Self.remote)
        _ = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        let frame = rig.builder.tcp(
            from: 4000, to: 80, flags: 0x18, payload: [UInt8](repeating: 5, count: 3000))
        let sent = rig.send(frame) { frame in
            Self.describePartial(&frame)
            frame.segmentKind = 1
            frame.segmentSize = 1400
        }.sent
        #expect(sent.count == 3)
        for segment in sent {
            #expect(Self.outerSum(segment) == 0xffff)
            #expect(segment.be32(42) == 0x0204_0001)
            let inner = Self.inner(segment, behind: 20)
            #expect(inner.be16(50) == inner.pseudoHeaderSum())
        }
    }

    @Test func `Packets of one flow have one source port, those of many spread`() throws {
        let rig = try ForwardingRig(
            method: .tunnel, transport: .udp, tunnel: .gue(port: 6080, flags: 0))
        var ports: Set<UInt16> = []
        for client in 0..<64 {
            let port = UInt16(5000 + client)
            let first = try #require(
                rig.send(rig.builder.udp(from: port, to: 80, payload: [1])).sent.first)
            let second = try #require(
                rig.send(rig.builder.udp(from: port, to: 80, payload: [2, 3])).sent.first)
            #expect(first.be16(34) == second.be16(34))
            #expect((32_768...60_999).contains(first.be16(34)))
            ports.insert(first.be16(34))
        }
        #expect(ports.count > 56, "64 flows on \(ports.count) source ports")
    }

    @Test func `An edit of the tunnel changes packets of connections that live`() throws {
        let rig = try ForwardingRig(method: .tunnel)
        #expect(rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2)).sent.first?[23] == 4)
        try rig.rig.director.edit(
            RealServer(
                address: ForwardingRig.server, port: 80, method: .tunnel, tunnel: .gre(flags: 0)),
            of: .address(.tcp, ForwardingRig.virtual, port: 80))
        #expect(rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 16)).sent.first?[23] == 47)
    }

    @Test func `GUE without a port is refused`() {
        #expect(throws: CommandRefusal.self) {
            try ForwardingRig(method: .tunnel, tunnel: .gue(port: 0, flags: 0))
        }
    }
}
