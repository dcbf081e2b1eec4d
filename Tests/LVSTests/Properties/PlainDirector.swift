/// One TCP or SCTP service as ipvs-semantics describes it (0.2, 0.3, 3.3, 4.4 to 4.8, 7).
///
/// Servers that come and go, and a list of connections: slow, and without a line of the engine's.
struct PlainDirector {
    struct Settings {
        var reuseMode = 1
        var isSecure = false
        var isSloppy = false
        var expiresNoDestination = false
        var established = 900
        var finWait = 120
    }

    struct Connection: Equatable {
        var client: UInt32
        var port: Int
        var server: String
        /// Replaced by the columns IN and OUT with the first packet of the server.
        var isInputOnly: Bool
        var isNAT: Bool
        var state = "NO"
        /// Milliseconds.
        var deadline = 0
    }

    enum Outcome: Equatable {
        case forwarded(String)
        case reply
        case refused
        case gone
        case passed
    }

    private struct Deleted {
        var name: String
        var idleSince: Int?
    }

    private(set) var servers = PlainServers()
    private(set) var connections: [Connection] = []
    var settings = Settings()
    let transport: PlainTransport
    /// Milliseconds.
    private(set) var now: Int
    private(set) var isServiceThere = false
    /// Connections each server was given, as long as it was never deleted.
    private(set) var given: [String: Int] = [:]
    private(set) var isNAT: [String: Bool] = [:]
    private var scheduler: any PlainScheduler
    private let makeScheduler: () -> any PlainScheduler
    private var trash: [Deleted] = []
    private var nextLook: Int?
    private var lastEnd = 0

    init(
        _ transport: PlainTransport, now: Int, scheduler: @escaping () -> any PlainScheduler
    ) {
        self.transport = transport
        self.now = now
        makeScheduler = scheduler
        self.scheduler = scheduler()
    }

    // MARK: Commands

    mutating func addService() {
        isServiceThere = true
        scheduler = makeScheduler()
    }

    mutating func deleteService() {
        isServiceThere = false
        for name in servers.list { bin(name) }
        expireGone()
    }

    mutating func add(_ name: String, address: UInt32, isNAT: Bool, _ terms: (Int, Int, Int)) {
        given[name] = self.isNAT[name] == nil ? 0 : nil
        trash.removeAll { $0.name == name }
        self.isNAT[name] = isNAT
        servers.add(name, address: address, weight: terms.0, upper: terms.1, lower: terms.2)
        scheduler.servers(servers, did: .added)
    }

    mutating func edit(_ name: String, isNAT: Bool, _ terms: (Int, Int, Int)) {
        self.isNAT[name] = isNAT
        servers.edit(name, weight: terms.0, upper: terms.1, lower: terms.2)
        scheduler.servers(servers, did: .edited)
    }

    mutating func delete(_ name: String) {
        let position = servers.list.firstIndex(of: name) ?? 0
        bin(name)
        scheduler.servers(servers, did: .removed(name, position))
        expireGone()
    }

    private mutating func bin(_ name: String) {
        servers.delete(name)
        if trash.isEmpty { nextLook = now + 60_000 }
        trash.append(Deleted(name: name))
    }

    private mutating func expireGone() {
        guard settings.expiresNoDestination else { return }
        for connection in connections where !servers.isThere(connection.server) {
            end(connection)
        }
    }

    // MARK: Time

    /// A quarter of a second passes.
    mutating func tick() {
        now += 250
        for connection in connections where connection.deadline <= now {
            end(connection)
            lastEnd = now
        }
        guard let due = nextLook, now >= due else { return }
        for position in trash.indices.reversed() {
            let name = trash[position].name
            if servers[name].connections > 0 { continue }
            if let since = trash[position].idleSince {
                guard now >= since + 120_000 else { continue }
                trash.remove(at: position)
                servers.forget(name)
            } else {
                trash[position].idleSince = now
            }
        }
        nextLook = trash.isEmpty ? nil : now + 60_000
    }

    /// True when a connection ends within half a second, or has ended: what is seen then is not
    /// certain.
    var isNearADeadline: Bool {
        now - lastEnd < 500 || connections.contains { $0.deadline - now < 500 }
    }

    private mutating func end(_ connection: Connection) {
        connections.removeAll { $0 == connection }
        servers.unbind(connection.server, active: transport.isActive(connection.state))
    }

    // MARK: Packets

    mutating func fromClient(_ client: UInt32, _ port: Int, packet: Int) -> Outcome {
        guard isServiceThere else { return .passed }
        if var known = connections.first(where: { $0.client == client && $0.port == port }) {
            if transport.isOpener(packet), isReused(known) {
                end(known)
            } else if servers.isThere(known.server) {
                move(&known, column: known.isInputOnly ? "INO" : "IN", packet)
                return .forwarded(known.server)
            } else if settings.expiresNoDestination {
                end(known)
            } else {
                return .gone
            }
        }
        guard transport.opens(packet, isSloppy: settings.isSloppy) else { return .passed }
        let request = PlainRequest(
            client: client, clientPort: port, virtual: 0x0a01_0064, now: now / 1000)
        guard let name = scheduler.pick(request, servers) else { return .refused }
        let nat = isNAT[name] ?? false
        var new = Connection(
            client: client, port: port, server: name, isInputOnly: !nat, isNAT: nat)
        connections.append(new)
        servers.bind(name)
        given[name]? += 1
        move(&new, column: nat ? "IN" : "INO", packet)
        return .forwarded(name)
    }

    /// A packet of the server on the connection with this number.
    mutating func fromServer(_ number: Int, packet: Int) -> Outcome {
        guard isServiceThere else { return .passed }
        var connection = connections[number]
        connection.isInputOnly = false
        move(&connection, column: "OUT", packet)
        return .reply
    }

    private func isReused(_ known: Connection) -> Bool {
        if settings.expiresNoDestination, servers[known.server].weight == 0 { return true }
        return transport.isReused(
            known.state, mode: settings.reuseMode, isInputOnly: known.isInputOnly)
    }

    private mutating func move(_ connection: inout Connection, column: String, _ packet: Int) {
        let old = connection.state
        connection.state = transport.next(
            old, column: column, packet: packet, secure: settings.isSecure)
        let timeout = transport.timeout(
            connection.state, established: settings.established, finWait: settings.finWait)
        connection.deadline = now + timeout * 1000
        let (was, isNow) = (transport.isActive(old), transport.isActive(connection.state))
        if was != isNow { servers.move(connection.server, toActive: isNow) }
        let moved = connection
        let place = connections.firstIndex { $0.client == moved.client && $0.port == moved.port }
        if let place { connections[place] = moved }
    }
}
