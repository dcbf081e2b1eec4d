import LVS
import TestKit

/// A director between a client of IPv6 on port 0 and a server of IPv4 on port 1, which FULLNAT joins.
@safe
final class FamilyRig {
    static let client = address("2001:db8:c::1")
    static let virtual = address("2001:db8:1::100")
    static let own = (v6: address("2001:db8:1::1"), v4: address("10.2.0.1"))
    static let local = address("10.2.0.200")
    static let server = address("10.2.0.11")
    private static let gateway = address("2001:db8:1::fe")
    private static let hardware = (
        cli: HardwareAddress(value: 0x0200_0a01_0001),
        srv: HardwareAddress(value: 0x0200_0a02_0001),
        gateway: HardwareAddress(value: 0x0200_0a01_00fe),
        server: HardwareAddress(value: 0x0200_0a02_000b)
    )

    let rig = DirectorRig()
    let key: ServiceKey
    private let forwarding: ForwardingRig

    /// `widths` are the MTUs of the two ports, the client's first.
    init(
        _ transport: TransportProtocol = .tcp, port: UInt16 = 80, real: UInt16 = 8080,
        widths: (UInt32, UInt32) = (1500, 1500),
        configure: (inout VirtualService) -> Void = { _ in }
    ) throws {
        key = .address(transport, FamilyRig.virtual, port: port)
        forwarding = ForwardingRig(around: rig)
        let director = rig.director
        director.setPorts([
            Port(index: 0, name: "cli", hardware: FamilyRig.hardware.cli, mtu: widths.0),
            Port(index: 1, name: "srv", hardware: FamilyRig.hardware.srv, mtu: widths.1),
        ])
        director.setRoutes([
            Route(
                prefix: .anyV6, prefixLength: 0,
                kind: .forward(port: 0, gateway: FamilyRig.gateway),
                preferredSource: FamilyRig.own.v6),
            Route(
                prefix: address("10.2.0.0"), prefixLength: 24,
                kind: .forward(port: 1, gateway: nil), preferredSource: FamilyRig.own.v4),
        ])
        director.setHostAddresses([FamilyRig.own.v4, FamilyRig.own.v6])
        director.setNeighbour(
            Neighbour(port: 0, address: FamilyRig.gateway), FamilyRig.hardware.gateway)
        director.setNeighbour(
            Neighbour(port: 1, address: FamilyRig.server), FamilyRig.hardware.server)
        var service = VirtualService(key: key, scheduler: "rr")
        configure(&service)
        try director.add(service)
        try director.addLocals([FamilyRig.local], to: key)
        try director.add(
            RealServer(address: FamilyRig.server, port: real, method: .fullNAT), to: key)
    }

    // MARK: Frames

    /// Frames of the client, as they come in.
    var request: PacketBuilder {
        PacketBuilder(
            from: FamilyRig.client, at: FamilyRig.hardware.gateway, to: FamilyRig.virtual,
            at: FamilyRig.hardware.cli)
    }

    /// Frames of the server, as they come in.
    var reply: PacketBuilder {
        PacketBuilder(
            from: FamilyRig.server, at: FamilyRig.hardware.server, to: FamilyRig.local,
            at: FamilyRig.hardware.srv)
    }

    /// Frames for the server, as they leave; the identification is that of a frame which left.
    func forwarded(like sent: [UInt8]) -> PacketBuilder {
        var builder = PacketBuilder(
            from: FamilyRig.local, at: FamilyRig.hardware.srv, to: FamilyRig.server,
            at: FamilyRig.hardware.server)
        builder.timeToLive = 63
        builder.identification = sent.be16(18)
        builder.hasDontFragment = false
        return builder
    }

    /// Frames for the client, as they leave.
    var answered: PacketBuilder {
        var builder = PacketBuilder(
            from: FamilyRig.virtual, at: FamilyRig.hardware.cli, to: FamilyRig.client,
            at: FamilyRig.hardware.gateway)
        builder.timeToLive = 63
        return builder
    }

    /// Sends a frame by the client's port (0) or the server's (1); what left for which port.
    func send(
        _ bytes: [UInt8], on port: PortIndex = 0,
        checksum: DirectorRig.ChecksumOnInput = .complete
    ) -> DirectorRig.Outcome { rig.send(bytes, on: port, checksum: checksum) }

    /// As `send`, of a frame that the driver describes; what left lies there as the driver gets it.
    func send(
        _ bytes: [UInt8], on port: PortIndex, headroom: Int = 128,
        describe: (inout Frame) -> Void
    ) -> (verdict: Verdict, sent: [[UInt8]], frame: Frame?) {
        let (verdict, sent) = forwarding.send(
            bytes, on: port, headroom: headroom, describe: describe)
        return (verdict, sent, forwarding.last)
    }

    /// A TCP connection from this port of the client, whose local port is the same.
    func open(_ port: UInt16 = 4000, to service: UInt16 = 80, real: UInt16 = 8080) {
        _ = send(request.tcp(from: port, to: service, flags: 2))
        _ = send(reply.tcp(from: real, to: port, flags: 0x12), on: 1)
        _ = send(request.tcp(from: port, to: service, flags: 16))
    }
}

/// An address that a test names.
private func address(_ text: String) -> IPAddress {
    guard let address = IPAddress(parsing: text) else {
        preconditionFailure("\(text) is an address")
    }
    return address
}

extension [UInt8] {
    /// True when what a frame has of checksums is right: IPv4 header, TCP, UDP or ICMP.
    var isSound: Bool {
        guard isIPv6 else {
            return hasRightHeader
                && (self[23] == 1
                    ? onesSum(34..<14 + Int(be16(16))) == 0xffff : hasRightTransport)
        }
        let (start, _) = transport()
        return onesSum(start..<54 + Int(be16(18)), from: UInt32(pseudoHeaderSum())) == 0xffff
    }
}
