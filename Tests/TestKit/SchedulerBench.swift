package import LVS

/// A name that no scheduler has, or words a story does not know.
package struct SchedulerBenchError: Error {
    package var text: String
}

/// One scheduler with its servers and nothing else: no frames, no table of connections.
///
/// Deleted servers keep their number and their connections, as in a director's trash.
package final class SchedulerBench {
    private let cells = DestinationCells()
    private var scheduler: any Scheduler
    private var servers: DestinationList
    private var numbers: [String: DestinationIndex] = [:]
    private var free: [DestinationIndex] = []
    private var next: DestinationIndex = 0

    package init(_ name: String, options: SchedulerOptions = SchedulerOptions()) throws {
        guard let made = SchedulerRegistry.make(name, options: options) else {
            throw SchedulerBenchError(text: "no scheduler \(name)")
        }
        scheduler = made
        servers = DestinationList(cells: cells)
        scheduler.servers(servers, did: .started)
    }

    deinit { cells.deallocate() }

    package func take(_ options: SchedulerOptions) { scheduler.take(options) }

    package func add(_ id: String, _ server: RealServer) {
        let number: DestinationIndex
        if let known = numbers[id] {
            number = known
        } else {
            number = free.popLast() ?? next
            if number == next { next += 1 }
            numbers[id] = number
            cells[number].start(number: number, address: server.address, port: server.port)
        }
        cells[number].configure(server)
        cells[number].setAvailable(true)
        servers.add(number)
        scheduler.servers(servers, did: .added(number))
    }

    package func edit(_ id: String, _ server: RealServer) {
        guard let number = numbers[id] else { return }
        cells[number].configure(server)
        scheduler.servers(servers, did: .edited(number))
    }

    package func delete(_ id: String) {
        guard let number = numbers[id], let position = servers.remove(number) else { return }
        cells[number].setAvailable(false)
        scheduler.servers(servers, did: .removed(number, position: position))
    }

    /// Gives the number of a deleted server to whoever comes next, unless the scheduler may still come
    /// back to it; false then.
    @discardableResult
    package func forget(_ id: String) -> Bool {
        if let number = numbers[id], scheduler.remembers(number) { return false }
        if let number = numbers.removeValue(forKey: id) { free.append(number) }
        return true
    }

    /// The server for a new connection, which is not bound to it yet.
    package func pick(_ request: ScheduleRequest) -> String? {
        choose(request).flatMap { number in
            numbers.first { $0.value == number }?.key
        }
    }

    /// The choice itself, which costs what it costs a worker.
    package func choose(_ request: ScheduleRequest) -> DestinationIndex? {
        scheduler.schedule(request, among: servers)
    }

    /// What it would compare to choose.
    package func figures(_ request: ScheduleRequest) -> SchedulerFigures {
        scheduler.figures(request, among: servers)
    }

    /// Goes on with a copy in place of the scheduler, which chooses `choices` more times and is gone.
    package func replaceByCopy(then request: ScheduleRequest, choices: Int) {
        let old = scheduler
        scheduler = old.copy()
        for _ in 0..<choices { _ = old.schedule(request, among: servers) }
    }

    package func destination(_ id: String) -> Destination? { numbers[id].map { cells[$0] } }

    package func tick(_ now: Instant) { scheduler.tick(now) }
}

/// Plays one case of a recording on the scheduler alone, with counts moved as the recorder's
/// connections moved them.
package struct SchedulerBenchPlayer {
    private let bench: SchedulerBench
    private let transport: TransportProtocol
    private var servers: [SchedulerRecording.Server] = []
    private var flows: [Int: (server: String, isActive: Bool)] = [:]
    private var differences: [String] = []

    /// Everything that differs up to the first wait, one line each.
    package static func play(_ recording: SchedulerRecording.Case) throws -> [String] {
        var player = SchedulerBenchPlayer(
            bench: try SchedulerBench(
                recording.scheduler, options: SchedulerOptions(flags: recording.schedulerFlags)),
            transport: recording.proto == "tcp" ? .tcp : .udp)
        for server in recording.servers { player.add(server) }
        for (number, event) in recording.history.enumerated() {
            if event[0] == .text("wait") { break }
            player.play(number, event)
        }
        return player.differences
    }

    private init(bench: SchedulerBench, transport: TransportProtocol) {
        self.bench = bench
        self.transport = transport
    }

    private mutating func play(_ number: Int, _ event: [SchedulerRecording.Value]) {
        switch event[0].text {
        case "new": open(number, event)
        case "est": break
        case "fin", "rst": close(event[1].number ?? -1)
        case "weight":
            let index = servers.firstIndex { .text($0.id) == event[1] }
            guard let index, let weight = event[2].number else { return }
            servers[index].weight = Int32(weight)
            if let server = real(servers[index]) { bench.edit(servers[index].id, server) }
        case "add": if case .server(let server) = event[1] { add(server) }
        case "del":
            guard let id = event[1].text else { return }
            bench.delete(id)
            servers.removeAll { $0.id == id }
        default: differences.append("event \(number): unknown")
        }
    }

    private mutating func add(_ server: SchedulerRecording.Server) {
        guard let real = real(server) else {
            return differences.append("\(server.id): unreadable address")
        }
        servers.removeAll { $0.id == server.id }
        servers.append(server)
        bench.add(server.id, real)
    }

    private func real(_ server: SchedulerRecording.Server) -> RealServer? {
        IPAddress(parsing: server.addr).map {
            RealServer(
                address: $0, port: 80, method: .directRouting, weight: server.weight,
                upperThreshold: server.upper ?? 0, lowerThreshold: server.lower ?? 0)
        }
    }

    private mutating func open(_ number: Int, _ event: [SchedulerRecording.Value]) {
        guard event.count >= 7, let flow = event[1].number,
            let source = IPAddress(parsing: event[2].text ?? ""), let from = event[3].number,
            let virtual = IPAddress(parsing: event[4].text ?? ""), let to = event[5].number
        else { return differences.append("event \(number): unreadable") }
        if case .counts(let counts) = event[6] { compare(number, counts) }
        let request = ScheduleRequest(
            transport: transport, client: source, clientPort: UInt16(from), virtual: virtual,
            virtualPort: UInt16(to), now: Instant(nanoseconds: UInt64(number) * 1_000_000),
            random: UInt64(number))
        let expected = event[event.count - 1].text
        let picked = bench.pick(request)
        if picked != expected {
            differences.append(
                "event \(number): expected \(expected ?? "none"), got \(picked ?? "none")")
        }
        guard let picked, let server = bench.destination(picked) else { return }
        server.bind()
        if transport == .tcp { server.becameActive() }
        flows[flow] = (picked, transport == .tcp)
    }

    private mutating func close(_ flow: Int) {
        guard let connection = flows[flow], connection.isActive else { return }
        bench.destination(connection.server)?.becameInactive()
        flows[flow]?.isActive = false
    }

    private mutating func compare(_ number: Int, _ counts: [[UInt32]]) {
        for (server, expected) in zip(servers, counts) {
            guard let found = bench.destination(server.id) else { continue }
            if [found.active, found.inactive] != expected {
                differences.append(
                    "event \(number): \(server.id) has \(expected), "
                        + "got [\(found.active), \(found.inactive)]")
            }
        }
    }
}
