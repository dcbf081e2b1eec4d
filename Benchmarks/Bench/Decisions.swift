internal import LVS
internal import Posix

/// What a scheduler's decision costs: the service's lock and the choice.
///
/// The counts move with every connection, since a choice changes what the next one sees; what that
/// costs is measured by itself and taken off.
///
/// Every server has a weight of 1 to 100 and at first twice as many active connections, so that no
/// scheduler finds an idle one early (for ovf, which would refuse then, half of its weight); for each
/// new connection an old one ends.
struct Decisions {
    struct Result {
        var scheduler: String
        /// ns a decision, by the number of servers.
        var perServers: [(servers: Int, cost: Spread)]
    }

    /// Numbers of servers, and the most a decision may cost with them, ns.
    static let limits = [(servers: 10, nanoseconds: 100.0), (servers: 1000, nanoseconds: 1000.0)]

    private static let batch = 128
    private static let addresses = 64

    private let cells = DestinationCells()
    private let service: Service
    private let servers: Int
    private var random = Generator(state: 11)
    /// Servers of the connections that stand, the oldest at `next`.
    private var connections: [DestinationIndex] = []
    private var next = 0

    static func run(_ scheduler: String, windows: Int) -> Result {
        Result(
            scheduler: scheduler,
            perServers: limits.map { limit in
                var decisions = Decisions(scheduler, servers: limit.servers)
                return (limit.servers, decisions.measure(windows))
            })
    }

    private init(_ scheduler: String, servers: Int) {
        self.servers = servers
        service = Service(
            key: .address(.tcp, World.virtual, port: 80), generation: 1, cells: cells)
        service.use(scheduler, options: SchedulerOptions())
        for index in 0..<servers {
            let number = DestinationIndex(index)
            let weight = Int32(random.next() % 100) + 1
            cells[number].start(number: number, address: World.server(index), port: 80)
            cells[number].configure(
                RealServer(
                    address: World.server(index), port: 80, method: .masquerading, weight: weight))
            cells[number].setAvailable(true)
            service.add(number)
            let standing = scheduler == "ovf" ? weight / 2 : weight * 2
            for _ in 0..<standing { connect(number) }
        }
        shuffle()
    }

    private mutating func shuffle() {
        for index in connections.indices {
            connections.swapAt(index, Int(random.next() % UInt64(connections.count)))
        }
    }

    private mutating func connect(_ number: DestinationIndex) {
        cells[number].bind()
        cells[number].becameActive()
        connections.append(number)
    }

    private mutating func measure(_ windows: Int) -> Spread {
        var costs: [Double] = []
        for window in 0..<windows + 4 {
            var requests: [ScheduleRequest] = []
            for _ in 0..<Decisions.batch { requests.append(request()) }
            next = 0
            let start = MonotonicClock.threadTime()
            for request in requests { decide(request) }
            let middle = MonotonicClock.threadTime()
            let picked = Array(connections[..<Decisions.batch])
            next = 0
            let again = MonotonicClock.threadTime()
            // Each of them ends and begins once more, which changes nothing.
            for number in picked { move(to: cells[number]) }
            let end = MonotonicClock.threadTime()
            // The next window ends other connections.
            connections.append(contentsOf: connections[..<Decisions.batch])
            connections.removeFirst(Decisions.batch)
            // The first windows fill what lblc and lblcr remember.
            let cost = Double(middle - start) - Double(end - again)
            if window >= 4 { costs.append(cost / Double(Decisions.batch)) }
        }
        cells.deallocate()
        return Spread(costs)
    }

    private mutating func decide(_ request: ScheduleRequest) {
        guard let server = service.schedule(request) else {
            preconditionFailure("every server can take a connection")
        }
        move(to: server)
    }

    /// A connection to a server begins, and an old one ends.
    private mutating func move(to server: Destination) {
        server.bind()
        server.becameActive()
        cells[connections[next]].unbind(active: true)
        connections[next] = server.number
        next = next + 1 == connections.count ? 0 : next + 1
    }

    private mutating func request() -> ScheduleRequest {
        let word = random.next()
        return ScheduleRequest(
            transport: .tcp, client: IPAddress(v4: UInt32(truncatingIfNeeded: word)),
            clientPort: UInt16(truncatingIfNeeded: word >> 32),
            virtual: IPAddress(v4: 0x0a08_0000 + UInt32(word >> 48) % UInt32(Decisions.addresses)),
            virtualPort: 80, now: Instant(nanoseconds: 1_000_000_000_000), random: random.next())
    }
}
