import LVS
import PacketIO
import Posix
import Testing

/// ```
/// client 10.76.1.1, fd76:1::1 ── c0  d0 ── 10.76.1.254, fd76:1::fe   lvs   10.76.2.254 ── d1  f0 ── 10.76.2.2 far
///                                          VIP 10.76.9.1, fd76:9::1
/// ```
/// The client is a real server too, at port 8080. The lvs host forwards.
private struct HostNetwork {
    static let vip = IPAddress(v4: 0x0a4c_0901)
    static let vip6 = IPAddress(high: 0xfd76_0009_0000_0000, low: 1)
    static let server = IPAddress(v4: 0x0a4c_0101)

    let client: TestNamespace
    let lvs: TestNamespace
    let far: TestNamespace

    init() throws {
        client = try TestNamespace("client")
        lvs = try TestNamespace("lvs")
        far = try TestNamespace("far")
        try client.connect("c0", to: lvs, "d0")
        try far.connect("f0", to: lvs, "d1")
        try client.run(
            """
            ip addr add 10.76.1.1/24 dev c0; ip addr add fd76:1::1/64 dev c0 nodad;
            ip route add default via 10.76.1.254; ip route add default via fd76:1::fe
            """)
        try lvs.run(
            """
            ip addr add 10.76.1.254/24 dev d0; ip addr add fd76:1::fe/64 dev d0 nodad;
            ip addr add 10.76.2.254/24 dev d1; ip addr add 10.76.9.1/32 dev lo;
            ip addr add fd76:9::1/128 dev lo nodad; echo 1 > /proc/sys/net/ipv4/ip_forward
            """)
        try far.run("ip addr add 10.76.2.2/24 dev f0; ip route add default via 10.76.2.254")
    }

    func block(_ mechanism: IngressBlock.Mechanism) throws -> IngressBlock {
        try lvs.inside {
            let index = try #require(NetworkNamespace.interfaceIndex("d0"))
            return try IngressBlock(
                interfaces: [.init(index: index, name: "d0")], mechanism: mechanism)
        }
    }

    /// Web over both families, everything over protocol 132 at the IPv4 address, and a real server.
    static var served: ServedTraffic {
        var served = ServedTraffic()
        served.services = [
            .init(address: vip, transport: .tcp, port: 80),
            .init(address: vip, transport: .udp, port: 53),
            .init(address: vip6, transport: .tcp, port: 80),
            .init(address: vip6, transport: .udp, port: 53),
        ]
        served.servers = [
            .init(address: server, transport: .tcp, port: 8080),
            .init(address: server, transport: .udp, port: 8080),
        ]
        served.hostAddresses = [
            vip, vip6, IPAddress(v4: 0x0a4c_01fe), IPAddress(v4: 0x0a4c_02fe),
        ]
        return served
    }

    func tcp(_ port: UInt16, at address: String = "10.76.9.1") throws -> TestSocket.Answer {
        let family: Int32 = address.contains(":") ? 10 : 2
        return try client.inside {
            TestSocket(.tcp, family: family).connect(address, port: port)
        }
    }

    func udp(_ port: UInt16, at address: String = "10.76.9.1") throws -> TestSocket.Answer {
        let family: Int32 = address.contains(":") ? 10 : 2
        return try client.inside { TestSocket(.udp, family: family).ask(address, port: port) }
    }

    /// Whether a datagram of the real server reaches the far host through the forwarding host.
    func forwarded(from port: UInt16) throws -> Bool {
        let receiver = try far.inside { TestSocket(.udp) }
        _ = receiver.bind("10.76.2.2", port: 4000)
        let sender = try client.inside { TestSocket(.udp) }
        _ = sender.bind("10.76.1.1", port: port)
        _ = sender.send(to: "10.76.2.2", port: 4000)
        return receiver.receive() != nil
    }
}

@Suite(
    .serialized,
    .enabled(if: TestNamespace.available, "needs root: makes network namespaces"))
struct IngressBlockTests {
    static let mechanisms = [IngressBlock.Mechanism.nftables, .trafficControl]

    @Test("A blocked service gets neither resets nor unreachables", arguments: mechanisms)
    func servedIsSilent(_ mechanism: IngressBlock.Mechanism) throws {
        let network = try HostNetwork()
        #expect(try network.tcp(80) == .refused)
        #expect(try network.udp(53) == .refused)
        let block = try network.block(mechanism)
        try block.update(HostNetwork.served)
        #expect(try network.tcp(80) == .silent)
        #expect(try network.udp(53) == .silent)
        #expect(try network.tcp(80, at: "fd76:9::1") == .silent)
        #expect(try network.udp(53, at: "fd76:9::1") == .silent)
    }

    @Test("What is not served at the virtual address stays the host's", arguments: mechanisms)
    func otherTrafficPasses(_ mechanism: IngressBlock.Mechanism) throws {
        let network = try HostNetwork()
        let block = try network.block(mechanism)
        try block.update(HostNetwork.served)
        let listener = try network.lvs.inside { TestSocket(.tcp) }
        #expect(listener.bind("10.76.9.1", port: 22))
        listener.listen()
        #expect(try network.tcp(22) == .accepted)
        #expect(try network.tcp(81) == .refused)
        #expect(try network.udp(80) == .refused)
        #expect(try network.tcp(81, at: "fd76:9::1") == .refused)
        #expect(network.client.status("ping -c 1 -W 1 10.76.9.1") == 0)
        #expect(network.client.status("ping -c 1 -W 1 fd76:9::1") == 0)
    }

    @Test("A real server's replies are kept unless they are for the host", arguments: mechanisms)
    func repliesAreKept(_ mechanism: IngressBlock.Mechanism) throws {
        let network = try HostNetwork()
        #expect(try network.forwarded(from: 8080))
        let block = try network.block(mechanism)
        try block.update(HostNetwork.served)
        #expect(try !network.forwarded(from: 8080))
        #expect(try network.forwarded(from: 8081))
        let server = try network.client.inside { TestSocket(.tcp) }
        #expect(server.bind("10.76.1.1", port: 8080))
        server.listen()
        let check = try network.lvs.inside { TestSocket(.tcp).connect("10.76.1.1", port: 8080) }
        #expect(check == .accepted)
    }

    @Test("Replies to local addresses that the host has are kept", arguments: mechanisms)
    func localAddresses(_ mechanism: IngressBlock.Mechanism) throws {
        let network = try HostNetwork()
        let block = try network.block(mechanism)
        try block.update(HostNetwork.served)
        let server = try network.client.inside { TestSocket(.tcp) }
        #expect(server.bind("10.76.1.1", port: 8080))
        server.listen()
        let ask = {
            try network.lvs.inside { TestSocket(.tcp).connect("10.76.1.1", port: 8080) }
        }
        #expect(try ask() == .accepted)
        var more = ServedTraffic()
        more.locals = [IPAddress(v4: 0x0a4c_01fe)]
        try block.widen(by: more)
        #expect(try ask() == .silent)
        try block.update(HostNetwork.served)
        #expect(try ask() == .accepted)
        var exact = HostNetwork.served
        exact.locals = more.locals
        try block.update(exact)
        #expect(try ask() == .silent)
    }

    @Test("Fragments of a served datagram are kept, others pass", arguments: mechanisms)
    func fragments(_ mechanism: IngressBlock.Mechanism) throws {
        let network = try HostNetwork()
        let block = try network.block(mechanism)
        var served = ServedTraffic()
        served.services = [.init(address: HostNetwork.vip, transport: .udp, port: 53)]
        try block.update(served)
        // A large echo request is another protocol: all its fragments reach the host.
        #expect(network.client.status("ping -c 1 -W 1 -s 4000 10.76.9.1") == 0)
        // A large datagram to another port loses the fragments that have no port.
        let listener = try network.lvs.inside { TestSocket(.udp) }
        #expect(listener.bind("10.76.9.1", port: 54))
        let sender = try network.client.inside { TestSocket(.udp) }
        #expect(sender.connect("10.76.9.1", port: 54) == .accepted)
        #expect(sender.send(bytes: 4000))
        #expect(listener.receive() == nil)
        try block.update(ServedTraffic())
        #expect(sender.send(bytes: 4000))
        #expect(listener.receive()?.count == 4000)
    }

    @Test("A service at port 0 takes every port, and no other protocol", arguments: mechanisms)
    func everyPort(_ mechanism: IngressBlock.Mechanism) throws {
        let network = try HostNetwork()
        let block = try network.block(mechanism)
        var served = ServedTraffic()
        served.services = [.init(address: HostNetwork.vip, transport: .tcp, port: 0)]
        try block.update(served)
        #expect(try network.tcp(80) == .silent)
        #expect(try network.tcp(8443) == .silent)
        #expect(try network.udp(80) == .refused)
    }

    @Test("Blocks of addresses and ports are kept to their bounds", arguments: mechanisms)
    func blocks(_ mechanism: IngressBlock.Mechanism) throws {
        let network = try HostNetwork()
        let block = try network.block(mechanism)
        var served = ServedTraffic()
        let networks = [
            MarkRule.Prefix(address: IPAddress(v4: 0x0a4c_0800), length: 22),
            MarkRule.Prefix(address: HostNetwork.vip6, length: 28),
        ]
        served.blocks = Set(
            networks.map { .init(network: $0, transport: .tcp, ports: 80...90) })
        try block.widen(by: served)
        for address in ["10.76.9.1", "fd76:9::1"] {
            for port in [80, 85, 90] as [UInt16] {
                #expect(try network.tcp(port, at: address) == .silent, "\(address) \(port)")
            }
            #expect(try network.tcp(79, at: address) == .refused)
            #expect(try network.tcp(91, at: address) == .refused)
            #expect(try network.udp(85, at: address) == .refused)
        }
        #expect(try network.tcp(80, at: "10.76.1.254") == .refused, "outside of the network")
        #expect(try network.tcp(80, at: "fd76:1::fe") == .silent, "inside of fd76::/28")
        served.blocks = [
            .init(
                network: .init(address: .anyV4, length: 0), transport: .udp, ports: 0...UInt16.max)
        ]
        try block.update(served)
        #expect(try network.tcp(80) == .refused)
        #expect(try network.udp(7) == .silent)
        #expect(try network.udp(7, at: "10.76.1.254") == .silent)
    }

    @Test("The block follows the services", arguments: mechanisms)
    func followsChanges(_ mechanism: IngressBlock.Mechanism) throws {
        let network = try HostNetwork()
        let block = try network.block(mechanism)
        try block.update(HostNetwork.served)
        var other = HostNetwork.served
        other.services = [.init(address: HostNetwork.vip, transport: .tcp, port: 443)]
        try block.widen(by: other)
        #expect(try network.tcp(80) == .silent)
        #expect(try network.tcp(443) == .silent)
        try block.update(other)
        #expect(try network.tcp(80) == .refused)
        #expect(try network.tcp(443) == .silent)
    }

    @Test("The block outlives its director until it is removed or cleaned", arguments: mechanisms)
    func outlivesTheProcess(_ mechanism: IngressBlock.Mechanism) throws {
        let network = try HostNetwork()
        for _ in 0..<2 {
            do {
                let killed = try network.block(mechanism)
                try killed.update(HostNetwork.served)
            }
            #expect(try network.tcp(80) == .silent)
            let next = try network.block(mechanism)
            #expect(try network.tcp(80) == .silent, "nothing changes before the first update")
            try next.update(HostNetwork.served)
            #expect(try network.tcp(80) == .silent)
            try next.remove()
            #expect(try network.tcp(80) == .refused)
        }
        try network.block(mechanism).update(HostNetwork.served)
        let found = try network.lvs.inside { try IngressBlock.clean() }
        #expect(found.count == 1)
        #expect(try network.tcp(80) == .refused)
        #expect(try network.lvs.inside { try IngressBlock.clean() } == [])
        #expect(try network.lvs.run("nft list ruleset") == "")
        #expect(try !network.lvs.run("tc qdisc show dev d0").contains("clsact"))
    }

    @Test("A flushed block is put back", arguments: mechanisms)
    func putBack(_ mechanism: IngressBlock.Mechanism) throws {
        let network = try HostNetwork()
        let block = try network.block(mechanism)
        try block.update(HostNetwork.served)
        #expect(try !block.keep())
        try network.lvs.run("nft flush ruleset; tc qdisc del dev d0 clsact 2>/dev/null; true")
        #expect(try network.tcp(80) == .refused)
        #expect(try block.keep())
        #expect(try network.tcp(80) == .silent)
    }

    @Test("A name that nft cannot be told is refused")
    func unusableName() throws {
        #expect(throws: IngressBlockError.self) {
            try IngressBlock(interfaces: [.init(index: 77, name: "a\"b")])
        }
    }

    @Test(
        "VLANs served on their own interface pass their parent's block",
        .enabled(if: TestNamespace.hasVLANs, "this kernel has no VLAN interfaces"),
        arguments: mechanisms)
    func foreignVLANs(_ mechanism: IngressBlock.Mechanism) throws {
        let network = try HostNetwork()
        for (host, device, address) in [
            (network.client, "c0", "10.76.5.1"), (network.lvs, "d0", "10.76.5.254"),
        ] {
            try host.run(
                """
                ip link add v5 link \(device) type vlan id 5; ip link set v5 up;
                ip addr add \(address)/24 dev v5
                """)
        }
        let index = try network.lvs.inside { NetworkNamespace.interfaceIndex("d0") }
        let block = try network.block(mechanism)
        var served = ServedTraffic()
        served.services = [.init(address: IPAddress(v4: 0x0a4c_05fe), transport: .tcp, port: 80)]
        try block.update(served)
        #expect(try network.tcp(80, at: "10.76.5.254") == .silent)
        try block.setInterfaces([.init(index: #require(index), name: "d0", foreignVLANs: [5])])
        #expect(try network.tcp(80, at: "10.76.5.254") == .refused)
        #expect(try network.tcp(80) == .refused)
    }

    @Test("The rule for other VLANs is one that the kernel takes", arguments: mechanisms)
    func vlanRule(_ mechanism: IngressBlock.Mechanism) throws {
        let network = try HostNetwork()
        let index = try network.lvs.inside { NetworkNamespace.interfaceIndex("d0") }
        let block = try network.block(mechanism)
        try block.update(HostNetwork.served)
        try block.setInterfaces([.init(index: #require(index), name: "d0", foreignVLANs: [5, 6])])
        #expect(try network.tcp(80) == .silent, "untagged frames are still kept")
    }
}
