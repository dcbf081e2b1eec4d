import LVS
import TestKit
import Testing

/// What a backup makes of connections that another director tells of (ipvs-semantics 9.5).
@Suite struct SynchronisationTests {
    @Test func `A told connection stands in the table with its server, state and timeout`() throws {
        let rig = try Self.rig()
        Self.take(Self.told(), rig, .made)
        let listing = try Self.only(rig)
        #expect(listing.client == Self.client && listing.clientPort == 4000)
        #expect(listing.real == IPAddress(v4: 0x0a02_000c) && listing.realPort == 8080)
        #expect(listing.state == "ESTABLISHED")
        #expect(listing.timeoutSeconds == 700 && listing.remainingSeconds == 700)
        #expect(listing.isSynchronised)
        #expect(try Self.counts(rig)["10.2.0.12"] == [1, 0, 0])
        rig.advance(milliseconds: 699_000)
        #expect(Self.listings(rig).count == 1)
        rig.advance(milliseconds: 2000)
        #expect(Self.listings(rig).isEmpty)
        #expect(try Self.counts(rig)["10.2.0.12"] == [0, 0, 0])
    }

    @Test
    func `Packets go on where the message says, both ways, and no service counts a connection`()
        throws
    {
        let rig = try Self.rig()
        Self.take(Self.told(), rig, .made)
        let request = DirectorRig.client(Self.client).tcp(from: 4000, to: 80, flags: 16)
        let sent = rig.send(request, on: 0).sent
        #expect(sent.first?.port == 1)
        #expect(sent.first.map { $0.bytes.be32(30) } == 0x0a02_000c)
        let reply = DirectorRig.server(IPAddress(v4: 0x0a02_000c), to: Self.client)
            .tcp(from: 8080, to: 4000, flags: 16)
        let back = rig.send(reply, on: 1).sent
        #expect(back.first.map { $0.bytes.be32(26) } == 0x0a01_0064)
        let service = try #require(
            rig.director.service(.address(.tcp, Self.virtual, port: 80)))
        #expect(service.statistics.counters.connections == 0)
        #expect(service.statistics.counters.inPackets == 1)
        #expect(service.statistics.counters.outPackets == 1)
    }

    @Test func `Each further message sets state, timeout and activity, and restarts the timer`()
        throws
    {
        let rig = try Self.rig()
        Self.take(Self.told(), rig, .made)
        rig.advance(milliseconds: 5000)
        var told = Self.told(state: .finWait)
        told.timeoutSeconds = 100
        Self.take(told, rig, .updated)
        let listing = try Self.only(rig)
        #expect(listing.state == "FIN_WAIT" && listing.remainingSeconds == 100)
        #expect(listing.isInactive)
        #expect(try Self.counts(rig)["10.2.0.12"] == [0, 1, 0])
        Self.take(Self.told(), rig, .updated)
        #expect(try Self.counts(rig)["10.2.0.12"] == [1, 0, 0])
        Self.take(Self.told(), rig, .updated)
        #expect(try Self.counts(rig)["10.2.0.12"] == [1, 0, 0])
    }

    @Test func `A connection of the director's own is updated and stays its own`() throws {
        let rig = try Self.rig()
        let opener = DirectorRig.client(Self.client).tcp(from: 4000, to: 80, flags: 2)
        let server = rig.send(opener, on: 0).sent.first.map { $0.bytes.be32(30) & 0xff } ?? 0
        Self.take(Self.told(to: server), rig, .updated)
        let listing = try Self.only(rig)
        #expect(listing.state == "ESTABLISHED" && !listing.isSynchronised)
        #expect(try Self.counts(rig)["10.2.0.\(server)"] == [1, 0, 0])
    }

    @Test func `A connection to another server replaces the one that stands, its end does not`()
        throws
    {
        let rig = try Self.rig()
        Self.take(Self.told(to: 11), rig, .made)
        Self.take(Self.told(to: 12, state: .timeWait), rig, .outdated)
        #expect(try Self.only(rig).real == IPAddress(v4: 0x0a02_000b))
        Self.take(Self.told(to: 12), rig, .replaced)
        #expect(try Self.only(rig).real == IPAddress(v4: 0x0a02_000c))
        #expect(try Self.counts(rig) == ["10.2.0.11": [0, 0, 0], "10.2.0.12": [1, 0, 0]])
    }

    @Test func `The packet counter begins with the first number of sync_threshold`() throws {
        let rig = try Self.rig()
        Self.take(Self.told(), rig, .made)
        var packets: [UInt32] = []
        rig.director.table.forEach { packets.append($0.inPackets) }
        #expect(packets == [3])
        _ = rig.send(DirectorRig.client(Self.client).tcp(from: 4000, to: 80, flags: 16), on: 0)
        Self.take(Self.told(), rig, .updated)
        rig.director.table.forEach { packets.append($0.inPackets) }
        #expect(packets == [3, 3])
    }

    @Test(arguments: [
        (TCPState.established, UInt32(77)), (.finWait, 66), (.timeWait, 120), (.close, 10),
        (.none, 2), (.synAck, 120),
    ])
    func `Without a timeout the state's counts, as it is set here`(
        state: TCPState, seconds: UInt32
    ) throws {
        let rig = try Self.rig()
        try rig.director.setTimeouts(Timeouts(tcp: 77, tcpFin: 66, udp: 55))
        var told = Self.told(state: state)
        told.timeoutSeconds = nil
        Self.take(told, rig, .made)
        #expect(try Self.only(rig).timeoutSeconds == seconds)
        told.timeoutSeconds = 0
        Self.take(told, rig, .updated)
        #expect(try Self.only(rig).timeoutSeconds == seconds)
        told.timeoutSeconds = .max
        Self.take(told, rig, .updated)
        #expect(try Self.only(rig).timeoutSeconds == Timeouts.longest)
    }

    @Test func `The method is the server's, and with it whether replies are expected`() throws {
        let rig = try Self.rig()
        var told = Self.told()
        told.transport = .udp
        (told.virtualPort, told.realPort, told.state) = (53, 53, 0)
        told.real = IPAddress(v4: 0x0a02_000b)
        told.isInactive = true
        Self.take(told, rig, .made)
        #expect(try Self.only(rig).method == .directRouting)
        #expect(try Self.counts(rig, .udp, port: 53)["10.2.0.11"] == [0, 1, 0])
        var noOutput: [Bool] = []
        rig.director.table.forEach { noOutput.append($0.hasNoOutput) }
        #expect(noOutput == [true])
    }

    @Test func `A template leads the client's next connection, and counts as one`() throws {
        let rig = try Self.rig()
        var told = Self.template()
        (told.virtualPort, told.realPort, told.state) = (0, 0, 1)
        told.real = IPAddress(v4: 0x0a02_000b)
        Self.take(told, rig, .unbound)
        #expect(try Self.only(rig).isTemplate)
        told.real = IPAddress(v4: 0x0a02_000d)
        told.virtual = IPAddress(v4: 7)
        (told.transport, told.mark, told.method) = (.any, 7, 3)
        Self.take(told, rig, .made)
        let marked = try #require(Self.listings(rig).first { $0.transport == .any })
        #expect(marked.isSynchronised && marked.timeoutSeconds == 180 && marked.state == "ASSURED")
        let key = ServiceKey.mark(7, .v4)
        let servers = try #require(rig.director.service(key)).servers
        #expect(servers.map(\.persistent).sorted() == [0, 1])
        var rule = MarkRule(mark: 7)
        (rule.transport, rule.destinationPorts) = (.tcp, [99...99])
        try rig.director.setMarkRules([rule])
        for port in UInt16(5000)..<5004 {
            let opener = DirectorRig.client(Self.client, to: IPAddress(v4: 0x0a01_0065))
                .tcp(from: port, to: 99, flags: 2)
            let sent = rig.send(opener, on: 0).sent.first
            #expect(sent.map { $0.bytes.be16(4) } == 0x000d, "to the server with .13")
        }
    }

    @Test func `A template stays with its server whatever is told later`() throws {
        let rig = try Self.rig([
            "-A -t 10.1.0.100:80 -s rr -p 300", "-a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m",
            "-a -t 10.1.0.100:80 -r 10.2.0.12:8080 -m",
        ])
        var told = Self.template()
        Self.take(told, rig, .made)
        #expect(try Self.counts(rig)["10.2.0.12"] == [0, 0, 1])
        (told.real, told.state, told.timeoutSeconds) = (IPAddress(v4: 0x0a02_000b), 1, 50)
        Self.take(told, rig, .updated)
        let listing = try Self.only(rig)
        #expect(listing.real == IPAddress(v4: 0x0a02_000c))
        #expect(listing.state == "ASSURED" && listing.remainingSeconds == 50)
        #expect(try Self.counts(rig) == ["10.2.0.11": [0, 0, 0], "10.2.0.12": [0, 0, 1]])
    }

    @Test func `Templates of calls are told apart by their call`() throws {
        let rig = try Self.rig()
        var told = Self.template()
        told.transport = .udp
        (told.virtualPort, told.realPort) = (5060, 5060)
        told.real = IPAddress(v4: 0x0a02_000b)
        (told.engineName, told.engineData) = ("sip", Array("one@here".utf8))
        Self.take(told, rig, .made)
        Self.take(told, rig, .updated)
        told.engineData = [UInt8](repeating: 0x61, count: 255)
        Self.take(told, rig, .made)
        #expect(Set(Self.listings(rig).map(\.engineData.count)) == [8, 255])
        #expect(Self.listings(rig).allSatisfy { $0.engine == "sip" && $0.isSynchronised })
        #expect(try Self.counts(rig, .udp, port: 5060)["10.2.0.11"] == [0, 0, 2])
        told.engineName = "h323"
        Self.take(told, rig, .unknownEngine)
        told.engineName = nil
        Self.take(told, rig, .unknownEngine)
    }

    @Test func `Without its server a connection goes on uncounted, and a later message binds it`()
        throws
    {
        let rig = try Self.rig(["-A -t 10.1.0.100:80 -s rr"])
        Self.take(Self.told(), rig, .unbound)
        Self.take(Self.told(), rig, .updated)
        let request = DirectorRig.client(Self.client).tcp(from: 4000, to: 80, flags: 16)
        let sent = rig.send(request, on: 0).sent
        #expect(sent.first.map { $0.bytes.be32(30) } == 0x0a02_000c)
        let reply = DirectorRig.server(IPAddress(v4: 0x0a02_000c), to: Self.client)
            .tcp(from: 8080, to: 4000, flags: 16)
        #expect(rig.send(reply, on: 1).verdict == .send(0))
        try RuleLine.run(
            ["-a", "-t", "10.1.0.100:80", "-r", "10.2.0.12:8080", "-m"], on: rig.director)
        Self.take(Self.told(), rig, .bound)
        #expect(try Self.counts(rig)["10.2.0.12"] == [1, 0, 0])
        #expect(rig.send(request, on: 0).verdict == .send(1))
        #expect(Self.listings(rig).count == 1)
    }

    @Test func `A server without a port of its own is found for any`() throws {
        let rig = try Self.rig([
            "-A -t 10.1.0.100:0 -s rr -p 60", "-a -t 10.1.0.100:0 -r 10.2.0.12:0 -m",
        ])
        Self.take(Self.told(), rig, .made)
        #expect(try Self.counts(rig, port: 0)["10.2.0.12"] == [1, 0, 0])
    }

    @Test func `Control connections of FTP have their helper and their shifts`() throws {
        let rig = try Self.rig()
        var told = Self.told(to: 11)
        (told.virtualPort, told.realPort) = (21, 21)
        var shift = SequenceShift()
        shift.add(5, at: 1000)
        told.serverShift = shift
        Self.take(told, rig, .made)
        var shifts: [SequenceShift] = []
        rig.director.table.forEach { shifts.append($0.shift(of: .outbound)) }
        #expect(shifts == [shift])
        // The data connection that the client is about to open.
        var data = told
        (data.clientPort, data.virtualPort, data.realPort) = (0, 2000, 2000)
        (data.hasUnknownPort, data.state) = (true, UInt16(TCPState.listen.rawValue))
        Self.take(data, rig, .unbound)
        let opener = DirectorRig.client(Self.client).tcp(from: 4444, to: 2000, flags: 2)
        #expect(rig.send(opener, on: 0).sent.first.map { $0.bytes.be32(30) } == 0x0a02_000b)
        #expect(Self.listings(rig).contains { $0.clientPort == 4444 && $0.isSynchronised })
    }

    @Test func `IPv6 connections are told like others`() throws {
        let rig = try Self.rig([
            "-A -t [2001:db8::64]:80 -s rr", "-a -t [2001:db8::64]:80 -r [2001:db8:2::b]:80 -m",
        ])
        let server = IPAddress(high: 0x2001_0db8_0002_0000, low: 0xb)
        var told = ToldConnection(
            transport: .tcp, client: IPAddress(high: 0x2001_0db8_0001_0000, low: 7),
            clientPort: 4000, virtual: IPAddress(high: 0x2001_0db8_0000_0000, low: 0x64),
            virtualPort: 80, real: server, realPort: 80, method: 0, state: 1)
        Self.take(told, rig, .made)
        Self.take(told, rig, .updated)
        #expect(try Self.only(rig).real == server)
        told.isInactive = true
        Self.take(told, rig, .updated)
        let servers = rig.director.services().flatMap(\.servers)
        #expect(servers.map(\.active) == [0] && servers.map(\.inactive) == [1])
    }

    @Test func `What cannot be is named and changes nothing`() throws {
        let rig = try Self.rig()
        func refused(_ outcome: ToldOutcome, _ change: (inout ToldConnection) -> Void) {
            var told = Self.told()
            change(&told)
            Self.take(told, rig, outcome)
        }
        for number in UInt8.min...UInt8.max where ![6, 17, 132].contains(number) {
            refused(.unknownTransport) { $0.transport = TransportProtocol(rawValue: number) }
            guard number != 0 else { continue }
            refused(.unknownTransport) {
                $0.transport = TransportProtocol(rawValue: number)
                $0.isTemplate = true
            }
        }
        refused(.unknownState) { $0.state = 11 }
        refused(.unknownState) { $0.state = .max }
        refused(.unknownState) { ($0.transport, $0.state) = (.udp, 1) }
        refused(.unknownState) { ($0.transport, $0.state) = (.sctp, 14) }
        refused(.unknownState) { ($0.isTemplate, $0.state) = (true, 2) }
        for method in UInt8(5)...7 { refused(.unknownMethod) { $0.method = method } }
        #expect(Self.listings(rig).isEmpty)
        #expect(Set(ToldOutcome.allCases.map(\.words)).count == ToldOutcome.allCases.count)
    }

    @Test func `Connections of FULLNAT are not made, since their local port is not told`() throws {
        let rig = try Self.rig([
            "-A -t 10.1.0.100:80 -s rr", "-a -t 10.1.0.100:80 -r 10.2.0.12:8080 --fullnat",
            "-P -t 10.1.0.100:80 -z 10.2.0.201",
        ])
        Self.take(Self.told(), rig, .fullNAT)
        #expect(Self.listings(rig).isEmpty)
        let opener = DirectorRig.client(Self.client).tcp(from: 4000, to: 80, flags: 2)
        #expect(rig.send(opener, on: 0).verdict == .send(1))
        let before = Self.listings(rig)
        for server in [UInt32(12), 99] { Self.take(Self.told(to: server), rig, .fullNAT) }
        #expect(Self.listings(rig) == before)
    }

    @Test func `The table never holds more than it can, and counts stay right`() throws {
        let rig = try Self.rig(connections: 4096)
        var outcomes: [ToldOutcome: Int] = [:]
        for port in UInt16(1)...5000 {
            outcomes[rig.director.take(Self.told(port), now: rig.clock.now), default: 0] += 1
        }
        let made = outcomes[.made] ?? 0
        #expect(made == 3840, "a sixteenth stays free")
        #expect(outcomes[.tableFull] == 5000 - made)
        let opener = DirectorRig.client(Self.client).tcp(from: 6000, to: 80, flags: 2)
        #expect(rig.send(opener, on: 0).verdict == .send(1))
        let counts = try Self.counts(rig)
        #expect(counts.values.reduce(0) { $0 + $1[0] } == 3841)
        rig.advance(milliseconds: 702_000)
        #expect(try Self.counts(rig)["10.2.0.12"] == [0, 0, 0])
        Self.take(Self.told(), rig, .made)
    }

    @Test func `A bypassed connection has no server and needs none`() throws {
        let rig = try Self.rig()
        var told = Self.told()
        (told.method, told.mark) = (4, 9)
        Self.take(told, rig, .made)
        Self.take(told, rig, .updated)
        let listing = try Self.only(rig)
        #expect(listing.method == .bypass && listing.real == .anyV4)
    }
}
