import LVS
import TestKit
import Testing

/// What the director accepts and refuses, and that a refusal changes nothing (ipvs-semantics 10.2).
@Suite struct CommandTests {
    /// A command, as data.
    enum Command: Sendable {
        case addService(VirtualService)
        case editService(VirtualService)
        case deleteService(ServiceKey)
        case addServer(RealServer)
        case addServerTo(ServiceKey)
        case editServer(RealServer)
        case deleteServer(IPAddress, UInt16)
        case zero(ServiceKey)
        case timeouts(Timeouts)
    }

    private static let virtual = IPAddress(v4: 0x0a01_0064)
    private static let web = ServiceKey.address(.tcp, virtual, port: 80)
    private static let other = ServiceKey.address(.tcp, virtual, port: 81)
    private static let wide = IPAddress(high: 0x2001_0db8_0000_0000, low: 1)
    private static let wideWeb = ServiceKey.address(.tcp, wide, port: 80)

    private static func server(
        _ last: UInt32 = 12, address: IPAddress? = nil,
        _ method: ForwardingMethod = .masquerading, weight: Int32 = 1, upper: UInt32 = 0,
        lower: UInt32 = 0, tunnel: TunnelKind = .ipip
    ) -> RealServer {
        RealServer(
            address: address ?? IPAddress(v4: 0x0a02_0000 + last), port: 80, method: method,
            weight: weight, upperThreshold: upper, lowerThreshold: lower, tunnel: tunnel)
    }

    /// A director with one service and the server 10.2.0.11.
    private func makeDirector() throws -> Director {
        let rig = DirectorRig.twoLegged()
        try rig.director.add(VirtualService(key: CommandTests.web, scheduler: "rr"))
        try rig.director.add(CommandTests.server(11), to: CommandTests.web)
        return rig.director
    }

    private func run(_ command: Command, on director: Director) throws(CommandRefusal) {
        switch command {
        case .addService(let service): try director.add(service)
        case .editService(let service): try director.edit(service)
        case .deleteService(let key): try director.delete(key)
        case .addServer(let server): try director.add(server, to: CommandTests.web)
        case .addServerTo(let key): try director.add(CommandTests.server(), to: key)
        case .editServer(let server): try director.edit(server, of: CommandTests.web)
        case .deleteServer(let address, let port):
            try director.delete(address, port: port, of: CommandTests.web)
        case .zero(let key): try director.zero(key)
        case .timeouts(let timeouts): try director.setTimeouts(timeouts)
        }
    }

    @Test(
        arguments: [
            .addService(VirtualService(key: other, scheduler: "wlc")),
            .addService(VirtualService(key: other, scheduler: "none")),
            .addService(VirtualService(key: .address(.udp, virtual, port: 80), scheduler: "rr")),
            .addService(VirtualService(key: .address(.tcp, virtual, port: 0), scheduler: "rr")),
            .addService(VirtualService(key: other, scheduler: "rr", flags: .persistent)),
            .addService(VirtualService(key: .mark(1, .v4), scheduler: "rr")),
            .editService(VirtualService(key: web, scheduler: "wrr")),
            .editService(VirtualService(key: web, scheduler: "rr", flags: .persistent)),
            .deleteService(web),
            .addServer(server()),
            .addServer(server(12, .directRouting, weight: 0)),
            .addServer(server(12, .tunnel, weight: .max, upper: 5, lower: 5)),
            .editServer(server(11, .directRouting, weight: 7)),
            .deleteServer(IPAddress(v4: 0x0a02_000b), 80),
            .zero(web),
            .timeouts(Timeouts(tcp: Timeouts.longest, tcpFin: 0, udp: 0)),
        ] as [Command])
    func accepts(_ command: Command) throws {
        let director = try makeDirector()
        try run(command, on: director)
    }

    @Test(
        arguments: [
            (.addService(VirtualService(key: web, scheduler: "rr")), .serviceExists),
            // A service that exists is said first, whatever else is wrong.
            (.addService(VirtualService(key: web, scheduler: "nosuch")), .serviceExists),
            (
                .addService(VirtualService(key: other, scheduler: "nosuch")),
                .schedulerNotFound("nosuch")
            ),
            (
                .addService(
                    VirtualService(key: other, scheduler: "rr", persistenceEngine: "nosuch")),
                .schedulerNotFound("nosuch")
            ),
            (.editService(VirtualService(key: other, scheduler: "rr")), .noSuchService),
            (
                .editService(VirtualService(key: web, scheduler: "nosuch")),
                .schedulerNotFound("nosuch")
            ),
            (.deleteService(other), .noSuchService),
            (.deleteService(.mark(5, .v4)), .noSuchService),
            (.zero(other), .noSuchService),
            (.addServerTo(other), .noSuchService),
            (.addServer(server(11)), .destinationExists),
            (.addServer(server(11, .directRouting)), .destinationExists),
            (.addServer(server(12, weight: -1)), .outOfRange),
            (.addServer(server(11, weight: -1)), .outOfRange),
            (.addServer(server(12, upper: 4, lower: 5)), .outOfRange),
            (.editServer(server(11, weight: -1)), .outOfRange),
            (.editServer(server(12)), .noSuchDestination),
            (.editServer(server(12, weight: -1)), .outOfRange),
            (.deleteServer(IPAddress(v4: 0x0a02_000c), 80), .noSuchDestination),
            (.deleteServer(IPAddress(v4: 0x0a02_000b), 81), .noSuchDestination),
        ] as [(Command, CommandRefusal)])
    func refuses(_ command: Command, _ refusal: CommandRefusal) throws {
        let director = try makeDirector()
        let before = director.services()
        #expect(throws: refusal) { try run(command, on: director) }
        #expect(director.services() == before)
    }

    /// What is refused with a text of its own: only the kind is told here.
    @Test(
        arguments: [
            (.addServer(server(address: .anyV4)), false),
            (.addServer(server(address: IPAddress(v4: .max))), false),
            (.addServer(server(address: IPAddress(v4: 0xe000_0001))), false),
            (.addServer(server(address: wide)), false),
            (.addServer(server(12, .tunnel, tunnel: .gue(port: 0, flags: 0))), false),
            (.timeouts(Timeouts(tcp: Timeouts.longest + 1, tcpFin: 0, udp: 0)), false),
            (.addService(VirtualService(key: wideWeb, scheduler: "rr", netmask: 129)), false),
            (
                .addService(
                    VirtualService(key: .address(.icmp, virtual, port: 80), scheduler: "rr")), true
            ),
            (.editServer(server(11, .tunnel, tunnel: .gue(port: 0, flags: 0))), false),
        ] as [(Command, Bool)])
    func refusesWithASentence(_ command: Command, _ isForLater: Bool) throws {
        let director = try makeDirector()
        let before = director.services()
        do throws(CommandRefusal) {
            try run(command, on: director)
            Issue.record("accepted")
        } catch {
            switch error {
            case .notSupported(let text): #expect(isForLater && !text.isEmpty)
            case .invalid(let text): #expect(!isForLater && !text.isEmpty)
            default: Issue.record("\(error)")
            }
        }
        #expect(director.services() == before)
    }

    @Test func zeroTimeoutKeepsTheOldOne() throws {
        let director = try makeDirector()
        try director.setTimeouts(Timeouts(tcp: 10, tcpFin: 0, udp: 30))
        #expect(director.timeouts == Timeouts(tcp: 10, tcpFin: 120, udp: 30))
    }

    @Test func serversAreListedNewestFirstAndKeepTheirPlaceOnEdit() throws {
        let director = try makeDirector()
        try director.add(CommandTests.server(12), to: CommandTests.web)
        try director.edit(CommandTests.server(11, weight: 9), of: CommandTests.web)
        let servers = director.service(CommandTests.web)?.servers ?? []
        #expect(servers.map { $0.server.address.v4 & 0xff } == [12, 11])
        #expect(servers.map(\.server.weight) == [1, 9])
    }

    @Test func servedTrafficNamesServicesAndNATServers() throws {
        let director = try makeDirector()
        try director.add(CommandTests.server(12, .directRouting), to: CommandTests.web)
        let served = director.served
        #expect(
            served.services == [
                .init(address: CommandTests.virtual, transport: .tcp, port: 80)
            ])
        #expect(
            served.servers == [
                .init(address: IPAddress(v4: 0x0a02_000b), transport: .tcp, port: 80)
            ])
        director.flush()
        #expect(director.served.services.isEmpty && director.served.servers.isEmpty)
    }

    @Test func directorHoldsAsManyServersAsThereAreNumbers() throws {
        let director = try makeDirector()
        for number in 0..<200 {
            let address = IPAddress(v4: 0x0a03_0000 + UInt32(number))
            try director.add(CommandTests.server(address: address), to: CommandTests.web)
        }
        #expect(director.service(CommandTests.web)?.servers.count == 201)
    }
}
