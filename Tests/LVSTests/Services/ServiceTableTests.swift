import LVS
import TestKit
import Testing

/// Which service a packet belongs to, seen from outside (ipvs-semantics 1.1 to 1.3).
@Suite struct ServiceTableTests {
    /// Services of a director, a packet, and what becomes of it.
    struct Row: CustomTestStringConvertible, Sendable {
        var services: [(TransportProtocol, UInt16)]
        var transport = TransportProtocol.tcp
        var port: UInt16
        var flags: UInt8 = 2
        var from: UInt16 = 4000
        var expected: Verdict
        var testDescription: String {
            "\(services.map { "\($0.0.rawValue):\($0.1)" }) \(transport.rawValue):\(port)"
        }
    }

    private static let sent = Verdict.send(1)

    @Test(arguments: [
        Row(services: [(.tcp, 80)], port: 80, expected: sent),
        Row(services: [(.tcp, 80)], port: 81, expected: .pass),
        Row(services: [(.tcp, 80)], transport: .udp, port: 80, expected: .pass),
        Row(services: [(.udp, 80)], transport: .udp, port: 80, expected: sent),
        Row(services: [(.udp, 80)], port: 80, expected: .pass),
        Row(services: [], port: 80, expected: .pass),
        // An exact service goes before port 0, which needs persistence to take other ports.
        Row(services: [(.tcp, 0), (.tcp, 80)], port: 80, expected: sent),
        Row(services: [(.tcp, 80), (.tcp, 0)], port: 81, expected: .drop(.noServer)),
        Row(services: [(.tcp, 0)], transport: .udp, port: 81, expected: .pass),
        // High ports belong to a service of port 21, which leaves them to the host.
        Row(services: [(.tcp, 21), (.tcp, 0)], port: 2000, expected: .passThroughDoor),
        Row(services: [(.tcp, 21), (.tcp, 0)], port: 1023, expected: .drop(.noServer)),
        Row(services: [(.tcp, 21)], port: 21, expected: sent),
        // What no protocol schedules is the host's, and it has not got it yet.
        Row(services: [(.tcp, 80)], port: 80, flags: 0x10, expected: .passThroughDoor),
        Row(services: [(.tcp, 80)], port: 80, flags: 0x06, expected: .passThroughDoor),
        Row(services: [(.tcp, 80)], port: 80, flags: 0x12, expected: sent),
        Row(services: [(.tcp, 80)], port: 80, flags: 0x03, expected: sent),
        Row(services: [(.tcp, 80)], port: 80, from: 20, expected: .passThroughDoor),
        Row(services: [(.tcp, 80)], port: 80, from: 21, expected: sent),
    ])
    func packetBelongsToTheFirstServiceThatFits(_ row: Row) throws {
        let rig = DirectorRig.twoLegged()
        for (transport, port) in row.services {
            let key = ServiceKey.address(transport, IPAddress(v4: 0x0a01_0064), port: port)
            try rig.director.add(VirtualService(key: key, scheduler: "rr"))
            try rig.director.add(
                RealServer(
                    address: IPAddress(v4: 0x0a02_000b), port: port, method: .directRouting),
                to: key)
        }
        let builder = DirectorRig.client(IPAddress(v4: 0xc633_6401))
        let frame =
            row.transport == .tcp
            ? builder.tcp(from: row.from, to: row.port, flags: row.flags)
            : builder.udp(from: row.from, to: row.port)
        #expect(rig.send(frame, on: 0).verdict == row.expected)
    }
}
