package import LVS

/// A virtual service told as a story of servers that come and go and connections that go somewhere,
/// played through a whole director.
///
/// ```
/// +A=3   adds server A with weight 3        ?A   the next connection goes to A
/// A=0    edits its weight                   ?-   the next connection is refused
/// -A     deletes it                         scheduler=wrr   edits the service
/// ```
/// Every connection is one SYN of another client and stays in SYN_RECV.
package struct ServiceStory {
    private static let key = ServiceKey.address(.tcp, IPAddress(v4: 0x0a01_0064), port: 80)

    private let rig = DirectorRig.twoLegged()
    private var clients: UInt32 = 0
    private var differences: [String] = []

    /// What did not happen as told; empty when all did.
    package static func play(_ scheduler: String, _ text: String) throws -> [String] {
        var story = ServiceStory()
        try story.rig.director.add(VirtualService(key: key, scheduler: scheduler))
        for (number, word) in text.split(separator: " ").enumerated() {
            try story.play(number, String(word))
        }
        return story.differences
    }

    private mutating func play(_ number: Int, _ word: String) throws {
        let rest = String(word.dropFirst())
        if word.hasPrefix("scheduler=") {
            try rig.director.edit(
                VirtualService(
                    key: ServiceStory.key, scheduler: String(word.dropFirst("scheduler=".count))))
        } else if word.hasPrefix("+") {
            try rig.director.add(ServiceStory.server(rest), to: ServiceStory.key)
        } else if word.hasPrefix("-") {
            try rig.director.delete(
                ServiceStory.server(rest + "=1").address, port: 80, of: ServiceStory.key)
        } else if word.hasPrefix("?") {
            let picked = connect()
            if picked != rest {
                differences.append("word \(number): expected \(rest), got \(picked)")
            }
        } else {
            try rig.director.edit(ServiceStory.server(word), of: ServiceStory.key)
        }
    }

    private mutating func connect() -> String {
        clients += 1
        let builder = DirectorRig.client(IPAddress(v4: 0xc633_6400 + clients % 250 + 1))
        let port = UInt16(1024 + clients)
        let outcome = rig.send(builder.tcp(from: port, to: 80, flags: 2), on: 0)
        guard let sent = outcome.sent.first(where: { $0.port == 1 }) else { return "-" }
        return String(UnicodeScalar(sent.bytes[5] - 11 + 65))
    }

    /// Server A is 10.2.0.11, B is 10.2.0.12 and so on.
    private static func server(_ word: String) -> RealServer {
        let letter = UInt32(word.utf8.first ?? 65) - 65
        let weight = Int32(word.dropFirst(2)) ?? 1
        return RealServer(
            address: IPAddress(v4: 0x0a02_000b + letter), port: 80, method: .directRouting,
            weight: weight)
    }
}

extension DirectorRig {
    /// A rig with the interfaces `cli` (0, 10.1.0.1/24) and `srv` (1, 10.2.0.1/24), a gateway towards
    /// all clients, and neighbours 10.2.0.11 to 10.2.0.36.
    package static func twoLegged(
        connections: Int = 4096, workers: Int = 1, seed: UInt64 = 1
    ) -> DirectorRig {
        let rig = DirectorRig(connections: connections, workers: workers, seed: seed)
        let gateway = IPAddress(v4: 0x0a01_00fe)
        rig.director.setPorts([
            Port(
                index: 0, name: "cli", hardware: HardwareAddress(value: 0x0200_0a01_0001), mtu: 1500
            ),
            Port(
                index: 1, name: "srv", hardware: HardwareAddress(value: 0x0200_0a02_0001), mtu: 1500
            ),
        ])
        rig.director.setRoutes([
            Route(
                prefix: .anyV4, prefixLength: 0, kind: .forward(port: 0, gateway: gateway),
                preferredSource: IPAddress(v4: 0x0a01_0001)),
            Route(
                prefix: IPAddress(v4: 0x0a02_0000), prefixLength: 24,
                kind: .forward(port: 1, gateway: nil),
                preferredSource: IPAddress(v4: 0x0a02_0001)),
        ])
        rig.director.setHostAddresses([
            IPAddress(v4: 0x0a01_0001), IPAddress(v4: 0x0a02_0001),
        ])
        rig.director.setNeighbour(
            Neighbour(port: 0, address: gateway), HardwareAddress(value: 0x0200_0a01_00fe))
        for server in UInt32(11)...36 {
            rig.director.setNeighbour(
                Neighbour(port: 1, address: IPAddress(v4: 0x0a02_0000 + server)),
                HardwareAddress(value: 0x0200_0a02_0000 + UInt64(server)))
        }
        return rig
    }

    /// Packets of a client to 10.1.0.100, by the gateway of `twoLegged`.
    package static func client(
        _ address: IPAddress, to virtual: IPAddress = IPAddress(v4: 0x0a01_0064)
    ) -> PacketBuilder {
        PacketBuilder(
            from: address, at: HardwareAddress(value: 0x0200_0a01_00fe), to: virtual,
            at: HardwareAddress(value: 0x0200_0a01_0001))
    }

    /// Packets of a real server to a client, by the director.
    package static func server(_ address: IPAddress, to client: IPAddress) -> PacketBuilder {
        PacketBuilder(
            from: address,
            at: HardwareAddress(value: 0x0200_0a02_0000 + UInt64(address.v4 & 0xff)), to: client,
            at: HardwareAddress(value: 0x0200_0a02_0001))
    }
}
