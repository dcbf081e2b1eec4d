import LVS
import PacketIO
import TestKit
import Testing

/// Which worker the kernel's BPF machine chooses, frame by frame.
@Suite(.enabled(if: TestNetwork.isPossible, "needs root"))
struct SteeringProgramTests {
    private func address(_ text: String) throws -> IPAddress { try Self.address(text) }

    private static func address(_ text: String) throws -> IPAddress {
        try #require(IPAddress(parsing: text))
    }

    private let map: RedirectMap
    private let trial: SteeringTrial

    /// Service at 10.0.0.100 and 2001:db8::100, port 80 of TCP and 53 of UDP; NAT servers 10.0.1.5,
    /// 10.0.1.6 and 2001:db8:1::5.
    init() throws {
        var served = ServedTraffic()
        for (service, server) in [
            ("10.0.0.100", "10.0.1.5"), ("10.0.0.100", "10.0.1.6"),
            ("2001:db8::100", "2001:db8:1::5"),
        ] {
            for (transport, port) in [(TransportProtocol.tcp, UInt16(80)), (.udp, 53)] {
                served.services.insert(
                    .init(address: try Self.address(service), transport: transport, port: port))
                served.servers.insert(
                    .init(address: try Self.address(server), transport: transport, port: port))
            }
        }
        let map = try RedirectMap()
        try map.update(served)
        self.map = map
        trial = try SteeringTrial(map)
    }

    private func builder(_ from: String, _ to: String) throws -> PacketBuilder {
        PacketBuilder(
            from: try address(from), at: HardwareAddress(value: 0x0200_0000_0002),
            to: try address(to), at: HardwareAddress(value: 0x0200_0000_0001))
    }

    @Test(arguments: [
        ("198.51.100.7", "10.0.0.100", "10.0.1.5"),
        // On the servers' own network, by one interface.
        ("10.0.1.77", "10.0.0.100", "10.0.1.5"),
        // A real server as the client of the service.
        ("10.0.1.5", "10.0.0.100", "10.0.1.6"),
        ("2001:db8:9::7", "2001:db8::100", "2001:db8:1::5"),
    ])
    func bothDirectionsOfAFlowMeetOneWorker(
        client: String, virtual: String, server: String
    ) throws {
        for port in stride(from: UInt16(1024), to: 60_000, by: 311) {
            let request = try builder(client, virtual).tcp(from: port, to: 80, flags: 2)
            let reply = try builder(server, client).tcp(from: 80, to: port, flags: 18)
            let (there, back) = (try trial.share(of: request), try trial.share(of: reply))
            #expect(there == back, "port \(port)")
        }
    }

    @Test(arguments: [2, 3, 4, 8])
    func clientsAreSharedEvenly(workers: Int) throws {
        // Linux gives connecting sockets every other port.
        for (count, builders) in [
            (1, [try builder("198.51.100.7", "10.0.0.100")]),
            (250, try (1...250).map { try builder("198.51.100.\($0)", "10.0.0.100") }),
        ] {
            var shares = [Int](repeating: 0, count: workers)
            for turn in 0..<1000 {
                let port = UInt16(32_768 + 2 * (turn / count))
                let frame = builders[turn % count].tcp(from: port, to: 80, flags: 2)
                shares[try trial.share(of: frame) % workers] += 1
            }
            let fair = 1000 / workers
            #expect(
                shares.allSatisfy { $0 > fair / 2 && $0 < fair * 2 }, "\(count) clients: \(shares)")
        }
    }

    @Test func allFragmentsOfADatagramMeetOneWorker() throws {
        for client in 1...40 {
            let there = try builder("198.51.100.\(client)", "10.0.0.100")
            let back = try builder("10.0.1.5", "198.51.100.\(client)")
            var shares = Set<Int>()
            for (builder, port) in [(there, UInt16(53)), (back, 4000)] {
                var frame = builder.udp(from: port == 53 ? 4000 : 53, to: port)
                for field: UInt16 in [0x2000, 0x2001, 0x0002] {
                    frame.set(20, be16: field)
                    shares.insert(try trial.share(of: frame))
                }
            }
            #expect(shares.count == 1, "client \(client): \(shares)")
        }
    }

    @Test func fragmentsOfIPv6GoByTheirAddressesToo() throws {
        var shares = Set<Int>()
        for field: [UInt8] in [[0, 1], [0, 9], [0, 16]] {
            for port: UInt16 in [1000, 2001, 3002] {
                var six = try builder("2001:db8:9::7", "2001:db8::100")
                six.extensions = (44, [17, 0] + field + [0, 0, 0, 9])
                shares.insert(try trial.share(of: six.udp(from: port, to: 53)))
            }
        }
        #expect(shares.count == 1)
        var behind = Set<Int>()
        for port: UInt16 in 1000..<1040 {
            var six = try builder("2001:db8:9::7", "2001:db8::100")
            let plain = try trial.share(of: six.udp(from: port, to: 53))
            six.extensions = (60, [17, 0, 1, 4, 0, 0, 0, 0])
            let optioned = try trial.share(of: six.udp(from: port, to: 53))
            #expect(plain == optioned, "port \(port)")
            behind.insert(optioned)
        }
        #expect(behind.count > 30)
    }

    @Test func whatIsNoWholeHeaderGoesSomewhere() throws {
        let whole = try builder("198.51.100.7", "10.0.0.100").tcp(from: 4000, to: 80, flags: 2)
        // The kernel tries programs with whole IP headers only.
        for length in 34...whole.count {
            #expect(throws: Never.self, "\(length) bytes") {
                try trial.share(of: Array(whole[..<length]))
            }
        }
        let arp = FrameBytes.arpRequest(for: [10, 0, 0, 100], from: 0x0200_0000_0002)
        #expect(try trial.share(of: arp) == 0)
    }
}
