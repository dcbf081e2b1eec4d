import LVS
import TestKit
import Testing

/// Schedulers against models that are slow and plain: random histories of servers that come, change,
/// go and come back, of connections that open, become active, close and end, of thresholds, flags,
/// and time that passes.
@Suite struct SchedulerPropertyTests {
    // Without optimisation a history takes ten times as long.
    #if DEBUG
        private let histories: UInt64 = 40
    #else
        private let histories: UInt64 = 120
    #endif

    @Test(arguments: [
        "rr", "wrr", "lc", "wlc", "sed", "nq", "dh", "sh", "lblc", "lblcr", "fo", "ovf", "mh",
    ])
    func schedulerAgreesWithAPlainModel(_ scheduler: String) throws {
        // The model of mh fills its table slot by slot after each change.
        for seed in UInt64(1)...(scheduler == "mh" ? histories / 10 : histories) {
            var history = try SchedulerHistory(scheduler, seed: seed)
            let difference = history.play(steps: scheduler == "mh" ? 120 : 250)
            #expect(difference == nil, "\(scheduler), seed \(seed): \(difference ?? "")")
            if difference != nil { return }
        }
    }
}

/// One random history, played on a scheduler and on its model.
struct SchedulerHistory {
    private struct Connection {
        var server: String
        var isActive: Bool
    }

    private let bench: SchedulerBench
    private var plain = PlainServers()
    private var model: any PlainScheduler
    private var options: PlainOptions
    private let scheduler: String
    private var connections: [Connection] = []
    private var now = 100_000
    private var random: SeededGenerator
    /// What was done, for the message about a difference.
    private var story: [String] = []

    init(_ scheduler: String, seed: UInt64) throws {
        random = SeededGenerator(seed: seed)
        self.scheduler = scheduler
        options = PlainOptions()
        options.fallsBack = seed % 2 == 0
        options.hashesPort = seed % 3 == 0
        options.expiration = [0, 40, 700, 4000][Int(seed % 4)]
        var settings = Settings()
        try settings.set("lblc_expiration", options.expiration)
        try settings.set("lblcr_expiration", options.expiration)
        var flags: ServiceFlags = []
        if options.fallsBack { flags.insert(.schedulerFlag1) }
        if options.hashesPort { flags.insert(.schedulerFlag2) }
        bench = try SchedulerBench(
            scheduler, options: SchedulerOptions(flags: flags, settings: settings))
        model = try #require(PlainSchedulers.make(scheduler, options))
    }

    /// The first difference; nil when there is none.
    mutating func play(steps: Int) -> String? {
        for step in 0..<steps {
            if let difference = act() ?? compareCounts() {
                let list = plain.list.map { "\($0):\(plain[$0])" }.joined(separator: " ")
                let last = story.suffix(12).joined(separator: " ")
                return "step \(step): \(difference); before it: \(last); servers: \(list)"
            }
        }
        return nil
    }

    private mutating func below(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }

    private mutating func act() -> String? {
        let name = String(UnicodeScalar(UInt8(65 + below(7))))
        switch below(20) {
        case 0, 1: addOrDelete(name)
        case 2: edit(name)
        case 3: return forget(name)
        case 4, 5, 6: close()
        case 7, 8, 9: end()
        case 10: pass(seconds: [1, 30, 61, 600, 2000][below(scheduler.hasPrefix("lblc") ? 5 : 1)])
        default:
            for _ in 0...below(3) { if let difference = open() { return difference } }
        }
        return nil
    }

    // MARK: Servers

    private func server(_ name: String, _ weight: Int, _ upper: Int, _ lower: Int) -> RealServer {
        var server = SchedulerStory.server(name, weight: Int32(weight))
        server.upperThreshold = UInt32(upper)
        server.lowerThreshold = UInt32(lower)
        return server
    }

    private mutating func terms() -> (weight: Int, upper: Int, lower: Int) {
        let weights = [0, 1, 1, 2, 2, 3, 4, 6, 10, 200]
        let upper = below(3) == 0 ? 1 + below(6) : 0
        return (weights[below(weights.count)], upper, upper > 0 ? below(upper + 1) : 0)
    }

    private mutating func addOrDelete(_ name: String) {
        if plain.isThere(name), below(3) == 0 {
            let position = plain.list.firstIndex(of: name) ?? 0
            story.append("-\(name)")
            bench.delete(name)
            plain.delete(name)
            model.servers(plain, did: .removed(name, position))
        } else if !plain.isThere(name) {
            let (weight, upper, lower) = terms()
            story.append("+\(name)=\(weight)")
            let server = server(name, weight, upper, lower)
            bench.add(name, server)
            plain.add(
                name, address: server.address.v4, weight: weight, upper: upper, lower: lower)
            model.servers(plain, did: .added)
        }
    }

    private mutating func edit(_ name: String) {
        guard plain.isThere(name) else { return }
        let (weight, upper, lower) = terms()
        story.append("\(name)=\(weight)")
        bench.edit(name, server(name, weight, upper, lower))
        plain.edit(name, weight: weight, upper: upper, lower: lower)
        model.servers(plain, did: .edited)
    }

    /// The trash frees what is deleted, has no connection and is not remembered; its number goes to
    /// the next server.
    private mutating func forget(_ name: String) -> String? {
        guard !plain.isThere(name), plain.known[name] != nil, plain[name].connections == 0 else {
            return nil
        }
        story.append("~\(name)")
        let isRemembered = model.remembers(name)
        if !isRemembered { plain.forget(name) }
        return bench.forget(name) == !isRemembered
            ? nil : "expected \(name) to be \(isRemembered ? "kept" : "freed")"
    }

    // MARK: Connections

    private mutating func open() -> String? {
        let request = PlainRequest(
            client: UInt32(truncatingIfNeeded: random.next()), clientPort: 1024 + below(60_000),
            virtual: 0x0a08_0000 + UInt32(below(4)), hasPorts: below(8) != 0, now: now)
        let picked = bench.pick(
            ScheduleRequest(
                transport: request.hasPorts ? .tcp : .icmp, client: IPAddress(v4: request.client),
                clientPort: UInt16(request.clientPort), virtual: IPAddress(v4: request.virtual),
                virtualPort: 80, now: instant, random: random.next()))
        let expected = model.pick(request, plain)
        story.append("?\(expected ?? "-")")
        guard picked == expected else {
            return "expected \(expected ?? "no server"), got \(picked ?? "no server")"
        }
        guard let picked else { return nil }
        let isActive = below(3) != 0
        bench.destination(picked)?.bind()
        plain.bind(picked)
        if isActive {
            bench.destination(picked)?.becameActive()
            plain.move(picked, toActive: true)
        }
        connections.append(Connection(server: picked, isActive: isActive))
        return nil
    }

    /// A connection becomes inactive, or active again.
    private mutating func close() {
        guard !connections.isEmpty else { return }
        let index = below(connections.count)
        let connection = connections[index]
        if connection.isActive {
            bench.destination(connection.server)?.becameInactive()
        } else {
            bench.destination(connection.server)?.becameActive()
        }
        plain.move(connection.server, toActive: !connection.isActive)
        connections[index].isActive.toggle()
    }

    private mutating func end() {
        guard !connections.isEmpty else { return }
        let connection = connections.remove(at: below(connections.count))
        bench.destination(connection.server)?.unbind(active: connection.isActive)
        plain.unbind(connection.server, active: connection.isActive)
    }

    private func compareCounts() -> String? {
        for (name, server) in plain.known {
            guard let found = bench.destination(name) else { return "\(name) is not known" }
            let counts = (Int(found.active), Int(found.inactive), found.isOverloaded)
            if counts != (server.active, server.inactive, server.isFull) {
                return "\(name): expected \(server), got \(counts)"
            }
        }
        return nil
    }

    // MARK: Time

    private var instant: Instant { Instant(nanoseconds: UInt64(now) * 1_000_000_000) }

    private mutating func pass(seconds: Int) {
        story.append("t\(seconds)")
        for _ in 0..<seconds {
            now += 1
            bench.tick(instant)
            model.second(now)
        }
    }
}
