import LVS
import TestKit
import Testing

/// The whole director against a plain model of TCP and SCTP: random packets in both directions,
/// servers that come, change, go and come back, settings, and time that passes.
@Suite struct ConnectionPropertyTests {
    // Builds without optimisation take ten times as long for each: they play every part's beginning.
    #if DEBUG
        private let histories: UInt64 = 12
    #else
        private let histories: UInt64 = 130
    #endif

    @Test(arguments: [PlainTransport.tcp, .sctp], 0..<8)
    func connectionsAndCountsAgreeWithAPlainModel(
        _ transport: PlainTransport, _ part: UInt64
    ) throws {
        for seed in part * 130..<part * 130 + histories {
            var history = try ConnectionHistory(transport, seed: seed)
            let difference = try history.play(steps: 70)
            #expect(difference == nil, "seed \(seed): \(difference ?? "")")
            if difference != nil { return }
        }
    }
}

/// One random history, played through a director and its model.
struct ConnectionHistory {
    private static let names = ["A", "B", "C", "D"]
    private static let segments = [2, 2, 2, 16, 16, 16, 17, 17, 1, 4, 20, 18, 0, 8, 6, 3, 19, 63]
    private static let chunks = [1, 1, 1, 0, 3, 2, 10, 11, 10, 7, 8, 14, 9, 6, 4, 192]

    private let rig = DirectorRig.twoLegged(connections: 256)
    private let scheduler: String
    private let key: ServiceKey
    private let transport: PlainTransport
    private var model: PlainDirector
    private var random: SeededGenerator
    /// What was done, for the message about a difference.
    private var story: [String] = []

    init(_ transport: PlainTransport, seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        self.transport = transport
        key = .address(
            transport == .tcp ? .tcp : .sctp, IPAddress(v4: 0x0a01_0064), port: 80)
        scheduler = ["wlc", "rr", "lc", "nq", "sed", "wrr"][Int(seed % 6)]
        let plain = try #require(PlainSchedulers.make(scheduler, PlainOptions()))
        model = PlainDirector(transport, now: Int(rig.clock.now.nanoseconds / 1_000_000)) { plain }
    }

    /// The first difference; nil when there is none.
    mutating func play(steps: Int) throws -> String? {
        try setTimeouts()
        try addService()
        for name in ConnectionHistory.names.dropLast() { try addOrEdit(name) }
        for step in 0..<steps {
            if let difference = try act() ?? compare() {
                return "step \(step): \(difference); before it: "
                    + story.suffix(16).joined(separator: ", ")
            }
        }
        return nil
    }

    private mutating func below(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }

    private mutating func act() throws -> String? {
        let name = ConnectionHistory.names[below(ConnectionHistory.names.count)]
        switch below(24) {
        case 0: try addOrEdit(name)
        case 1 where model.servers.isThere(name): try delete(name)
        case 2: try set()
        case 3, 4, 5: pass()
        case 6 where below(4) == 0:
            if model.isServiceThere { try deleteService() } else { try addService() }
        case 7, 8, 9, 10, 11, 12, 13: return fromServer()
        default: return fromClient()
        }
        return nil
    }

    // MARK: Commands

    private static func server(_ name: String, isNAT: Bool, _ terms: (Int, Int, Int)) -> RealServer
    {
        RealServer(
            address: address(name), port: 80, method: isNAT ? .masquerading : .directRouting,
            weight: Int32(terms.0), upperThreshold: UInt32(terms.1),
            lowerThreshold: UInt32(terms.2))
    }

    private static func address(_ name: String) -> IPAddress {
        IPAddress(v4: 0x0a02_000b + UInt32(name.utf8.first ?? 65) - 65)
    }

    private mutating func addService() throws {
        story.append("service")
        try rig.director.add(VirtualService(key: key, scheduler: scheduler))
        model.addService()
    }

    private mutating func deleteService() throws {
        story.append("no service")
        try rig.director.delete(key)
        model.deleteService()
    }

    private mutating func addOrEdit(_ name: String) throws {
        guard model.isServiceThere else { return }
        let upper = below(3) == 0 ? 1 + below(4) : 0
        let terms = (below(4), upper, upper > 0 ? below(upper + 1) : 0)
        let isNAT = below(2) == 0
        let server = ConnectionHistory.server(name, isNAT: isNAT, terms)
        story.append("\(name)=\(terms)\(isNAT ? "NAT" : "DR")")
        if model.servers.isThere(name) {
            try rig.director.edit(server, of: key)
            model.edit(name, isNAT: isNAT, terms)
        } else {
            try rig.director.add(server, to: key)
            model.add(name, address: server.address.v4, isNAT: isNAT, terms)
        }
    }

    private mutating func delete(_ name: String) throws {
        story.append("-\(name)")
        try rig.director.delete(ConnectionHistory.address(name), port: 80, of: key)
        model.delete(name)
    }

    private mutating func setTimeouts() throws {
        model.settings.established = [900, 5, 20, 90][below(4)]
        model.settings.finWait = [120, 4, 30][below(3)]
        story.append("ES \(model.settings.established) FW \(model.settings.finWait)")
        try rig.director.setTimeouts(
            Timeouts(
                tcp: UInt32(model.settings.established), tcpFin: UInt32(model.settings.finWait),
                udp: 0))
    }

    private mutating func set() throws {
        let (name, value): (String, Int)
        switch below(5) {
        case 0: return try setTimeouts()
        case 1:
            model.settings.isSecure.toggle()
            (name, value) = ("secure_tcp", model.settings.isSecure ? 3 : 0)
        case 2:
            model.settings.isSloppy.toggle()
            (name, value) = (
                transport == .tcp ? "sloppy_tcp" : "sloppy_sctp", model.settings.isSloppy ? 1 : 0
            )
        case 3:
            model.settings.reuseMode = below(4)
            (name, value) = ("conn_reuse_mode", model.settings.reuseMode)
        default:
            model.settings.expiresNoDestination.toggle()
            (name, value) = ("expire_nodest_conn", model.settings.expiresNoDestination ? 1 : 0)
        }
        story.append("\(name)=\(value)")
        try rig.director.set(name: name, value: value)
    }

    /// Seconds pass, and some more while a connection is about to end.
    private mutating func pass() {
        var seconds = [1, 2, 3, 8, 12, 31, 61, 70, 130][below(9)]
        while seconds > 0 {
            story.append("t\(seconds)")
            for _ in 0..<seconds * 4 {
                rig.advance(milliseconds: 250)
                model.tick()
            }
            seconds = model.isNearADeadline ? 1 : 0
        }
    }

    // MARK: Packets

    private mutating func anyPacket() -> Int {
        let packets = transport == .tcp ? ConnectionHistory.segments : ConnectionHistory.chunks
        return packets[below(packets.count)]
    }

    private func frame(
        _ builder: PacketBuilder, from source: UInt16, to destination: UInt16, _ packet: Int
    ) -> [UInt8] {
        transport == .tcp
            ? builder.tcp(from: source, to: destination, flags: UInt8(packet))
            : builder.sctp(from: source, to: destination, chunk: UInt8(packet))
    }

    private mutating func fromClient() -> String? {
        let client = IPAddress(v4: 0xc633_6401 + UInt32(below(3)))
        let port = 2000 + below(3)
        let packet = anyPacket()
        story.append("\(client.v4 & 0xff):\(port)>\(packet)")
        let expected = model.fromClient(client.v4, port, packet: packet)
        let sent = rig.send(
            frame(DirectorRig.client(client), from: UInt16(port), to: 80, packet), on: 0)
        return compare(expected, sent)
    }

    private mutating func fromServer() -> String? {
        // Only NAT brings the servers' segments to the director.
        let numbers = model.connections.indices.filter { model.connections[$0].isNAT }
        guard !numbers.isEmpty else { return nil }
        let number = numbers[below(numbers.count)]
        let known = model.connections[number]
        let packet = anyPacket()
        story.append("\(known.client & 0xff):\(known.port)<\(packet)")
        let builder = DirectorRig.server(
            ConnectionHistory.address(known.server), to: IPAddress(v4: known.client))
        let expected = model.fromServer(number, packet: packet)
        let sent = rig.send(
            frame(builder, from: 80, to: UInt16(known.port), packet), on: 1)
        return compare(expected, sent)
    }

    private func compare(
        _ expected: PlainDirector.Outcome, _ outcome: DirectorRig.Outcome
    ) -> String? {
        let frame = outcome.sent.first { $0.port == 1 }
        let found: PlainDirector.Outcome? =
            switch outcome.verdict {
            case .drop(.noServer): .refused
            case .drop(.serverGone): .gone
            default:
                switch outcome.verdict.kind {
                case .pass: .passed
                case .send: .reply
                default: nil
                }
            }
        let server = frame.map { PlainDirector.Outcome.forwarded(ConnectionHistory.name($0.bytes)) }
        guard (server ?? found) == expected else {
            return "expected \(expected), got \(server.map { "\($0)" } ?? "\(outcome.verdict)")"
        }
        return nil
    }

    /// The server that the frame's destination MAC belongs to.
    private static func name(_ frame: [UInt8]) -> String {
        String(UnicodeScalar(frame[5] &- 11 &+ 65))
    }

    // MARK: Listings

    private func compare() -> String? { compareServers() ?? compareConnections() }

    private func compareServers() -> String? {
        for server in rig.director.service(key)?.servers ?? [] {
            let name = String(UnicodeScalar(UInt8(server.server.address.v4 & 0xff) - 11 + 65))
            let plain = model.servers[name]
            let counts = (Int(server.active), Int(server.inactive), server.isOverloaded)
            if counts != (plain.active, plain.inactive, plain.isFull) {
                return "\(name): expected \(plain), got \(counts)"
            }
            let given = Int(server.statistics.counters.connections)
            if let known = model.given[name], known != given {
                return "\(name): expected \(known) connections since it was added, got \(given)"
            }
        }
        return nil
    }

    private func compareConnections() -> String? {
        var found: [String] = []
        rig.director.forEachConnection { listed in
            let name = String(UnicodeScalar(UInt8(listed.real.v4 & 0xff) - 11 + 65))
            found.append(
                "\(listed.client.v4 & 0xff):\(listed.clientPort) \(name) \(listed.state)"
                    + " \(listed.isInactive ? "inactive" : "active")")
        }
        let expected = model.connections.map { known in
            "\(known.client & 0xff):\(known.port) \(known.server)"
                + " \(transport.name(known.state))"
                + " \(transport.isActive(known.state) ? "active" : "inactive")"
        }
        guard found.sorted() == expected.sorted() else {
            return "expected connections \(expected.sorted()), got \(found.sorted())"
        }
        var late: String?
        rig.director.forEachConnection { listed in
            let known = model.connections.first {
                $0.client == listed.client.v4 && $0.port == Int(listed.clientPort)
            }
            let left = ((known?.deadline ?? 0) - model.now) / 1000
            if abs(left - Int(listed.remainingSeconds)) > 1 {
                late = "expected \(left) seconds left, got \(listed)"
            }
        }
        return late
    }
}
