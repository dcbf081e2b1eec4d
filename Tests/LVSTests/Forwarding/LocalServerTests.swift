import LVS
import TestKit
import Testing

/// Real servers on the director's own host, which has 10.2.0.11, 10.1.0.100 and 127.0.0.1, and whose
/// door is port 9 (ipvs-semantics 6.6).
@Suite struct LocalServerTests {
    private static let door: PortIndex = 9

    private static func rig(
        _ method: ForwardingMethod, transport: TransportProtocol = .tcp,
        server: IPAddress = ForwardingRig.server
    ) throws -> ForwardingRig {
        let rig = try ForwardingRig(method: method, transport: transport)
        let director = rig.rig.director
        let gateway = IPAddress(v4: 0x0a01_00fe)
        let local = [ForwardingRig.server, ForwardingRig.virtual, IPAddress(v4: 0x7f00_0001)]
        director.setDoor(door)
        director.setHostAddresses(Set(local))
        director.setRoutes(
            [
                Route(
                    prefix: .anyV4, prefixLength: 0, kind: .forward(port: 0, gateway: gateway),
                    preferredSource: IPAddress(v4: 0x0a01_0001))
            ] + local.map { Route(prefix: $0, prefixLength: 32, kind: .local) })
        if server != ForwardingRig.server {
            let key = ServiceKey.address(transport, ForwardingRig.virtual, port: 80)
            try director.delete(
                ForwardingRig.server, port: method == .masquerading ? 8080 : 80, of: key)
            try director.add(RealServer(address: server, port: 80, method: method), to: key)
        }
        return rig
    }

    @Test func `A NAT request to a local server is translated with its TTL and handed in`() throws {
        let rig = try Self.rig(.masquerading)
        let request = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        #expect(request.verdict == .passThroughDoor)
        let frame = try #require(rig.delivered)
        #expect(frame.be32(30) == ForwardingRig.server.v4 && frame.be16(36) == 8080)
        #expect(frame[22] == 64 && frame.hasRightHeader && frame.hasRightTransport)
    }

    @Test
    func `A local server's reply leaves with the virtual address and the TTL it was made with`()
        throws
    {
        let rig = try Self.rig(.masquerading)
        _ = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        var reply = rig.reply
        // One more, as the door's driver has it.
        reply.timeToLive = 65
        let answer = rig.send(reply.tcp(from: 8080, to: 4000, flags: 0x12), on: Self.door)
        let frame = try #require(answer.sent.first)
        #expect(answer.verdict == .send(0))
        #expect(frame.be32(26) == ForwardingRig.virtual.v4 && frame.be16(34) == 80)
        #expect(frame[22] == 64 && frame.hasRightHeader && frame.hasRightTransport)
    }

    @Test(arguments: [ForwardingMethod.directRouting, .tunnel, .localNode])
    func `Without NAT the packet for the virtual address is handed in unchanged`(
        _ method: ForwardingMethod
    ) throws {
        for server in [ForwardingRig.server, IPAddress(v4: 0x7f00_0001)] {
            let rig = try Self.rig(method, server: server)
            let bytes = rig.builder.tcp(from: 4000, to: 80, flags: 2)
            #expect(rig.send(bytes).verdict == .passThroughDoor, "\(server)")
            #expect(rig.delivered == bytes, "\(server)")
        }
    }

    @Test func `NAT to the loopback is refused for clients elsewhere`() throws {
        let rig = try Self.rig(.masquerading, server: IPAddress(v4: 0x7f00_0001))
        let request = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        #expect(request.verdict == .drop(.loopbackServer))
    }

    @Test(arguments: [TransportProtocol.tcp, .udp])
    func `What a local server sends to others goes on its way unchanged`(
        _ transport: TransportProtocol
    ) throws {
        let rig = try Self.rig(.masquerading, transport: transport)
        var reply = rig.reply
        reply.timeToLive = 65
        let bytes =
            transport == .tcp
            ? reply.tcp(from: 8080, to: 4001, flags: 0x10) : reply.udp(from: 8080, to: 4001)
        let answer = rig.send(bytes, on: Self.door)
        let frame = try #require(answer.sent.first)
        #expect(answer.verdict == .send(0))
        #expect(frame.be32(26) == ForwardingRig.server.v4 && frame.be16(34) == 8080)
        #expect(frame[22] == 64 && frame.hasRightHeader && frame.hasRightTransport)
        // The same from the wire is the host's: it is dropped there as coming from itself.
        #expect(rig.send(bytes, on: 1).verdict == .passThroughDoor)
    }

    @Test func `A local server's long datagram to others leaves in fragments`() throws {
        let rig = try Self.rig(.masquerading, transport: .udp)
        var reply = rig.reply
        reply.hasDontFragment = false
        let payload = [UInt8](repeating: 7, count: 3000)
        let answer = rig.send(reply.udp(from: 8080, to: 4001, payload: payload), on: Self.door)
        #expect(answer.verdict == .consumed)
        #expect(answer.sent.map { $0.be16(16) } == [1500, 1500, 68])
        #expect(answer.sent.allSatisfy { $0.hasRightHeader })
    }

    @Test func `Echo answers that the host has led into the door go on as well`() throws {
        let rig = try Self.rig(.masquerading)
        let echo: [UInt8] = [0, 0, 0xff, 0xfd, 0, 1, 0, 1]
        let answer = rig.send(
            rig.reply.frame(transport: 1, checksumAt: nil, echo), on: Self.door)
        #expect(answer.verdict == .send(0))
    }
}
