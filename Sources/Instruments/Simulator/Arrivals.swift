internal import LVS

/// The connections of a load, one after the other: the same for every scheduler.
package protocol ArrivalSource {
    /// The next connection; there is always one more.
    mutating func next() -> Arrivals.Arrival
}

/// Connections that are made up.
package struct Arrivals: ArrivalSource {
    /// One connection; times are nanoseconds from the beginning.
    package struct Arrival: Hashable, Sendable {
        package var time: Int64
        /// Number of the client, from 0.
        package var client: Int
        /// Host order.
        package var clientPort: UInt16
        package var end: Int64
    }

    private let load: SimulatedLoad
    private var random: SeededGenerator
    private var seconds = 0.0
    /// How many connections each client has had.
    private var turns: [UInt16]
    /// Sums of the harmonic series, when clients come by it.
    private let sums: [Double]

    package init(_ load: SimulatedLoad) {
        self.load = load
        random = SeededGenerator(seed: load.seed)
        turns = Array(repeating: 0, count: load.clients)
        guard load.popularity == .harmonic else {
            sums = []
            return
        }
        var sum = 0.0
        sums = (1...load.clients).map { number in
            sum += 1 / Double(number)
            return sum
        }
    }

    package mutating func next() -> Arrival {
        seconds += waiting(mean: 1 / load.connectionsPerSecond)
        let client = chosenClient()
        let turn = turns[client]
        // The ports of an ephemeral range one after the other, as a busy client takes them.
        turns[client] = turn == Self.lastTurn ? 0 : turn + 1
        let time = Int64(seconds * 1e9)
        return Arrival(
            time: time, client: client, clientPort: 1024 + turn,
            end: time + Int64(length() * 1e9))
    }

    private static let lastTurn = UInt16(65535 - 1024)

    private mutating func chosenClient() -> Int {
        guard let last = sums.last else {
            return min(Int(part() * Double(load.clients)), load.clients - 1)
        }
        let wanted = part() * last
        var (low, high) = (0, sums.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if sums[middle] > wanted { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Seconds that a connection stays open.
    private mutating func length() -> Double {
        switch load.sessions {
        case .fixed(let seconds): seconds
        case .exponential(let mean): waiting(mean: mean)
        case .mixed(let short, let long, let share): part() < share ? long : short
        }
    }

    /// A waiting time without memory.
    private mutating func waiting(mean: Double) -> Double { -naturalLogarithm(1 - part()) * mean }

    /// From 0 to just below 1, in steps of 2^-53.
    private mutating func part() -> Double { Double(random.next() >> 11) * 0x1p-53 }
}

/// Those of a capture, played again and again.
///
/// The first time is as captured. Later ones are in another order among neighbours: a scheduler whose
/// servers take turns would otherwise give every client its old server or none of them, by how many
/// connections there are.
package struct CapturedArrivals: ArrivalSource {
    private let load: CapturedLoad
    private var random: SeededGenerator
    /// Longest delay, nanoseconds: that of several turns of all servers.
    private let mostDelay: Int64
    /// Those of this time.
    private var connections: [CapturedLoad.Connection]
    private var position = 0
    private var beginning: Int64 = 0
    /// How often it has been played.
    private var turn = 0

    package init(_ load: CapturedLoad, servers: Int, seed: UInt64) {
        self.load = load
        random = SeededGenerator(seed: seed)
        connections = load.connections
        let gap = load.period / Int64(load.connections.count)
        mostDelay = min(load.period, gap * Int64(servers + 1) * 8)
    }

    package mutating func next() -> Arrivals.Arrival {
        let connection = connections[position]
        let arrival = Arrivals.Arrival(
            time: beginning + connection.time, client: Int(connection.client),
            clientPort: port(connection), end: beginning + connection.end)
        position += 1
        if position == connections.count {
            position = 0
            beginning += load.period
            turn += 1
            disarrange()
        }
        return arrival
    }

    /// Delays each connection by chance; what would come too late comes at the beginning.
    private mutating func disarrange() {
        for (index, connection) in load.connections.enumerated() {
            let delay = Int64(random.next() % UInt64(mostDelay + 1))
            var moved = connection
            moved.time = (connection.time + delay) % load.period
            moved.end = moved.time + (connection.end - connection.time)
            connections[index] = moved
        }
        connections.sort { left, right in
            (left.time, left.client, left.clientPort) < (right.time, right.client, right.clientPort)
        }
    }

    /// Another port each time, as a client has that comes again.
    ///
    /// The connection of the last time may still be in the table. Not below 1024, where port 20 is
    /// never scheduled.
    private func port(_ connection: CapturedLoad.Connection) -> UInt16 {
        guard turn > 0 else { return connection.clientPort }
        let range = 65536 - 1024
        let place =
            (Int(connection.clientPort) + turn % Course.plays * range / Course.plays) % range
        return UInt16(1024 + place)
    }
}

/// The natural logarithm of a positive number, the same in its last bit on every machine, which
/// libraries do not promise.
///
/// With x = m 2^e, ln x is e ln 2 + 2 artanh((m - 1) / (m + 1)), and m lies near 1.
package func naturalLogarithm(_ number: Double) -> Double {
    var exponent = Double(number.exponent)
    var significand = number.significand
    if significand > 1.4142135623730951 {
        significand /= 2
        exponent += 1
    }
    let ratio = (significand - 1) / (significand + 1)
    let square = ratio * ratio
    var power = ratio
    var sum = 0.0
    // The ratio is below 0.172: the last term is below 2^-53 of the first.
    for odd in stride(from: 1.0, through: 21, by: 2) {
        sum += power / odd
        power *= square
    }
    return exponent * 0.6931471805599453 + 2 * sum
}
