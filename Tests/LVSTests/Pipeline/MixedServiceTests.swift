import LVS
import TestKit
import Testing

/// Services of IPv6 with servers of IPv4: what commands allow, and what connections have from all
/// others.
@Suite struct MixedServiceTests {
    private static let key = ServiceKey.address(.tcp, FamilyRig.virtual, port: 80)

    private func connections(_ rig: FamilyRig) -> [ConnectionListing] {
        var all: [ConnectionListing] = []
        rig.rig.director.forEachConnection { all.append($0) }
        return all
    }

    @Test(arguments: [ForwardingMethod.masquerading, .directRouting, .localNode])
    func `Other methods lead to no server of the other family`(_ method: ForwardingMethod) throws {
        let rig = try FamilyRig()
        let server = RealServer(address: IPAddress(v4: 0x0a02_000c), port: 80, method: method)
        #expect(throws: CommandRefusal.self) { try rig.rig.director.add(server, to: rig.key) }
        let known = RealServer(address: FamilyRig.server, port: 8080, method: method)
        #expect(throws: CommandRefusal.self) { try rig.rig.director.edit(known, of: rig.key) }
        #expect(rig.rig.director.service(rig.key)?.servers.map(\.server.method) == [.fullNAT])
    }

    @Test func `A service of IPv4 has no server of IPv6`() throws {
        let rig = try FamilyRig()
        let key = ServiceKey.address(.tcp, IPAddress(v4: 0x0a01_0064), port: 80)
        try rig.rig.director.add(VirtualService(key: key, scheduler: "rr"))
        let server = RealServer(
            address: IPAddress(high: 0x2001_0db8_0002_0000, low: 0x11), port: 80, method: .fullNAT)
        let refusal = #expect(throws: CommandRefusal.self) {
            try rig.rig.director.add(server, to: key)
        }
        #expect("\(String(describing: refusal))".contains("the server of IPv4"))
    }

    @Test func `Without a local address of IPv4 the client is told that there is no server`() throws
    {
        let rig = try FamilyRig()
        try rig.rig.director.deleteLocals([FamilyRig.local], of: rig.key)
        try rig.rig.director.addLocals([FamilyRig.own.v6], to: rig.key)
        let outcome = rig.send(rig.request.tcp(from: 4000, to: 80, flags: 2))
        #expect(outcome.verdict == .drop(.noLocalPort))
        let told = try #require(outcome.sent.first).bytes
        #expect(told[54] == 1 && told[55] == 4 && told.isSound)
        #expect(Array(told[22..<38]) == FamilyRig.virtual.wireBytes)
    }

    @Test func `Replies are left alone once the last such service is gone`() throws {
        let rig = try FamilyRig()
        rig.open()
        let reply = rig.reply.tcp(from: 8080, to: 4000, flags: 16)
        #expect(rig.send(reply, on: 1).verdict.kind == .send)
        try rig.rig.director.delete(rig.key)
        #expect(rig.send(reply, on: 1).verdict == .pass)
    }

    @Test func `A deleted server's replies go on until its connections end`() throws {
        let rig = try FamilyRig()
        rig.open()
        try rig.rig.director.delete(FamilyRig.server, port: 8080, of: rig.key)
        let reply = rig.reply.tcp(from: 8080, to: 4000, flags: 16)
        #expect(rig.send(reply, on: 1).verdict.kind == .send)
    }

    @Test func `A connection is listed with both families, and ends as others do`() throws {
        let rig = try FamilyRig()
        rig.open()
        let listed = try #require(connections(rig).first)
        #expect(listed.client == FamilyRig.client && listed.clientPort == 4000)
        #expect(listed.virtual == FamilyRig.virtual && listed.virtualPort == 80)
        #expect(listed.real == FamilyRig.server && listed.realPort == 8080)
        #expect(listed.state == "ESTABLISHED" && listed.method == .masquerading)
        let server = try #require(rig.rig.director.service(rig.key)?.servers.first)
        #expect(server.active == 1 && server.inactive == 0)
        let locals = try rig.rig.director.locals(of: rig.key)
        #expect(locals.map(\.takenPorts) == [1])
        _ = rig.send(rig.request.tcp(from: 4000, to: 80, flags: 0x11))
        _ = rig.send(rig.reply.tcp(from: 8080, to: 4000, flags: 0x11), on: 1)
        _ = rig.send(rig.request.tcp(from: 4000, to: 80, flags: 16))
        #expect(connections(rig).map(\.state) == ["TIME_WAIT"])
        rig.rig.advance(milliseconds: 400_000)
        #expect(connections(rig).isEmpty)
        #expect(
            rig.send(rig.reply.tcp(from: 8080, to: 4000, flags: 16), on: 1).verdict.kind == .pass)
        #expect(try rig.rig.director.locals(of: rig.key).map(\.takenPorts) == [0])
    }

    @Test func `Bytes are counted as they came in`() throws {
        let rig = try FamilyRig()
        rig.open()
        rig.rig.advance(milliseconds: 2500)
        let server = try #require(rig.rig.director.service(rig.key)?.servers.first)
        #expect(server.statistics.counters.inPackets == 2)
        #expect(server.statistics.counters.inBytes == 120)
        #expect(server.statistics.counters.outPackets == 1)
        #expect(server.statistics.counters.outBytes == 40)
    }

    @Test func `Two clients of one port have local ports of their own`() throws {
        let rig = try FamilyRig()
        rig.open()
        var other = rig.request
        other.source = IPAddress(high: FamilyRig.client.high, low: 2)
        let sent = try #require(rig.send(other.tcp(from: 4000, to: 80, flags: 2)).sent.first).bytes
        let port = sent.be16(34)
        #expect(port != 4000)
        let back = try #require(
            rig.send(rig.reply.tcp(from: 8080, to: port, flags: 0x12), on: 1).sent.first
        ).bytes
        #expect(Array(back[38..<54]) == other.source.wireBytes && back.be16(56) == 4000)
        #expect(connections(rig).count == 2)
    }

    @Test func `A client stays with its server by a template of its network`() throws {
        let rig = try FamilyRig { service in
            service.flags.insert(.persistent)
            service.persistenceTimeoutSeconds = 60
            service.netmask = 64
        }
        try rig.rig.director.add(
            RealServer(address: IPAddress(v4: 0x0a02_000c), port: 8080, method: .fullNAT),
            to: rig.key)
        rig.rig.director.setNeighbour(
            Neighbour(port: 1, address: IPAddress(v4: 0x0a02_000c)),
            HardwareAddress(value: 0x0200_0a02_000c))
        let servers = (UInt64(1)...8).compactMap { host -> UInt32? in
            var request = rig.request
            request.source = IPAddress(high: FamilyRig.client.high, low: host)
            return rig.send(request.tcp(from: 4000, to: 80, flags: 2)).sent.first?.bytes.be32(30)
        }
        #expect(servers.count == 8 && Set(servers).count == 1)
        #expect(connections(rig).filter(\.isTemplate).count == 1)
    }

    @Test func `Single datagrams find a server and leave nothing behind`() throws {
        let rig = try FamilyRig(.udp, port: 53, real: 5353) { $0.flags.insert(.onePacket) }
        for _ in 0..<10 {
            let sent = try #require(
                rig.send(rig.request.udp(from: 4000, to: 53)).sent.first
            ).bytes
            let expected = rig.forwarded(like: sent).udp(from: sent.be16(34), to: 5353)
            #expect(sent == expected)
        }
        #expect(connections(rig).isEmpty)
    }

    @Test func `A service by mark has such servers as well`() throws {
        let rig = try FamilyRig()
        let key = ServiceKey.mark(7, .v6)
        let director = rig.rig.director
        try director.add(VirtualService(key: key, scheduler: "rr"))
        try director.addLocals([FamilyRig.local], to: key)
        try director.add(
            RealServer(address: FamilyRig.server, port: 0, method: .fullNAT), to: key)
        let (verdict, sent, _) = rig.send(
            rig.request.udp(from: 4000, to: 9), on: 0
        ) { $0.mark = 7 }
        #expect(verdict == .send(1))
        let frame = try #require(sent.first)
        #expect(frame == rig.forwarded(like: frame).udp(from: 4000, to: 9))
        let back = rig.send(rig.reply.udp(from: 9, to: 4000), on: 1).sent.first
        #expect(back?.bytes == rig.answered.udp(from: 9, to: 4000))
    }

    @Test func `The server learns the client's address of IPv6 by TOA and PROXY`() throws {
        let toa = try FamilyRig { $0.fullNAT.clientAddress = .toa }
        toa.open()
        let told = try #require(
            toa.send(
                toa.request.tcp(from: 4000, to: 80, flags: 16, sequence: 2, acknowledgement: 2)
            )
            .sent.first
        ).bytes
        #expect(Array(told[54..<58]) == [254, 20, 0x0f, 0xa0] && told.isSound)
        #expect(Array(told[58..<74]) == FamilyRig.client.wireBytes)
        let proxy = try FamilyRig { $0.fullNAT.clientAddress = .proxyV1 }
        proxy.open()
        let first = try #require(
            proxy.send(
                proxy.request.tcp(
                    from: 4000, to: 80, flags: 24, payload: Array("hello".utf8), sequence: 2,
                    acknowledgement: 2)
            ).sent.first
        ).bytes
        #expect(
            String(decoding: first[54...], as: UTF8.self)
                == "PROXY TCP6 2001:db8:c::1 2001:db8:1::100 4000 80\r\nhello")
        #expect(first.isSound)
    }

    @Test func `FTP goes by EPSV, and the answer names the service's port`() throws {
        let rig = try FamilyRig(port: 21, real: 21)
        rig.open(to: 21, real: 21)
        func say(_ text: String) -> DirectorRig.Outcome {
            rig.send(rig.request.tcp(from: 4000, to: 21, flags: 24, payload: Array(text.utf8)))
        }
        func answer(_ text: String) -> String? {
            rig.send(rig.reply.tcp(from: 21, to: 4000, flags: 24, payload: Array(text.utf8)), on: 1)
                .sent.first.map { String(decoding: $0.bytes[74...], as: UTF8.self) }
        }
        _ = say("EPSV\r\n")
        #expect(answer("229 Extended (|||40000|)\r\n") == "229 Extended (|||40000|)\r\n")
        let waiting = try #require(connections(rig).first { $0.clientPort == 0 })
        #expect(waiting.real == FamilyRig.server && waiting.realPort == 40000)
        #expect(waiting.virtualPort == 40000)
        let data = try #require(
            rig.send(rig.request.tcp(from: 4001, to: 40000, flags: 2)).sent.first
        ).bytes
        #expect(data == rig.forwarded(like: data).tcp(from: 4001, to: 40000, flags: 2))
        let back = rig.send(rig.reply.tcp(from: 40000, to: 4001, flags: 0x12), on: 1).sent.first
        #expect(back?.bytes == rig.answered.tcp(from: 40000, to: 4001, flags: 0x12))
    }

    @Test func `The server opens FTP's active connection to the local address`() throws {
        let rig = try FamilyRig(port: 21, real: 21)
        rig.open(to: 21, real: 21)
        let text = Array("EPRT |2|2001:db8:c::1|5000|\r\n".utf8)
        let sent = try #require(
            rig.send(rig.request.tcp(from: 4000, to: 21, flags: 24, payload: text)).sent.first
        ).bytes
        #expect(String(decoding: sent[54...], as: UTF8.self) == "EPRT |1|10.2.0.200|5000|\r\n")
        #expect(sent.isSound)
        let opener = rig.send(rig.reply.tcp(from: 20, to: 5000, flags: 2), on: 1).sent.first
        #expect(opener?.bytes == rig.answered.tcp(from: 20, to: 5000, flags: 2))
        let agreed = try #require(
            rig.send(rig.request.tcp(from: 5000, to: 20, flags: 0x12)).sent.first
        ).bytes
        #expect(agreed == rig.forwarded(like: agreed).tcp(from: 5000, to: 20, flags: 0x12))
    }

    @Test func `Damaged packets of every kind end or are left alone`() throws {
        let rig = try FamilyRig()
        rig.open()
        let frames: [([UInt8], PortIndex)] = [
            (rig.request.tcp(from: 4000, to: 80, flags: 16, payload: [1, 2, 3]), 0),
            (rig.reply.tcp(from: 8080, to: 4000, flags: 16, payload: [1, 2, 3]), 1),
        ]
        var random = SeededGenerator(seed: 11)
        for (frame, port) in frames {
            for length in 14..<frame.count {
                for sent in rig.send(Array(frame[0..<length]), on: port).sent {
                    #expect(sent.bytes.count >= 34)
                }
            }
            for _ in 0..<2000 {
                var broken = frame
                for _ in 0...Int(random.next() & 3) {
                    broken[14 + Int(random.next() % UInt64(broken.count - 14))] =
                        UInt8(truncatingIfNeeded: random.next())
                }
                for sent in rig.send(broken, on: port).sent {
                    #expect(sent.bytes.isIPv6 || sent.bytes.hasRightHeader)
                }
            }
        }
    }
}
