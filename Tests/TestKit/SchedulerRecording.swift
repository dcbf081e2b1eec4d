import Foundation
import LVS

/// What the kernel's scheduler picked in a sequence of events (`schedulers/NAME.json`), and how to
/// play it through a whole director.
package struct SchedulerRecording: Decodable, Sendable {
    /// One sequence of events with a service of its own.
    package struct Case: Decodable, Sendable {
        package var name: String
        var scheduler: String
        /// Flags as on the command line, `sh-fallback,sh-port`.
        var flags: String?
        var family: Int
        var proto: String
        var service: Endpoint
        var servers: [Server]
        var timeouts: [UInt32]?
        private var events: [[Value]]?
        private var picks: [[Value]]?

        /// Picks are new connections whose counts were not written down.
        var history: [[Value]] {
            (events ?? []) + (picks ?? []).enumerated().map { [.text("new"), .number($0)] + $1 }
        }

        var schedulerFlags: ServiceFlags {
            var result: ServiceFlags = []
            for flag in (flags ?? "").split(separator: ",") {
                result.insert(flag.hasSuffix("-port") ? .schedulerFlag2 : .schedulerFlag1)
            }
            return result
        }
    }

    /// Address and port of the service; neither for a service by firewall mark.
    struct Endpoint: Decodable, Sendable {
        var addr: String?
        var port: UInt16?
    }

    struct Server: Decodable, Sendable, Equatable {
        var id: String
        var addr: String
        var weight: Int32
        var upper: UInt32?
        var lower: UInt32?
    }

    /// A column of an event.
    enum Value: Decodable, Sendable, Equatable {
        case none
        case number(Int)
        case text(String)
        case counts([[UInt32]])
        case server(Server)

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .none
            } else if let number = try? container.decode(Int.self) {
                self = .number(number)
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if let counts = try? container.decode([[UInt32]].self) {
                self = .counts(counts)
            } else {
                self = .server(try container.decode(Server.self))
            }
        }

        var number: Int? { if case .number(let value) = self { value } else { nil } }
        var text: String? { if case .text(let value) = self { value } else { nil } }
    }

    package var cases: [Case]

    /// Reads the recording of one scheduler.
    package init(contentsOf path: String) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: path))
        self = try JSONDecoder().decode(SchedulerRecording.self, from: data)
    }
}

/// Plays one case through a director: real frames, real states, real expiry.
package struct SchedulerPlayer {
    private static let client = HardwareAddress(value: 0x0200_0a01_00fe)
    private static let director = HardwareAddress(value: 0x0200_0a01_0001)

    private let rig = DirectorRig()
    private let transport: TransportProtocol
    private let key: ServiceKey
    private var servers: [SchedulerRecording.Server]
    private var flows: [Int: (builder: PacketBuilder, from: UInt16, to: UInt16)] = [:]
    private var differences: [String] = []

    /// Everything that differs from the recording, one line each; nil for a service that the
    /// director refuses: by mark.
    package static func play(_ recording: SchedulerRecording.Case) throws -> [String]? {
        guard let address = recording.service.addr.flatMap({ IPAddress(dotted: $0) }),
            let port = recording.service.port
        else { return nil }
        let transport: TransportProtocol = recording.proto == "tcp" ? .tcp : .udp
        var player = SchedulerPlayer(
            transport: transport, key: .address(transport, address, port: port))
        try player.setUp(recording)
        for (number, event) in recording.history.enumerated() {
            try player.play(number, event)
        }
        return player.differences
    }

    private init(transport: TransportProtocol, key: ServiceKey) {
        self.transport = transport
        self.key = key
        servers = []
    }

    private mutating func setUp(_ recording: SchedulerRecording.Case) throws {
        rig.director.setPorts([
            Port(index: 0, name: "cli", hardware: SchedulerPlayer.director, mtu: 1500),
            Port(
                index: 1, name: "srv", hardware: HardwareAddress(value: 0x0200_0a02_0001), mtu: 1500
            ),
        ])
        rig.director.setRoutes([
            Route(
                prefix: IPAddress(v4: 0x0a02_0000), prefixLength: 24,
                kind: .forward(port: 1, gateway: nil)),
            Route(
                prefix: IPAddress(high: 0x2001_0db8_0002_0000, low: 0), prefixLength: 64,
                kind: .forward(port: 1, gateway: nil)),
        ])
        if let seconds = recording.timeouts {
            try rig.director.setTimeouts(
                Timeouts(tcp: seconds[0], tcpFin: seconds[1], udp: seconds[2]))
        }
        try rig.director.add(
            VirtualService(
                key: key, scheduler: recording.scheduler, flags: recording.schedulerFlags))
        for server in recording.servers { try add(server) }
    }

    private mutating func play(_ number: Int, _ event: [SchedulerRecording.Value]) throws {
        switch event[0].text {
        case "new": open(number, event)
        case "est": sendSegment(event, flags: 0x10)
        case "fin": sendSegment(event, flags: 0x11)
        case "rst": sendSegment(event, flags: 0x04)
        case "wait": rig.advance(milliseconds: UInt64(event[1].number ?? 0))
        case "weight":
            let index = servers.firstIndex { .text($0.id) == event[1] }
            guard let index, let weight = event[2].number else { return }
            servers[index].weight = Int32(weight)
            if let server = real(servers[index]) { try rig.director.edit(server, of: key) }
        case "add":
            if case .server(let server) = event[1] { try add(server) }
        case "del":
            guard let server = servers.first(where: { .text($0.id) == event[1] }),
                let address = IPAddress(dotted: server.addr), case .address(_, _, let port) = key
            else { return }
            try rig.director.delete(address, port: port, of: key)
            servers.removeAll { $0.id == server.id }
        default: differences.append("event \(number): unknown")
        }
    }

    private mutating func add(_ server: SchedulerRecording.Server) throws {
        guard let real = real(server) else { return }
        servers.removeAll { $0.id == server.id }
        servers.append(server)
        rig.director.setNeighbour(
            Neighbour(port: 1, address: real.address), SchedulerPlayer.hardware(real.address))
        try rig.director.add(real, to: key)
    }

    private func real(_ server: SchedulerRecording.Server) -> RealServer? {
        guard let address = IPAddress(dotted: server.addr), case .address(_, _, let port) = key
        else { return nil }
        return RealServer(
            address: address, port: port, method: .directRouting, weight: server.weight,
            upperThreshold: server.upper ?? 0, lowerThreshold: server.lower ?? 0)
    }

    /// A new connection: the counts just before it, and the server it goes to.
    private mutating func open(_ number: Int, _ event: [SchedulerRecording.Value]) {
        guard event.count >= 7, let flow = event[1].number,
            let source = IPAddress(dotted: event[2].text ?? ""), let from = event[3].number,
            let destination = IPAddress(dotted: event[4].text ?? ""), let to = event[5].number
        else { return differences.append("event \(number): unreadable") }
        if case .counts(let counts) = event[6] { compare(number, counts) }
        let expected = event[event.count - 1].text
        let builder = PacketBuilder(
            from: source, at: SchedulerPlayer.client, to: destination, at: SchedulerPlayer.director)
        flows[flow] = (builder, UInt16(from), UInt16(to))
        let frame =
            transport == .tcp
            ? builder.tcp(from: UInt16(from), to: UInt16(to), flags: 2)
            : builder.udp(from: UInt16(from), to: UInt16(to))
        let sent = rig.send(frame, on: 0).sent.filter { $0.port == 1 }
        let picked = sent.first.flatMap { frame in
            servers.first { server in
                IPAddress(dotted: server.addr).map {
                    frame.bytes.starts(with: SchedulerPlayer.bytes($0))
                } ?? false
            }
        }
        if picked?.id != expected {
            differences.append(
                "event \(number): expected \(expected ?? "none"), got \(picked?.id ?? "none")")
        }
    }

    /// The recording's counts, in the order the servers of the moment were added.
    private mutating func compare(_ number: Int, _ counts: [[UInt32]]) {
        let listed = rig.director.service(key)?.servers ?? []
        for (server, expected) in zip(servers, counts) {
            guard let found = listed.first(where: { $0.server.address.description == server.addr })
            else { continue }
            if [found.active, found.inactive] != expected {
                differences.append(
                    "event \(number): \(server.id) has \(expected), "
                        + "got [\(found.active), \(found.inactive)]")
            }
        }
    }

    private func sendSegment(_ event: [SchedulerRecording.Value], flags: UInt8) {
        guard transport == .tcp, let flow = event[1].number.flatMap({ flows[$0] }) else { return }
        _ = rig.send(flow.builder.tcp(from: flow.from, to: flow.to, flags: flags), on: 0)
    }

    private static func hardware(_ address: IPAddress) -> HardwareAddress {
        HardwareAddress(value: 0x0200_0000_0000 | UInt64(address.v4))
    }

    private static func bytes(_ address: IPAddress) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(hardware: hardware(address))
        return bytes
    }
}
