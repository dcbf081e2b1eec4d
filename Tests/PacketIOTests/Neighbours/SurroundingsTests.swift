import LVS
import PacketIO
import Posix
import Testing

/// ```
/// client 10.76.1.1 ── c0  d0 ── 10.76.1.254 lvs 10.76.2.254 ── d1  s0 ── 10.76.2.1 server
/// ```
/// The lvs host has its default route by 10.76.1.1.
private struct RoutedNetwork {
    static let client = IPAddress(v4: 0x0a4c_0101)
    static let server = IPAddress(v4: 0x0a4c_0201)

    let client: TestNamespace
    let lvs: TestNamespace
    let server: TestNamespace

    init() throws {
        client = try TestNamespace("client")
        lvs = try TestNamespace("lvs")
        server = try TestNamespace("server")
        try client.connect("c0", to: lvs, "d0")
        try server.connect("s0", to: lvs, "d1")
        try client.run("ip link set c0 address 02:00:00:00:01:01; ip addr add 10.76.1.1/24 dev c0")
        try server.run("ip link set s0 address 02:00:00:00:02:01; ip addr add 10.76.2.1/24 dev s0")
        try lvs.run(
            """
            ip link set d0 address 02:00:00:00:01:fe; ip addr add 10.76.1.254/24 dev d0;
            ip link set d1 mtu 1400; ip addr add 10.76.2.254/24 dev d1;
            ip route add default via 10.76.1.1
            """)
    }

    func surroundings(_ names: [String] = ["d0", "d1"]) throws -> Surroundings {
        try lvs.inside { try Surroundings(interfaces: names) }
    }
}

/// A clock in steps of a second, which lets every list be read again.
private struct Steps {
    private var seconds: UInt64 = 1

    mutating func next() -> Instant {
        seconds += 1
        return Instant(nanoseconds: seconds * 1_000_000_000)
    }
}

extension Surroundings {
    /// Updates until a condition holds for what has come; false when it never does.
    fileprivate func follow(
        _ steps: inout Steps, until condition: (Update) -> Bool
    ) throws -> Bool {
        var now = steps
        defer { steps = now }
        return try eventually { condition(try update(now: now.next())) }
    }
}

@Suite(
    .serialized,
    .enabled(if: TestNamespace.available, "needs root: makes network namespaces"))
struct SurroundingsTests {
    @Test("The first update tells everything")
    func first() throws {
        let network = try RoutedNetwork()
        let update = try network.surroundings().update(now: Instant(nanoseconds: 1))
        let ports = try #require(update.ports)
        #expect(ports.map(\.name) == ["d0", "d1"])
        #expect(ports[0].hardware == HardwareAddress(value: 0x0200_0000_01fe))
        #expect(ports.map(\.mtu) == [1500, 1400])
        let addresses = try #require(update.hostAddresses)
        #expect(addresses.contains(IPAddress(v4: 0x0a4c_01fe)))
        #expect(addresses.contains(IPAddress(high: 0, low: 1)), "::1")
        let routes = try #require(update.routes)
        #expect(
            routes.first { $0.prefix == .anyV4 && $0.prefixLength == 0 }
                == Route(
                    prefix: .anyV4, prefixLength: 0,
                    kind: .forward(port: 0, gateway: RoutedNetwork.client),
                    preferredSource: IPAddress(v4: 0x0a4c_01fe), rank: 1))
        #expect(
            routes.contains(
                Route(
                    prefix: IPAddress(v4: 0x0a4c_0200), prefixLength: 24,
                    kind: .forward(port: 1, gateway: nil),
                    preferredSource: IPAddress(v4: 0x0a4c_02fe), rank: 1)))
        #expect(
            routes.contains {
                $0.prefix == IPAddress(v4: 0x0a4c_02fe) && $0.prefixLength == 32
                    && $0.kind == .local
            })
        #expect(update.warnings == [])
        #expect(update.appeared == [])
    }

    @Test("Nothing changed is an empty update")
    func quiet() throws {
        let surroundings = try RoutedNetwork().surroundings()
        var steps = Steps()
        _ = try surroundings.follow(&steps) { $0.isEmpty }
        #expect(try surroundings.update(now: steps.next()).isEmpty)
    }

    @Test("Without names every Ethernet interface that is up is served")
    func byDefault() throws {
        let network = try RoutedNetwork()
        try network.lvs.run(
            """
            ip link add spare type veth peer name down; ip link set spare up;
            ip link set d1 down; ip tuntap add mode tun name tunnel; ip link set tunnel up
            """)
        let ports = try network.surroundings([]).ports
        #expect(Set(ports.map(\.name)) == ["d0", "spare"])
    }

    @Test("Names that cannot be served are refused with a reason")
    func refusals() throws {
        let network = try RoutedNetwork()
        for (names, reason) in [
            (["nowhere"], "no interface nowhere here"), (["lo"], "not an Ethernet interface"),
            (["d0", "d0"], "named twice"),
        ] {
            let error = #expect(throws: SurroundingsError.self) {
                try network.surroundings(names)
            }
            #expect(error?.description.contains(reason) == true)
        }
        let empty = try TestNamespace("empty")
        let error = #expect(throws: SurroundingsError.self) {
            try empty.inside { try Surroundings(interfaces: []) }
        }
        #expect(error?.code == .nothingToServe)
    }

    @Test("A route by an interface that is not served leads elsewhere, and refusals are told")
    func kindsOfRoutes() throws {
        let network = try RoutedNetwork()
        try network.lvs.run(
            """
            ip route add blackhole 10.1.0.0/16; ip route add unreachable 10.2.0.0/16;
            ip route add prohibit 10.3.0.0/16; ip route add 10.4.0.0/16 via 10.76.2.1 mtu 1300;
            ip route add 10.5.0.0/16 nexthop via 10.76.2.1 nexthop via 10.76.1.1;
            ip route add 10.6.0.0/16 via 10.76.1.1 metric 10;
            ip route add 10.6.0.0/16 via 10.76.2.1 metric 20 src 10.76.1.254;
            ip route add 10.7.0.0/16 via 10.76.1.1 src 10.76.2.254
            """)
        let update = try network.surroundings(["d0"]).update(now: Instant(nanoseconds: 1))
        let routes = try #require(update.routes)
        func route(_ second: UInt32) -> Route? {
            routes.first {
                $0.prefix == IPAddress(v4: 0x0a00_0000 | second << 16) && $0.prefixLength == 16
            }
        }
        for refused: UInt32 in 1...3 { #expect(route(refused)?.kind == .refused) }
        #expect(route(4)?.kind == .elsewhere(interface: "d1"))
        #expect(route(4)?.mtu == 1300)
        #expect(route(5)?.kind == .elsewhere(interface: "d1"), "first hop of several")
        #expect(route(6)?.kind == .forward(port: 0, gateway: RoutedNetwork.client))
        #expect(route(6)?.metric == 10)
        #expect(route(7)?.preferredSource == IPAddress(v4: 0x0a4c_02fe))
    }

    @Test("IPv6 routes, gateways and addresses are read as well")
    func ipv6() throws {
        let network = try RoutedNetwork()
        try network.lvs.run(
            """
            ip addr add fd76:1::fe/64 dev d0 nodad; ip route add fd99::/32 via fd76:1::1;
            ip route add blackhole fd98::/32
            """)
        // The kernel makes the address's own route a little later.
        try network.lvs.run(
            """
            for turn in $(seq 200); do
            ip -6 route show table local | grep -q fd76:1::fe && break; sleep 0.05; done
            """)
        let update = try network.surroundings().update(now: Instant(nanoseconds: 1))
        let routes = try #require(update.routes)
        let host = IPAddress(high: 0xfd76_0001_0000_0000, low: 0xfe)
        #expect(
            routes.first { $0.prefix.high == 0xfd99 << 48 }?.kind
                == .forward(port: 0, gateway: IPAddress(high: host.high, low: 1)))
        #expect(routes.first { $0.prefix.high == 0xfd99 << 48 }?.preferredSource == host)
        #expect(routes.first { $0.prefix.high == 0xfd98 << 48 }?.kind == .refused)
        #expect(routes.first { $0.prefix == host && $0.prefixLength == 128 }?.kind == .local)
        #expect(update.hostAddresses?.contains(host) == true)
    }

    @Test(
        "A router known by its link-local address is found, and other hosts are told a global one")
    func linkLocalRouter() throws {
        let network = try RoutedNetwork()
        try network.lvs.run(
            "ip addr add fd76:1::fe/64 dev d0 nodad; ip route add default via fe80::1:1 dev d0")
        let surroundings = try network.surroundings()
        var steps = Steps()
        let update = try surroundings.update(now: steps.next())
        let router = IPAddress(high: 0xfe80 << 48, low: 0x1_0001)
        let route = try #require(
            update.routes?.first { $0.prefix == .anyV6 && $0.prefixLength == 0 })
        #expect(route.kind == .forward(port: 0, gateway: router))
        #expect(
            route.preferredSource == IPAddress(high: 0xfd76_0001_0000_0000, low: 0xfe),
            "\(String(describing: route.preferredSource))")
        try network.lvs.run(
            "ip neigh replace fe80::1:1 lladdr 02:00:00:00:00:77 dev d0 nud permanent")
        #expect(
            try surroundings.follow(&steps) { update in
                update.neighbours.contains {
                    $0.neighbour == Neighbour(port: 0, address: router)
                        && $0.hardware == HardwareAddress(value: 0x0200_0000_0077)
                }
            })
        // What has gone from the host is gone here.
        try network.lvs.run("ip addr del fd76:1::fe/64 dev d0; ip -6 route del default")
        #expect(
            try surroundings.follow(&steps) { update in
                update.routes?.contains { $0.prefix == .anyV6 && $0.prefixLength == 0 } == false
            })
        #expect(
            try surroundings.update(now: steps.next()).hostAddresses == nil
                || !surroundings.monitor.hostAddresses.contains(
                    IPAddress(high: 0xfd76_0001_0000_0000, low: 0xfe))
        )
    }

    @Test("Routes and addresses that change are followed")
    func followsRoutes() throws {
        let network = try RoutedNetwork()
        let surroundings = try network.surroundings()
        var steps = Steps()
        _ = try surroundings.update(now: steps.next())
        try network.lvs.run("ip route replace default via 10.76.2.1")
        let replaced = try surroundings.follow(&steps) { update in
            update.routes?.contains {
                $0.prefixLength == 0
                    && $0.kind == .forward(port: 1, gateway: RoutedNetwork.server)
            } == true
        }
        #expect(replaced)
        try network.lvs.run("ip addr add 10.76.9.1/32 dev lo")
        let vip = IPAddress(v4: 0x0a4c_0901)
        #expect(try surroundings.follow(&steps) { $0.hostAddresses?.contains(vip) == true })
        // IPv4 does not tell which routes go with an interface.
        try network.lvs.run("ip link set d1 down")
        let gone = try surroundings.follow(&steps) { update in
            update.routes?.contains { $0.prefixLength == 0 } == false
        }
        #expect(gone)
    }

    @Test("When the kernel loses events, everything is read again")
    func lostEvents() throws {
        let network = try RoutedNetwork()
        let surroundings = try network.surroundings()
        var steps = Steps()
        _ = try surroundings.update(now: steps.next())
        // Some 20,000 events are more than the socket's buffer holds.
        try network.lvs.run(
            """
            i=0; while [ $i -lt 20000 ]; do
            echo route add 20.$((i / 256)).$((i % 256)).0/24 via 10.76.1.1; i=$((i + 1));
            done | ip -batch -; ip addr add 10.76.9.1/32 dev lo
            """)
        var update = try surroundings.update(now: steps.next())
        #expect((update.routes?.count ?? 0) > 20_000)
        #expect(update.hostAddresses?.contains(IPAddress(v4: 0x0a4c_0901)) == true)
        try network.lvs.run("ip route replace 20.0.0.0/24 via 10.76.2.1")
        update = try surroundings.update(now: steps.next())
        #expect(
            update.routes?.first { $0.prefix == IPAddress(v4: 0x1400_0000) }?.kind
                == .forward(port: 1, gateway: RoutedNetwork.server))
    }

    @Test("Policy rules that ask for more than addresses are warned of once")
    func strangeRules() throws {
        let network = try RoutedNetwork()
        let surroundings = try network.surroundings()
        var steps = Steps()
        _ = try surroundings.update(now: steps.next())
        try network.lvs.run("ip rule add fwmark 9 lookup 77 priority 1077")
        try network.lvs.run("ip rule add iif d1 lookup 77 priority 1078")
        try network.lvs.run("ip rule add from 10.9.0.0/16 lookup 77 priority 1079")
        var warnings: [String] = []
        for _ in 0..<5 { warnings += try surroundings.update(now: steps.next()).warnings }
        #expect(warnings.count == 1)
        #expect(warnings.first?.contains("priority 1077 ask") == true)
    }

    @Test("Policy rules for addresses lead to the routes of their tables, in their order")
    func policyRules() throws {
        let network = try RoutedNetwork()
        let surroundings = try network.surroundings()
        var steps = Steps()
        _ = try surroundings.update(now: steps.next())
        try network.lvs.run("ip route add 20.0.0.0/8 via 10.76.2.1 table 77")
        try network.lvs.run("ip route add throw 20.9.0.0/16 table 77")
        try network.lvs.run("ip rule add from 10.9.0.0/16 to 20.1.0.0/16 lookup 77 priority 1077")
        try network.lvs.run("ip rule add to 20.0.0.0/7 lookup 77 priority 1078")
        try network.lvs.run("ip rule add from 10.8.0.0/16 unreachable priority 1079")
        let routes = try #require(surroundings.update(now: steps.next()).routes)
        let server = Route.Kind.forward(port: 1, gateway: RoutedNetwork.server)
        func ruled(_ rank: Int) -> [Route] {
            routes.filter { $0.rank == rank && $0.prefix.isV4 }
                .map { route in
                    var route = route
                    route.preferredSource = nil
                    return route
                }
                .sorted { $0.prefixLength < $1.prefixLength }
        }
        let nine = AddressPrefix(address: IPAddress(v4: 0x0a09_0000), length: 16)
        #expect(
            ruled(1) == [
                Route(
                    prefix: IPAddress(v4: 0x1401_0000), prefixLength: 16, kind: server, rank: 1,
                    source: nine)
            ])
        #expect(
            ruled(2) == [
                Route(prefix: IPAddress(v4: 0x1400_0000), prefixLength: 8, kind: server, rank: 2),
                Route(
                    prefix: IPAddress(v4: 0x1409_0000), prefixLength: 16, kind: .proceed, rank: 2),
            ])
        let eight = AddressPrefix(address: IPAddress(v4: 0x0a08_0000), length: 16)
        #expect(
            ruled(3) == [
                Route(prefix: .anyV4, prefixLength: 0, kind: .refused, rank: 3, source: eight)
            ])
        #expect(
            ruled(4).contains { $0.prefix == .anyV4 && $0.prefixLength == 0 }, "main comes last")
    }
}
