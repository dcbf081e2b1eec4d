import LVS
import TestKit
import Testing

/// IPv6 through the whole engine, beside what the recordings show.
@Suite struct IPv6Tests {
    private static let virtual = IPAddress(high: 0x2001_0db8_0001_0000, low: 0x100)
    private static let server = IPAddress(high: 0x2001_0db8_0002_0000, low: 0x11)
    private static let client = IPAddress(high: 0x2001_0db8_000c_0000, low: 1)
    private static let gateway = IPAddress(high: 0x2001_0db8_0001_0000, low: 0xfe)
    private static let own = [
        HardwareAddress(value: 0x0200_0a01_0001), HardwareAddress(value: 0x0200_0a02_0001),
    ]

    private let rig = DirectorRig()

    init() throws {
        rig.director.setPorts(
            ["cli", "srv"].enumerated().map { number, name in
                Port(
                    index: PortIndex(number), name: name, hardware: IPv6Tests.own[number],
                    mtu: 1500)
            })
        let hosts = [0x1, 0x2].map { IPAddress(high: 0x2001_0db8_0000_0000 | $0 << 16, low: 1) }
        rig.director.setRoutes(
            hosts.enumerated().flatMap { number, host in
                [
                    Route(prefix: host, prefixLength: 128, kind: .local),
                    Route(
                        prefix: host.prefix(64), prefixLength: 64,
                        kind: .forward(port: PortIndex(number), gateway: nil),
                        preferredSource: host),
                ]
            } + [
                Route(
                    prefix: .anyV6, prefixLength: 0,
                    kind: .forward(port: 0, gateway: IPv6Tests.gateway), preferredSource: hosts[0])
            ])
        rig.director.setHostAddresses(Set(hosts))
        for (port, address) in [(0, IPv6Tests.gateway), (1, IPv6Tests.server)] {
            rig.director.setNeighbour(
                Neighbour(port: PortIndex(port), address: address),
                HardwareAddress(value: 0x0200_0000_0000 | address.low))
        }
    }

    private func serve(
        _ transport: TransportProtocol = .tcp, _ method: ForwardingMethod = .masquerading,
        weight: Int32 = 1
    ) throws {
        let key = ServiceKey.address(transport, IPv6Tests.virtual, port: 80)
        try rig.director.add(VirtualService(key: key, scheduler: "rr"))
        try rig.director.add(
            RealServer(
                address: IPv6Tests.server, port: method == .masquerading ? 8080 : 80,
                method: method, weight: weight),
            to: key)
    }

    private var request: PacketBuilder {
        PacketBuilder(
            from: IPv6Tests.client, at: HardwareAddress(value: 0x0200_0a01_00fe),
            to: IPv6Tests.virtual, at: IPv6Tests.own[0])
    }

    private var reply: PacketBuilder {
        PacketBuilder(
            from: IPv6Tests.server, at: HardwareAddress(value: 0x0200_0a02_000b),
            to: IPv6Tests.client, at: IPv6Tests.own[1])
    }

    @Test(arguments: DirectorRig.ChecksumOnInput.allCases)
    func bothDirectionsAreTranslatedWithRightChecksums(
        _ checksum: DirectorRig.ChecksumOnInput
    ) throws {
        try serve()
        let sent = rig.send(
            request.tcp(from: 4000, to: 80, flags: 2, payload: [1]), on: 0, checksum: checksum
        ).sent
        try #require(sent.count == 1 && sent[0].port == 1)
        let bytes = sent[0].bytes
        #expect(Array(bytes[38..<54]) == IPv6Tests.server.wireBytes && bytes[21] == 63)
        #expect(bytes.be16(56) == 8080 && bytes.be16(12) == 0x86dd)
        #expect(bytes.onesSum(54..<bytes.count, from: UInt32(bytes.pseudoHeaderSum())) == 0xffff)
        let back = rig.send(
            reply.tcp(from: 8080, to: 4000, flags: 0x12), on: 1, checksum: checksum
        ).sent
        try #require(back.count == 1 && back[0].port == 0)
        let answer = back[0].bytes
        #expect(Array(answer[22..<38]) == IPv6Tests.virtual.wireBytes && answer.be16(54) == 80)
        #expect(answer.onesSum(54..<answer.count, from: UInt32(answer.pseudoHeaderSum())) == 0xffff)
    }

    @Test func aFamilyWithoutServicesIsLeftAlone() throws {
        try serve()
        let old = DirectorRig.client(IPAddress(v4: 0xc633_6401))
        #expect(rig.send(old.tcp(from: 1, to: 80, flags: 2), on: 0).verdict == .pass)
        let key = ServiceKey.address(.tcp, IPv6Tests.virtual, port: 80)
        #expect(rig.send(request.tcp(from: 1, to: 80, flags: 2), on: 0).verdict.kind == .send)
        try rig.director.delete(key)
        try rig.director.add(
            VirtualService(
                key: .address(.tcp, IPAddress(v4: 0x0a01_0064), port: 80), scheduler: "rr"))
        #expect(rig.send(request.tcp(from: 1, to: 80, flags: 16), on: 0).verdict == .pass)
    }

    /// A route of 64 bits lets four errors a second through, the default route sixteen.
    @Test(
        arguments: [
            (IPv6Tests.client, 62), (IPAddress(high: 0x2001_0db8_0001_0000, low: 9), 250),
        ] as [(IPAddress, UInt64)])
    func clientsOfWideRoutesGetErrorsMoreOften(_ client: IPAddress, _ pace: UInt64) throws {
        try serve(weight: 0)
        rig.director.setNeighbour(
            Neighbour(port: 0, address: client), HardwareAddress(value: 0x0200_0000_0009))
        var builder = request
        builder.source = client
        func errors(_ count: UInt16) -> Int {
            (0..<count).reduce(0) { told, port in
                told + rig.send(builder.tcp(from: port, to: 80, flags: 2), on: 0).sent.count
            }
        }
        #expect(errors(20) == 6)
        rig.advance(milliseconds: pace + 1)
        #expect(errors(5) == 1)
    }

    @Test func anErrorIsNoLongerThanEveryLinkTakes() throws {
        try serve(weight: 0)
        let frame = request.tcp(
            from: 1, to: 80, flags: 2, payload: [UInt8](repeating: 1, count: 1400))
        let sent = rig.send(frame, on: 0).sent
        try #require(sent.count == 1)
        let bytes = sent[0].bytes
        #expect(bytes.count == 14 + 1280 && bytes[20] == 58 && bytes[54] == 1 && bytes[55] == 4)
        #expect(Array(bytes[62..<1294]) == Array(frame[14..<1246]))
        #expect(bytes.onesSum(54..<bytes.count, from: UInt32(bytes.pseudoHeaderSum())) == 0xffff)
    }

    @Test(arguments: ["fe80::1", "ff02::1", "::", "::ffff:10.2.0.11"])
    func serversHaveAnAddressThatRoutesLeadTo(_ text: String) throws {
        try serve()
        // As bytes of IPv6: text of mapped addresses means IPv4.
        let parsed = try #require(IPAddress(parsing: text))
        let address = IPAddress(wireHigh: parsed.high, low: parsed.low)
        #expect(throws: CommandRefusal.self) {
            try rig.director.add(
                RealServer(address: address, port: 80, method: .directRouting),
                to: .address(.tcp, IPv6Tests.virtual, port: 80))
        }
    }

    @Test(
        arguments: [
            ("padding", [1, 4, 0, 0, 0, 0], true), ("a router alert", [5, 2, 0, 0, 1, 0], true),
            ("an option to be passed over", [0x3e, 4, 0, 0, 0, 0], true),
            ("an option to be dropped for", [0x7e, 4, 0, 0, 0, 0], false),
            ("an option longer than the header", [0x3e, 5, 0, 0, 0, 0], false),
            ("padding that says something", [1, 4, 0, 0, 1, 0], false),
        ] as [(String, [UInt8], Bool)])
    func hopByHopOptionsAreLookedAt(_ what: String, _ options: [UInt8], _ isFine: Bool) throws {
        try serve()
        var builder = request
        builder.extensions = (0, [6, 0] + options)
        let verdict = rig.send(builder.tcp(from: 4000, to: 80, flags: 2), on: 0).verdict
        // The host drops it, and tells the sender when the option says so.
        #expect(isFine ? verdict.kind == .send : verdict == .passThroughDoor, "\(what)")
    }

    @Test func aCutPacketOfAnyLengthIsNeverReadBeyondItsEnd() throws {
        try serve()
        var builder = request
        builder.extensions = (
            60, [43, 0, 1, 4, 0, 0, 0, 0, 44, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 1, 0, 0, 0, 9]
        )
        let whole = builder.tcp(from: 4000, to: 80, flags: 2)
        for length in 14..<whole.count {
            #expect(rig.send(Array(whole[..<length]), on: 0).verdict.kind != .send, "\(length)")
            var shorter = Array(whole[..<length])
            guard length >= 54 else { continue }
            shorter.set(18, be16: UInt16(length - 54))
            #expect(rig.send(shorter, on: 0).sent.isEmpty, "payload of \(length - 54)")
        }
    }
}
