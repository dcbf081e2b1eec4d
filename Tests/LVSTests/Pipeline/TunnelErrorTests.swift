import LVS
import TestKit
import Testing

/// Errors of routers between the director and a tunnel's end (ipvs-semantics 6.4).
@Suite struct TunnelErrorTests {
    private let rig: ForwardingRig

    init() throws {
        rig = try ForwardingRig(method: .tunnel)
        _ = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
    }

    /// The error a router sends about a tunnel packet, as a frame on the servers' side.
    private func error(
        _ type: UInt8, _ code: UInt8, rest: UInt32 = 0, about frame: [UInt8], cut: Int = 548
    ) -> [UInt8] {
        var message: [UInt8] = [type, code, 0, 0]
        message.append(be32: rest)
        message += frame[14...].prefix(cut)
        message.set(2, be16: ~message.onesSum(0..<message.count))
        let builder = PacketBuilder(
            from: IPAddress(v4: 0x0a02_00fe), at: HardwareAddress(value: 0x0200_0a02_00fe),
            to: IPAddress(v4: 0x0a02_0001), at: HardwareAddress(value: 0x0200_0a02_0001))
        return builder.frame(transport: 1, checksumAt: nil, message)
    }

    private func long(_ bytes: Int) -> [UInt8] {
        rig.builder.tcp(
            from: 4000, to: 80, flags: 16, payload: [UInt8](repeating: 5, count: bytes - 40))
    }

    @Test func clientIsToldAboutTheirOwnPacketByTheService() throws {
        let wrapped = try #require(rig.send(long(600)).sent.first)
        let outcome = rig.send(error(3, 1, about: wrapped), on: 1)
        let told = try #require(outcome.sent.first)
        #expect(outcome.verdict == .consumed && outcome.sent.count == 1)
        #expect(told.be32(26) == ForwardingRig.virtual.v4 && told.be32(30) == 0xc633_6401)
        #expect(told[34] == 3 && told[35] == 1)
        #expect(told.onesSum(34..<told.count) == 0xffff)
        // It quotes the client's packet, without the outer header.
        #expect(told[42] == 0x45 && told.be32(54) == 0xc633_6401)
    }

    @Test func aNarrowPathIsLearnedAndForgotten() throws {
        let wrapped = try #require(rig.send(long(1480)).sent.first)
        let told = try #require(rig.send(error(3, 4, rest: 1400, about: wrapped), on: 1).sent.first)
        // The first answer still names the length that fitted before.
        #expect(told.be16(40) == 1480)
        let refused = rig.send(long(1381))
        #expect(refused.verdict == .drop(.tooLongForRoute))
        #expect(refused.sent.first?.be16(40) == 1380)
        #expect(rig.send(long(1380)).verdict == .send(1))
        for _ in 0..<6 {
            rig.rig.advance(milliseconds: 101_000)
            _ = rig.send(long(100))
        }
        #expect(rig.send(long(1480)).verdict == .send(1))
    }

    @Test func errorsAboutOtherTunnelsAndDamagedOnesAreNotPassedOn() throws {
        let wrapped = try #require(rig.send(long(600)).sent.first)
        var damaged = error(3, 1, about: wrapped)
        damaged[60] ^= 1
        #expect(rig.send(damaged, on: 1).verdict.kind != .send)
        var other = wrapped
        other[33] = 99
        #expect(rig.send(error(3, 1, about: other), on: 1).sent.isEmpty)
        #expect(rig.send(error(3, 1, about: other), on: 1).verdict == .pass)
        // Ends before the ports of the packet inside: the host's, from which it was kept.
        #expect(rig.send(error(3, 1, about: wrapped, cut: 43), on: 1).verdict == .passThroughDoor)
        #expect(rig.send(error(3, 1, about: wrapped, cut: 44), on: 1).sent.count == 1)
    }
}
