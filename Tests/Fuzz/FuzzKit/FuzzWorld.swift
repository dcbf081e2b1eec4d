import LVS

/// The network and the services of a fuzzed director: at the addresses and ports that the recordings
/// use, so that their frames meet them.
enum FuzzWorld {
    static let virtual = (v4: address("10.1.0.100"), v6: address("2001:db8:1::100"))
    /// What servers see of clients with FULLNAT.
    static let local = address("10.2.0.200")

    /// Kinds of services: transport, port, scheduler, and how its servers are reached.
    private static let services:
        [(TransportProtocol, UInt16, String, ForwardingMethod, TunnelKind, UInt16)] = [
            (.tcp, 80, "wlc", .masquerading, .ipip, 8080),
            (.tcp, 443, "rr", .directRouting, .ipip, 443),
            (.tcp, 8080, "sh", .tunnel, .ipip, 8080),
            (.tcp, 8081, "nq", .tunnel, .gue(port: 6080, flags: 2), 8081),
            (.tcp, 8082, "sed", .tunnel, .gre(flags: 1), 8082),
            (.tcp, 21, "lblcr", .masquerading, .ipip, 21),
            (.udp, 53, "mh", .masquerading, .ipip, 5353),
            (.udp, 500, "lc", .masquerading, .ipip, 500),
            (.sctp, 80, "wrr", .masquerading, .ipip, 8080),
            (.sctp, 81, "dh", .tunnel, .ipip, 81),
        ]

    static func setUp(_ director: Director) {
        setUpNetwork(director)
        for service in services {
            for virtual in [virtual.v4, virtual.v6] { add(service, virtual, director) }
        }
        setUpSpecial(director)
        for (name, value) in [("schedule_icmp", 1), ("nat_icmp_send", 1)] {
            try? director.set(name: name, value: value)
        }
    }

    static func address(_ text: String) -> IPAddress {
        guard let address = IPAddress(parsing: text) else {
            preconditionFailure("\(text) is an address")
        }
        return address
    }

    private static func server(_ number: Int, _ virtual: IPAddress) -> IPAddress {
        virtual.isV4 ? address("10.2.0.1\(number)") : address("2001:db8:2::1\(number)")
    }

    private static func setUpNetwork(_ director: Director) {
        director.setPorts([
            Port(
                index: 0, name: "cli", hardware: HardwareAddress(value: 0x0200_0a01_0001), mtu: 1500
            ),
            Port(
                index: 1, name: "srv", hardware: HardwareAddress(value: 0x0200_0a02_0001), mtu: 1400
            ),
        ])
        var routes: [Route] = []
        for (gateway, own, network, length, inside) in [
            ("10.1.0.254", "10.1.0.1", "10.2.0.0", UInt8(24), "10.2.0.1"),
            ("2001:db8:1::fe", "2001:db8:1::1", "2001:db8:2::", 64, "2001:db8:2::1"),
        ] {
            let gateway = address(gateway)
            routes.append(
                Route(
                    prefix: gateway.isV4 ? .anyV4 : address("::"), prefixLength: 0,
                    kind: .forward(port: 0, gateway: gateway), preferredSource: address(own)))
            routes.append(
                Route(
                    prefix: address(network), prefixLength: length,
                    kind: .forward(port: 1, gateway: nil), preferredSource: address(inside)))
            director.setNeighbour(
                Neighbour(port: 0, address: gateway), HardwareAddress(value: 0x0200_0a01_00fe))
        }
        director.setRoutes(routes)
        director.setHostAddresses([
            address("10.1.0.1"), address("10.2.0.1"), address("2001:db8:1::1"),
            address("2001:db8:2::1"), virtual.v4, virtual.v6,
        ])
        for number in 1...3 {
            for virtual in [virtual.v4, virtual.v6] {
                director.setNeighbour(
                    Neighbour(port: 1, address: server(number, virtual)),
                    HardwareAddress(value: 0x0200_0a02_000a + UInt64(number)))
            }
        }
    }

    private static func add(
        _ kind: (TransportProtocol, UInt16, String, ForwardingMethod, TunnelKind, UInt16),
        _ virtual: IPAddress, _ director: Director
    ) {
        let key = ServiceKey.address(kind.0, virtual, port: kind.1)
        add(VirtualService(key: key, scheduler: kind.2), kind.3, kind.4, kind.5, director)
    }

    /// One packet each, persistence by client, by call and by mark, tunnels between families.
    private static func setUpSpecial(_ director: Director) {
        let udp = { ServiceKey.address(.udp, virtual.v4, port: $0) }
        var onePacket = VirtualService(key: udp(5000), scheduler: "wrr")
        onePacket.flags.insert(.onePacket)
        add(onePacket, .masquerading, .ipip, 5000, director)
        var calls = VirtualService(key: udp(5060), scheduler: "rr", persistenceEngine: "sip")
        calls.flags.insert(.persistent)
        calls.persistenceTimeoutSeconds = 60
        add(calls, .masquerading, .ipip, 5060, director)
        var persistent = VirtualService(
            key: .address(.tcp, virtual.v4, port: 0), scheduler: "lc")
        persistent.flags.insert(.persistent)
        persistent.persistenceTimeoutSeconds = 60
        add(persistent, .tunnel, .ipip, 0, director)
        for family in [AddressFamily.v4, .v6] {
            var marked = VirtualService(key: .mark(7, family), scheduler: "nq")
            marked.flags.insert(.persistent)
            marked.persistenceTimeoutSeconds = 60
            if family == .v6 { marked.netmask = 64 }
            add(marked, .directRouting, .ipip, 0, director)
        }
        let mixed = ServiceKey.address(.udp, virtual.v6, port: 5001)
        _ = try? director.add(VirtualService(key: mixed, scheduler: "rr"))
        _ = try? director.add(
            RealServer(address: server(1, virtual.v4), port: 5001, method: .tunnel), to: mixed)
        setUpTranslation(director)
    }

    /// FULLNAT from IPv6 clients to servers of IPv4.
    private static func setUpTranslation(_ director: Director) {
        do throws(CommandRefusal) {
            for (transport, port) in [(TransportProtocol.tcp, UInt16(8083)), (.udp, 5002)] {
                let key = ServiceKey.address(transport, virtual.v6, port: port)
                try director.add(VirtualService(key: key, scheduler: "rr"))
                try director.addLocals([local], to: key)
                try director.add(
                    RealServer(address: server(1, virtual.v4), port: port, method: .fullNAT),
                    to: key)
            }
        } catch {
            preconditionFailure("FULLNAT is refused: \(error)")
        }
    }

    private static func add(
        _ service: VirtualService, _ method: ForwardingMethod, _ tunnel: TunnelKind,
        _ port: UInt16, _ director: Director
    ) {
        do throws(CommandRefusal) {
            try director.add(service)
            for number in 1...3 {
                let family = service.key.family == .v4 ? virtual.v4 : virtual.v6
                try director.add(
                    RealServer(
                        address: server(number, family), port: port, method: method,
                        weight: Int32(number), tunnel: tunnel), to: service.key)
            }
        } catch {
            preconditionFailure("\(service.key) is refused: \(error)")
        }
    }
}
