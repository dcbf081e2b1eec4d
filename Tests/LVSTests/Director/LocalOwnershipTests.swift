import LVS
import TestKit
import Testing

/// What belongs to a director with FULLNAT beside its services: local addresses.
@Suite struct LocalOwnershipTests {
    private static let web = ServiceKey.address(.tcp, ForwardingRig.virtual, port: 80)
    private static let local = IPAddress(v4: 0x0a02_00c8)
    private static let host = IPAddress(v4: 0x0a02_0001)

    private static func rig() throws -> ForwardingRig {
        let rig = try ForwardingRig(method: .fullNAT)
        rig.rig.director.setDoor(9)
        rig.rig.director.setHostAddresses([host])
        return rig
    }

    /// A segment of the real server to an address of the director's host or not.
    private static func reply(
        from port: UInt16 = 80, to local: IPAddress, port destination: UInt16, flags: UInt8 = 0x12
    ) -> [UInt8] {
        DirectorRig.server(ForwardingRig.server, to: local)
            .tcp(from: port, to: destination, flags: flags)
    }

    @Test func `An address is the director's until no connection has it`() throws {
        let rig = try Self.rig()
        let director = rig.rig.director
        try director.addLocals([Self.local], to: Self.web)
        #expect(director.ownedLocals == [Self.local])
        #expect(director.served.locals == [Self.local])
        let request = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        let sent = try #require(request.sent.first)
        #expect(sent.be32(26) == Self.local.v4)
        try director.deleteLocals([Self.local], of: Self.web)
        rig.rig.advance(milliseconds: 2000)
        #expect(director.localAddresses.isEmpty && director.ownedLocals == [Self.local])
        let answer = rig.send(Self.reply(to: Self.local, port: sent.be16(34)), on: 1)
        #expect(answer.verdict == .send(0), "the connection keeps its address")
        // SYN_RECV: a minute, and the port's rest.
        rig.rig.advance(milliseconds: 64_000)
        #expect(director.ownedLocals.isEmpty && director.served.locals.isEmpty)
    }

    @Test func `An address that no connection has goes within a second`() throws {
        let rig = try Self.rig()
        let director = rig.rig.director
        try director.addLocals([Self.local], to: Self.web)
        try director.addLocals([Self.host], to: Self.web)
        #expect(director.ownedLocals == [Self.local, Self.host])
        try director.deleteLocals([Self.local], of: Self.web)
        rig.rig.advance(milliseconds: 1250)
        #expect(director.ownedLocals == [Self.host])
        try director.delete(Self.web)
        rig.rig.advance(milliseconds: 1250)
        #expect(director.ownedLocals.isEmpty)
    }

    /// A server that has closed first remembers the connection for a minute; the client, which does
    /// not, resets what the server says twice.
    @Test(arguments: [(true, UInt64(68), UInt64(66)), (false, 8, 14)])
    func `A reset while both ends close frees no port before TIME_WAIT has passed`(
        _ isClosing: Bool, _ seconds: UInt64, _ more: UInt64
    ) throws {
        let rig = try Self.rig()
        let director = rig.rig.director
        try director.addLocals([Self.local], to: Self.web)
        let taken = { try director.locals(of: Self.web).map(\.takenPorts) }
        let client = { (flags: UInt8) in rig.send(rig.builder.tcp(from: 4000, to: 80, flags: flags))
        }
        let port = try #require(client(2).sent.first).be16(34)
        let server = { (flags: UInt8) in
            rig.send(Self.reply(to: Self.local, port: port, flags: flags), on: 1)
        }
        #expect(server(0x12).verdict == .send(0))
        #expect(client(0x10).verdict == .send(1))
        if isClosing {
            #expect(server(0x11).verdict == .send(0))
            #expect(client(0x11).verdict == .send(1))
            #expect(server(0x10).verdict == .send(0))
            #expect(server(0x11).verdict == .send(0))
        }
        #expect(client(4).verdict == .send(1))
        rig.rig.advance(milliseconds: seconds * 1000)
        #expect(try taken() == [1])
        rig.rig.advance(milliseconds: more * 1000)
        #expect(try taken() == [0])
    }

    /// Rules 4 and 5 of `ServedTraffic`, as the ingress block keeps it.
    @Test func `What servers send to a local address of the host comes by the door if nobody's`()
        throws
    {
        let rig = try Self.rig()
        let stray = Self.reply(to: Self.host, port: 40000)
        let error = rig.error(to: Self.host)
        #expect(rig.send(stray, on: 1).verdict == .pass, "a health check's answer")
        #expect(rig.send(error, on: 1).verdict == .pass)
        try rig.rig.director.addLocals([Self.host], to: Self.web)
        #expect(rig.send(stray, on: 1).verdict == .passThroughDoor)
        #expect(rig.send(error, on: 1).verdict == .passThroughDoor)
        #expect(
            rig.send(Self.reply(from: 22, to: Self.host, port: 40000), on: 1).verdict == .pass,
            "another port of the server")
        let request = rig.send(rig.builder.tcp(from: 4000, to: 80, flags: 2))
        let port = try #require(request.sent.first).be16(34)
        #expect(rig.send(Self.reply(to: Self.host, port: port), on: 1).verdict == .send(0))
        try rig.rig.director.deleteLocals([Self.host], of: Self.web)
        rig.rig.advance(milliseconds: 64_000)
        #expect(rig.send(stray, on: 1).verdict == .pass)
    }
}

extension ForwardingRig {
    /// Destination unreachable about a packet from `local` to the server's port 80.
    fileprivate func error(to local: IPAddress) -> [UInt8] {
        var quote: [UInt8] = [0x45, 0, 0, 60, 0, 1, 0x40, 0, 62, 6, 0, 0]
        quote.append(be32: local.v4)
        quote.append(be32: ForwardingRig.server.v4)
        quote.append(be16: 40000)
        quote.append(be16: 80)
        quote += [0, 0, 0, 1]
        var message: [UInt8] = [3, 1, 0, 0, 0, 0, 0, 0] + quote
        message.set(2, be16: ~message.onesSum(0..<message.count))
        return DirectorRig.server(IPAddress(v4: 0x0a02_0014), to: local)
            .frame(transport: 1, checksumAt: nil, message)
    }
}
