import LVS
import PacketIO
import Posix
import Testing

/// ```
/// servers 10.76.1.1, fd76:1::1 ── c0  d0 ── …254, …fe   lvs   …254, …fe ── d1  f0 ── 10.76.2.2, fd76:2::2 far
/// ```
/// The lvs host forwards. TCP port 8080 of the first server is balanced, and every UDP port of a second.
private struct RouterNetwork {
    let servers: TestNamespace
    let lvs: TestNamespace
    let far: TestNamespace

    init() throws {
        servers = try TestNamespace("servers")
        lvs = try TestNamespace("lvs")
        far = try TestNamespace("far")
        try servers.connect("c0", to: lvs, "d0")
        try far.connect("f0", to: lvs, "d1")
        try servers.run(
            """
            ip addr add 10.76.1.1/24 dev c0; ip addr add fd76:1::1/64 dev c0 nodad;
            ip route add default via 10.76.1.254; ip route add default via fd76:1::fe
            """)
        try lvs.run(
            """
            ip addr add 10.76.1.254/24 dev d0; ip addr add fd76:1::fe/64 dev d0 nodad;
            ip addr add 10.76.2.254/24 dev d1; ip addr add fd76:2::fe/64 dev d1 nodad;
            sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
            """)
        try far.run(
            """
            ip addr add 10.76.2.2/24 dev f0; ip addr add fd76:2::2/64 dev f0 nodad;
            ip route add default via 10.76.2.254; ip route add default via fd76:2::fe
            """)
    }

    static let served: ServedTraffic = {
        let (high, low) = (UInt64(0xfd76_0001_0000_0000), UInt64(0x0a4c_0100))
        var served = ServedTraffic()
        served.servers = [
            .init(address: IPAddress(v4: UInt32(low + 1)), transport: .tcp, port: 8080),
            .init(address: IPAddress(v4: UInt32(low + 2)), transport: .udp, port: 0),
            .init(address: IPAddress(high: high, low: 1), transport: .tcp, port: 8080),
            .init(address: IPAddress(high: high, low: 2), transport: .udp, port: 0),
        ]
        served.tunnels = [
            .init(
                address: IPAddress(v4: UInt32(low + 3)), transport: .init(rawValue: 4), port: 0),
            .init(address: IPAddress(v4: UInt32(low + 4)), transport: .udp, port: 6080),
            .init(
                address: IPAddress(high: high, low: 3), transport: .init(rawValue: 4), port: 0),
            .init(address: IPAddress(high: high, low: 4), transport: .udp, port: 6080),
        ]
        served.hostAddresses = [
            IPAddress(v4: 0x0a4c_01fe), IPAddress(v4: 0x0a4c_02fe),
            IPAddress(high: high, low: 0xfe),
            IPAddress(high: 0xfd76_0002_0000_0000, low: 0xfe),
        ]
        return served
    }()

    func block(_ mechanism: IngressBlock.Mechanism) throws -> IngressBlock {
        let block = try lvs.inside {
            let index = try #require(NetworkNamespace.interfaceIndex("d0"))
            return try IngressBlock(
                interfaces: [.init(index: index, name: "d0")], mechanism: mechanism)
        }
        // Not all at once, so that elements are added to sets that stand.
        try block.update(ServedTraffic())
        try block.update(Self.served)
        return block
    }

    /// Whether a message from the servers' segment arrives at the far host, or at the lvs host.
    func arrives(_ message: [UInt8], family: AddressFamily, atHost: Bool = false) throws -> Bool {
        let (domain, transport): (Int32, Int32) = family == .v4 ? (2, 1) : (10, 58)
        let receiver = try (atHost ? lvs : far).inside {
            TestSocket(.raw(transport), family: domain)
        }
        let sender = try servers.inside { TestSocket(.raw(transport), family: domain) }
        let near = family == .v4 ? "10.76.1.254" : "fd76:1::fe"
        let distant = family == .v4 ? "10.76.2.2" : "fd76:2::2"
        #expect(sender.send(message, to: atHost ? near : distant))
        // Neighbour discovery is seen as well.
        for _ in 0..<8 {
            guard let bytes = receiver.receive() else { return false }
            let arrived = family == .v4 ? Array(bytes.dropFirst(20)) : bytes
            if arrived.first == message.first, arrived.count == message.count { return true }
        }
        return false
    }
}

/// A control message about a packet that went from the far host to a server.
private struct Complaint: CustomTestStringConvertible, Sendable {
    var type: UInt8
    /// Last byte of the server's address.
    var server: UInt8 = 1
    var transport: UInt8 = 6
    var port: UInt16 = 8080
    /// The quoted packet has options, or an extension header.
    var hasOptions = false
    /// Whether the block keeps it.
    var isKept: Bool

    var testDescription: String {
        "type \(type), server \(server), protocol \(transport), port \(port), options \(hasOptions)"
    }

    func message(_ family: AddressFamily) -> [UInt8] {
        let ports: [UInt8] = [0x9c, 0x40, UInt8(port >> 8), UInt8(port & 255), 0, 0, 0, 1]
        let six: [UInt8] = [0xfd, 0x76, 0, 1] + [UInt8](repeating: 0, count: 11) + [server]
        let client: [UInt8] = [0xfd, 0x76, 0, 2] + [UInt8](repeating: 0, count: 11) + [2]
        let quote: [UInt8] =
            family == .v4
            ? [
                hasOptions ? 0x46 : 0x45, 0, 0, 60, 0, 1, 0x40, 0, 62, transport, 0, 0, 10, 76, 2,
                2,
            ]
                + [10, 76, 1, server] + (hasOptions ? [1, 1, 1, 1] : []) + ports
            : [0x60, 0, 0, 0, 0, 40, hasOptions ? 60 : transport, 62] + client + six
                + (hasOptions ? [transport, 0, 1, 4, 0, 0, 0, 0] : []) + ports
        var message: [UInt8] = [type, 0, 0, 0, 0, 0, 0, 0] + quote
        if family == .v4 {
            let sum = ~FrameBytes.fold(message)
            message[2] = UInt8(sum >> 8)
            message[3] = UInt8(sum & 255)
        }
        return message
    }

    /// Rows that mean the same in both families; of types 1, 3 and 4 the second is the one of IPv4.
    static let rows = [
        Complaint(type: 3, isKept: true),
        Complaint(type: 3, port: 8081, isKept: false),
        Complaint(type: 3, transport: 17, isKept: false),
        Complaint(type: 3, server: 9, isKept: false),
        Complaint(type: 3, server: 2, transport: 17, port: 5300, isKept: true),
        Complaint(type: 3, server: 2, transport: 6, port: 5300, isKept: false),
        Complaint(type: 3, port: 9, hasOptions: true, isKept: true),
        Complaint(type: 3, server: 9, hasOptions: true, isKept: false),
    ]

    /// Errors to the host itself, about what it has sent to servers.
    static let tunnels = [
        Complaint(type: 3, server: 3, transport: 4, isKept: true),
        Complaint(type: 3, server: 3, transport: 47, isKept: false),
        Complaint(type: 3, server: 4, transport: 17, port: 6080, isKept: true),
        Complaint(type: 3, server: 4, transport: 17, port: 6081, isKept: false),
        Complaint(type: 3, server: 4, transport: 17, port: 6080, hasOptions: true, isKept: false),
    ]
}

@Suite(
    .serialized,
    .enabled(if: TestNamespace.available, "needs root: makes network namespaces"))
struct QuotedErrorTests {
    @Test(
        "A forwarding host gets no errors about packets to NAT servers, but all others",
        arguments: [IngressBlock.Mechanism.nftables, .trafficControl], [AddressFamily.v4, .v6])
    func errors(_ mechanism: IngressBlock.Mechanism, _ family: AddressFamily) throws {
        let network = try RouterNetwork()
        let first = Complaint.rows[0].message(family)
        // Interfaces of IPv6 need a while before they pass anything on.
        #expect(try eventually { try network.arrives(first, family: family) }, "without a block")
        let block = try network.block(mechanism)
        // A parameter problem of IPv4 is not for IPVS, one of IPv6 is; neither is an echo request.
        let own = [
            Complaint(type: 11, isKept: family == .v4), Complaint(type: 4, isKept: true),
            Complaint(type: 12, isKept: family == .v6),
            Complaint(type: family == .v4 ? 8 : 128, isKept: false),
        ]
        for row in Complaint.rows + own where family == .v4 || row.type != 11 {
            let arrives = try network.arrives(row.message(family), family: family)
            #expect(arrives == !row.isKept, "IPv\(family.rawValue), \(row.testDescription)")
        }
        #expect(try network.arrives(first, family: family, atHost: true), "to the host itself")
        for row in Complaint.tunnels {
            let message = row.message(family)
            let arrives = try network.arrives(message, family: family, atHost: true)
            #expect(arrives == !row.isKept, "IPv\(family.rawValue), \(row.testDescription)")
        }
        try block.update(ServedTraffic())
        #expect(try network.arrives(first, family: family), "with nothing served")
        try block.remove()
    }
}
