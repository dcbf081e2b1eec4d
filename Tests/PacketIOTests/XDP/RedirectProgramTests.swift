import LVS
import PacketIO
import TestKit
import Testing

/// What the kernel's BPF machine answers, frame by frame; the rules are those of `ServedTraffic`.
@Suite(.enabled(if: TestNetwork.isPossible, "needs root"))
struct RedirectProgramTests {
    private static let station: UInt64 = 0x0200_0000_0001

    private func address(_ text: String) throws -> IPAddress {
        try #require(IPAddress(parsing: text))
    }

    private func endpoint(
        _ text: String, _ port: UInt16, _ transport: TransportProtocol = .tcp
    ) throws -> ServedTraffic.Endpoint {
        .init(address: try address(text), transport: transport, port: port)
    }

    /// 10.0.0.100:80 and every port of 10.0.0.101; real server 10.0.1.5:8080; the host is 10.0.0.1.
    private func served() throws -> ServedTraffic {
        var served = ServedTraffic()
        served.services = [
            try endpoint("10.0.0.100", 80), try endpoint("10.0.0.101", 0, .udp),
            try endpoint("2001:db8::100", 80),
        ]
        served.servers = [
            try endpoint("10.0.1.5", 8080), try endpoint("2001:db8:1::5", 8080),
        ]
        served.tunnels = [try endpoint("10.0.1.9", 80)]
        served.hostAddresses = [try address("10.0.0.1"), try address("2001:db8::1")]
        return served
    }

    private func builder(_ from: String, _ to: String) throws -> PacketBuilder {
        PacketBuilder(
            from: try address(from), at: HardwareAddress(value: 0x0200_0000_0002),
            to: try address(to), at: HardwareAddress(value: Self.station))
    }

    private func tcp(
        _ from: String, _ source: UInt16, _ to: String, _ destination: UInt16
    ) throws -> [UInt8] {
        try builder(from, to).tcp(from: source, to: destination, flags: 2)
    }

    private func map() throws -> RedirectMap {
        let map = try RedirectMap()
        try map.update(served())
        return map
    }

    private func isOurs(_ frame: [UInt8], of map: RedirectMap) throws -> Bool {
        try map.redirects(frame, station: Self.station)
    }

    @Test(arguments: [
        ("10.0.9.9", UInt16(4000), "10.0.0.100", UInt16(80), true),
        ("10.0.9.9", 4000, "10.0.0.100", 81, false),
        ("10.0.9.9", 4000, "10.0.0.99", 80, false),
        ("10.0.9.9", 4000, "10.0.0.101", 80, false),  // every port, of UDP
        ("10.0.1.5", 8080, "10.0.9.9", 4000, true),
        ("10.0.1.5", 8081, "10.0.9.9", 4000, false),
        ("10.0.1.5", 8080, "10.0.0.1", 4000, false),  // a health check's answer
        ("10.0.1.5", 8080, "10.0.0.100", 80, true),
        ("2001:db8:9::9", 4000, "2001:db8::100", 80, true),
        ("2001:db8:9::9", 4000, "2001:db8::100", 443, false),
        ("2001:db8:1::5", 8080, "2001:db8:9::9", 4000, true),
        ("2001:db8:1::5", 8080, "2001:db8::1", 4000, false),
    ])
    func connectionsOfServicesAndServersAreRedirected(
        from: String, source: UInt16, to: String, destination: UInt16, isOurs wanted: Bool
    ) throws {
        let got = try isOurs(tcp(from, source, to, destination), of: map())
        #expect(got == wanted)
    }

    @Test func aServiceOnEveryPortTakesEveryPortOfItsProtocol() throws {
        let map = try map()
        for port: UInt16 in [0, 1, 53, 65535] {
            let udp = try builder("10.0.9.9", "10.0.0.101").udp(from: 4000, to: port)
            #expect(try isOurs(udp, of: map), "port \(port)")
        }
    }

    @Test func headersWithOptionsAreLookedBehind() throws {
        let map = try map()
        var frame = try tcp("10.0.9.9", 4000, "10.0.0.100", 80)
        frame[14] = 0x47
        frame.insert(contentsOf: [1, 1, 1, 1, 1, 1, 1, 1], at: 34)
        #expect(try isOurs(frame, of: map))
        var six = try builder("2001:db8:9::9", "2001:db8::100")
        six.extensions = (0, [60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0])
        #expect(try isOurs(six.tcp(from: 4000, to: 80, flags: 2), of: map))
        #expect(try !isOurs(six.tcp(from: 4000, to: 81, flags: 2), of: map))
    }

    @Test func laterFragmentsGoByAddressAndProtocol() throws {
        let map = try map()
        for (from, to, isOurs) in [
            ("10.0.9.9", "10.0.0.100", true), ("10.0.9.9", "10.0.0.99", false),
            ("10.0.1.5", "10.0.9.9", true), ("10.0.1.5", "10.0.0.1", false),
        ] {
            var frame = try tcp(from, 9, to, 9)
            frame[20] = 0x00
            frame[21] = 0x10
            #expect(try self.isOurs(frame, of: map) == isOurs, "\(from) to \(to)")
        }
        var six = try builder("2001:db8:9::9", "2001:db8::100")
        six.extensions = (44, [6, 0, 0, 0x10, 0, 0, 0, 1])
        #expect(try isOurs(six.tcp(from: 9, to: 9, flags: 2), of: map))
        six.extensions = (44, [17, 0, 0, 0x10, 0, 0, 0, 1])
        #expect(try !isOurs(six.udp(from: 9, to: 9), of: map))
    }

    /// An ICMP message about a packet.
    private func error(
        _ type: UInt8, _ from: String, _ to: String, about quoted: [UInt8]
    ) throws -> [UInt8] {
        let builder = try builder(from, to)
        let isV6 = builder.source.family == .v6
        return builder.frame(
            transport: isV6 ? 58 : 1, checksumAt: isV6 ? 2 : nil,
            [type, 0, 0, 0, 0, 0, 0, 0] + quoted.dropFirst(14))
    }

    @Test func errorsAboutWhatIsServedAreRedirectedAndEchoIsNot() throws {
        let map = try map()
        let reply = try tcp("10.0.0.100", 80, "10.0.9.9", 4000)
        let request = try tcp("10.0.9.9", 4000, "10.0.1.5", 8080)
        let other = try tcp("10.0.9.9", 4000, "10.0.1.5", 22)
        let tunnelled = try tcp("10.0.9.9", 4000, "10.0.1.9", 80)
        for (type, to, quoted, isOurs) in [
            (UInt8(3), "10.0.0.100", reply, true), (11, "10.0.0.100", reply, true),
            (12, "10.0.0.100", reply, true), (8, "10.0.0.100", reply, false),
            (3, "10.0.9.9", request, true), (3, "10.0.0.1", request, false),
            (12, "10.0.9.9", request, false), (3, "10.0.9.9", other, false),
            (3, "10.0.0.1", tunnelled, true),
        ] {
            let frame = try error(type, "10.0.7.7", to, about: quoted)
            let got = try self.isOurs(frame, of: map)
            #expect(got == isOurs, "type \(type) to \(to)")
        }
        let six = try tcp("2001:db8:9::9", 4000, "2001:db8:1::5", 8080)
        #expect(try isOurs(error(1, "2001:db8:7::7", "2001:db8:9::9", about: six), of: map))
        #expect(try !isOurs(error(1, "2001:db8:7::7", "2001:db8::1", about: six), of: map))
        #expect(try !isOurs(error(128, "2001:db8:7::7", "2001:db8::100", about: six), of: map))
    }

    @Test func whatIsForOthersAndWhatIsNoIPPasses() throws {
        let map = try map()
        var other = try tcp("10.0.9.9", 4000, "10.0.0.100", 80)
        other[5] ^= 1
        #expect(try !isOurs(other, of: map))
        var group = try tcp("10.0.9.9", 4000, "10.0.0.100", 80)
        group.replaceSubrange(0..<6, with: [255, 255, 255, 255, 255, 255])
        #expect(try !isOurs(group, of: map))
        let question = FrameBytes.arpRequest(for: [10, 0, 0, 100], from: 0x0200_0000_0002)
        #expect(try !isOurs(question, of: map))
    }

    @Test func aTaggedFrameIsOursUnlessTheHostHasTheVLAN() throws {
        let map = try map()
        var frame = try tcp("10.0.9.9", 4000, "10.0.0.100", 80)
        frame.insert(contentsOf: [0x81, 0, 0x20, 100], at: 12)
        let station = Self.station
        #expect(try map.redirects(frame, station: station))
        #expect(try map.redirects(frame, station: station, hostVLANs: [101]))
        #expect(try !map.redirects(frame, station: station, hostVLANs: [99, 100]))
    }

    @Test func framesCutAnywherePass() throws {
        let map = try map()
        let reply = try tcp("10.0.0.100", 80, "10.0.9.9", 4000)
        for frame in [
            try tcp("10.0.9.9", 4000, "10.0.0.100", 80),
            try tcp("2001:db8:9::9", 4000, "2001:db8::100", 80),
            try error(3, "10.0.7.7", "10.0.9.9", about: reply),
        ] {
            // Shorter than an Ethernet header the kernel takes no frame.
            for length in 14..<34 {
                let got = try isOurs(Array(frame.prefix(length)), of: map)
                #expect(!got, "\(length) bytes")
            }
        }
    }

    @Test func whatIsServedNoLongerPasses() throws {
        let map = try map()
        let frame = try tcp("10.0.9.9", 4000, "10.0.0.100", 80)
        #expect(try isOurs(frame, of: map))
        var less = try served()
        less.services = []
        try map.update(less)
        #expect(try !isOurs(frame, of: map))
        var more = ServedTraffic()
        more.services = [try endpoint("10.0.0.100", 80)]
        try map.widen(by: more)
        #expect(try isOurs(frame, of: map))
        try map.update(less)
        #expect(try !isOurs(frame, of: map))
    }

    /// The host is 10.0.0.1 and has a local address, 10.0.0.1 itself or none.
    @Test func repliesToLocalAddressesAreRedirectedWhoeverHasThem() throws {
        let map = try map()
        let reply = try tcp("10.0.1.5", 8080, "10.0.0.1", 4000)
        let other = try tcp("10.0.1.5", 8081, "10.0.0.1", 4000)
        let six = try tcp("2001:db8:1::5", 8080, "2001:db8::1", 4000)
        let about = try error(
            3, "10.0.7.7", "10.0.0.1", about: tcp("10.0.0.1", 4000, "10.0.1.5", 8080))
        for frame in [reply, other, six, about] { #expect(try !isOurs(frame, of: map)) }
        var more = ServedTraffic()
        more.locals = [try address("10.0.0.1"), try address("2001:db8::1")]
        try map.widen(by: more)
        for frame in [reply, six, about] { #expect(try isOurs(frame, of: map)) }
        #expect(try !isOurs(other, of: map))
        var exact = try served()
        exact.locals = more.locals
        try map.update(exact)
        for frame in [reply, six, about] { #expect(try isOurs(frame, of: map)) }
        try map.update(served())
        for frame in [reply, other, six, about] { #expect(try !isOurs(frame, of: map)) }
    }

    @Test func blocksOfMarkedAddressesAreRedirected() throws {
        let map = try RedirectMap()
        var served = ServedTraffic()
        served.blocks = [
            .init(
                network: .init(address: try address("10.5.0.0"), length: 16), transport: .tcp,
                ports: 8000...9000),
            .init(
                network: .init(address: try address("2001:db8:5::"), length: 48),
                transport: .udp, ports: 0...65535),
        ]
        try map.update(served)
        for (to, port, isOurs) in [
            ("10.5.0.0", UInt16(8000), true), ("10.5.255.255", 9000, true),
            ("10.5.1.1", 7999, false), ("10.5.1.1", 9001, false), ("10.6.0.0", 8000, false),
        ] {
            let frame = try tcp("10.0.9.9", 4000, to, port)
            #expect(try self.isOurs(frame, of: map) == isOurs, "\(to) \(port)")
        }
        let inside = try builder("2001:db8:9::9", "2001:db8:5:ffff::1").udp(from: 1, to: 2)
        #expect(try isOurs(inside, of: map))
        let outside = try builder("2001:db8:9::9", "2001:db8:6::1").udp(from: 1, to: 2)
        #expect(try !isOurs(outside, of: map))
        let about = try error(
            3, "10.0.7.7", "10.5.1.1", about: tcp("10.5.1.1", 8000, "10.0.9.9", 4000))
        #expect(try isOurs(about, of: map))
    }
}
