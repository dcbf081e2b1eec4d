import LVS
import TestKit
import Testing

/// Errors about packets to NAT servers that belong to no connection: the ingress block has kept them
/// from the host, which gets them by the door (rule 5 of `ServedTraffic`).
@Suite struct QuotedServerTests {
    private static let stranger = IPAddress(v4: 0xc633_6409)

    /// An error from a router on the servers' side, about a packet that went to a server.
    private func error(
        type: UInt8 = 3, to receiver: IPAddress = stranger, about server: IPAddress,
        port: UInt16 = 8080, transport: UInt8 = 6, version: UInt8 = 0x45, quoted: Int = 28
    ) -> [UInt8] {
        var quote: [UInt8] = [version, 0, 0, 60, 0, 1, 0x40, 0, 62, transport, 0, 0]
        quote.append(be32: Self.stranger.v4)
        quote.append(be32: server.v4)
        if version > 0x45 { quote += [UInt8](repeating: 1, count: Int(version & 15) * 4 - 20) }
        quote.append(be16: 40000)
        quote.append(be16: port)
        quote += [0, 0, 0, 1]
        var message: [UInt8] = [type, 1, 0, 0, 0, 0, 0, 0] + quote.prefix(quoted)
        message.set(2, be16: ~message.onesSum(0..<message.count))
        return DirectorRig.server(IPAddress(v4: 0x0a02_0014), to: receiver)
            .frame(transport: 1, checksumAt: nil, message)
    }

    @Test func `They go through the door exactly where the ingress block keeps them`() throws {
        let server = ForwardingRig.server
        let other = IPAddress(v4: 0x0a02_000c)
        let host = IPAddress(v4: 0x0a02_0001)
        let rows: [(String, [UInt8], Verdict)] = [
            ("the server's port", error(about: server), .passThroughDoor),
            ("time exceeded", error(type: 11, about: server), .passThroughDoor),
            ("a parameter problem", error(type: 12, about: server), .pass),
            ("another port", error(about: server, port: 8081), .pass),
            ("another protocol", error(about: server, transport: 17), .pass),
            ("another server", error(about: other), .pass),
            ("to the host itself", error(to: host, about: server), .pass),
            (
                "behind options any port", error(about: server, port: 9, version: 0x46),
                .passThroughDoor
            ),
            ("behind options another server", error(about: other, version: 0x46), .pass),
            ("ports cut off", error(about: server, quoted: 23), .pass),
            ("header cut off", error(about: server, quoted: 19), .pass),
        ]
        let rig = try ForwardingRig(method: .masquerading)
        for (name, bytes, verdict) in rows {
            #expect(rig.send(bytes, on: 1).verdict == verdict, "\(name)")
        }
    }

    @Test func `Without NAT they are the host's alone`() throws {
        let rig = try ForwardingRig(method: .directRouting)
        #expect(rig.send(error(about: ForwardingRig.server), on: 1).verdict == .pass)
    }
}
