import LVS
import PacketIO
import Posix
import Testing

/// ```
/// client 10.76.1.1 ── c0  d0 ── 10.76.1.254 lvs, with real servers at 10.76.9.1:80 and fd76:9::1:80
/// ```
private struct LocalServerNetwork {
    let client: TestNamespace
    let lvs: TestNamespace
    let door: HostDoorDriver
    let rules: HostRules

    init() throws {
        client = try TestNamespace("client")
        lvs = try TestNamespace("lvs")
        try client.connect("c0", to: lvs, "d0")
        try client.run("ip addr add 10.76.1.1/24 dev c0; ip addr add fd76:1::1/64 dev c0 nodad")
        try lvs.run(
            """
            ip addr add 10.76.1.254/24 dev d0; ip addr add 10.76.9.1/32 dev lo;
            ip addr add fd76:1::fe/64 dev d0 nodad; ip addr add fd76:9::1/128 dev lo nodad
            """)
        (door, rules) = try lvs.inside {
            (try HostDoor.open(port: 9, workers: 1)[0], try HostRules())
        }
    }

    static var served: ServedTraffic {
        var served = ServedTraffic()
        let address = IPAddress(v4: 0x0a4c_0901)
        let address6 = IPAddress(high: 0xfd76_0009_0000_0000, low: 1)
        served.hostAddresses = [address, address6]
        served.servers = [
            .init(address: address, transport: .tcp, port: 80),
            .init(address: address, transport: .udp, port: 53),
            .init(address: address6, transport: .udp, port: 53),
            .init(address: IPAddress(v4: 0x0a4c_0101), transport: .udp, port: 53),
        ]
        return served
    }

    /// Whether a datagram that the host sends to the client from this port comes out of the door.
    func comesOut(_ port: UInt16, from: String = "10.76.9.1", to: String = "10.76.1.1") throws
        -> Bool
    {
        let sender = try lvs.inside { TestSocket(.udp, family: from.contains(":") ? 10 : 2) }
        _ = sender.bind(from, port: port)
        _ = sender.send(to: to, port: 4000)
        var burst = Burst()
        defer { door.release() }
        return door.receive(into: &burst) > 0
    }
}

@Suite(
    .serialized,
    .enabled(if: TestNamespace.available, "needs root: makes network namespaces"))
struct HostRulesTests {
    @Test("Replies of a server on the host come out of the door, other packets do not")
    func leadsReplies() throws {
        let network = try LocalServerNetwork()
        #expect(try !network.comesOut(53))
        try network.rules.update(LocalServerNetwork.served)
        #expect(try network.comesOut(53))
        #expect(try !network.comesOut(54))
        #expect(try network.comesOut(53, from: "fd76:9::1", to: "fd76:1::1"))
        #expect(try !network.comesOut(53, to: "10.76.1.254"), "to the host itself")
        try network.rules.update(ServedTraffic())
        #expect(try !network.comesOut(53))
        #expect(try !network.lvs.run("ip rule").contains("7600"))
    }

    @Test("A connection to a server on the host is answered through the door")
    func handshake() throws {
        let network = try LocalServerNetwork()
        try network.rules.update(LocalServerNetwork.served)
        let listener = try network.lvs.inside { TestSocket(.tcp) }
        #expect(listener.bind("10.76.9.1", port: 80))
        listener.listen()
        TestPacket.tcp(flags: 0x02).withFrame { network.door.enqueue($0) }
        var burst = Burst()
        #expect(eventually { network.door.receive(into: &burst) > 0 })
        let flags = unsafe burst[0].bytes.load(fromByteOffset: 47, as: UInt8.self)
        #expect(flags == 0x12, "SYN and ACK")
        // One hop more than the host gave it, which forwarding takes off again.
        let hops = unsafe burst[0].bytes.load(fromByteOffset: 22, as: UInt8.self)
        #expect(hops == 65)
        #expect(unsafe Checksum.sum(burst[0].bytes + 14, count: 20) == 0xffff)
    }

    @Test("Rules left by a killed director are taken over, removed and cleaned")
    func takesOver() throws {
        let network = try LocalServerNetwork()
        try network.rules.update(LocalServerNetwork.served)
        let next = try network.lvs.inside { try HostRules() }
        #expect(try !network.lvs.run("ip rule").contains("7600"))
        try next.update(LocalServerNetwork.served)
        #expect(try network.comesOut(53))
        try next.remove()
        #expect(try !network.lvs.run("ip rule; ip -6 rule").contains("7600"))
        try network.lvs.inside {
            try HostRules().update(LocalServerNetwork.served)
            try HostRules.clean()
        }
        #expect(try !network.lvs.run("ip rule; ip -6 rule").contains("7600"))
    }

    @Test("What leaves by an interface that is not served is not led into the door")
    func elsewhere() throws {
        let network = try LocalServerNetwork()
        try network.client.connect("c1", to: network.lvs, "d1")
        try network.client.run(
            "ip addr add 10.77.1.1/24 dev c1; ip addr add fd77:1::1/64 dev c1 nodad")
        try network.lvs.run(
            """
            ip addr add 10.77.1.254/24 dev d1; ip addr add fd77:1::fe/64 dev d1 nodad;
            ip route add 10.78.0.0/16 via 10.77.1.1; ip route add 10.78.5.0/24 via 10.76.1.1;
            ip route add default via 10.77.1.1
            """)
        try network.rules.update(LocalServerNetwork.served)
        #expect(try network.comesOut(53, to: "10.77.1.1"), "before it knows the routes")
        let surroundings = try network.lvs.inside { try Surroundings(interfaces: ["d0"]) }
        _ = try surroundings.update(now: Instant(nanoseconds: 1))
        try network.rules.follow(surroundings.routes)
        #expect(try !network.comesOut(53, to: "10.77.1.1"))
        #expect(try !network.comesOut(53, from: "fd76:9::1", to: "fd77:1::1"))
        #expect(try !network.comesOut(53, to: "10.78.1.1"))
        #expect(try !network.comesOut(53, to: "10.99.1.1"), "the default route")
        #expect(try network.comesOut(53))
        #expect(try network.comesOut(53, to: "10.78.5.1"), "a served prefix within another")
        #expect(try network.comesOut(53, from: "fd76:9::1", to: "fd76:1::1"))
        try network.lvs.run("ip route del default")
        var steps: UInt64 = 1
        #expect(
            try eventually {
                steps += 1_000_000_000
                _ = try surroundings.update(now: Instant(nanoseconds: steps))
                try network.rules.follow(surroundings.routes)
                return try network.lvs.run("ip route show table 7600").contains(
                    "default dev director-door")
            })
        try network.rules.remove()
        #expect(try network.lvs.run("ip route show table 7600; ip -6 route show table 7600") == "")
    }

    @Test("The director's own rules are no reason for a warning")
    func noWarning() throws {
        let network = try LocalServerNetwork()
        try network.rules.update(LocalServerNetwork.served)
        let surroundings = try network.lvs.inside { try Surroundings(interfaces: ["d0"]) }
        #expect(try surroundings.update(now: Instant(nanoseconds: 1)).warnings == [])
    }
}
