internal import LVS
internal import Posix

/// FULLNAT beside NAT: the hit path of both in turn, and new connections with a local port each.
enum FullNATPath {
    struct Result {
        var connections: Int
        /// ns a packet of thread CPU time.
        var nat: Spread
        var fullNAT: Spread
        /// ns for taking a port, inserting, expiring and giving the port back.
        var perConnection: Spread
        /// Bytes of a live connection in a table full of them.
        var bytes: Double

        /// FULLNAT's time over NAT's.
        var ratio: Double { fullNAT.median / nat.median }
    }

    static func run(connections: Int, windows: Int) throws -> Result {
        let ring = try Ring()
        let nat = try World(connections: connections)
        let full = try World(connections: connections, method: .fullNAT)
        nat.open(ring)
        full.open(ring)
        var random = Generator(state: 11)
        var natTimes: [Double] = []
        var fullTimes: [Double] = []
        for window in 0..<windows + 4 {
            let one = ring.window(of: nat, &random)
            let other = ring.window(of: full, &random)
            // The first windows warm caches and predictors.
            guard window >= 4 else { continue }
            natTimes.append(one)
            fullTimes.append(other)
        }
        let bytes = Double(full.tableBytes) / Double(connections)
        return Result(
            connections: connections, nat: Spread(natTimes), fullNAT: Spread(fullTimes),
            perConnection: try churn(live: connections, windows: windows), bytes: bytes)
    }

    /// Connections end, oldest first, and as many begin: in groups whose lines are asked for before the
    /// first of them is touched, as the housekeeper's sweep and the worker's first wave do.
    private static func churn(live: Int, windows: Int) throws -> Spread {
        let memory = try MappedMemory(
            bytes: ConnectionTable.bytes(connections: live + 65_536, workers: 1))
        let table = unsafe ConnectionTable(
            memory: memory.base, connections: live + 65_536, workers: 1, seed: (3, 5))
        let ports = LocalPorts()
        for local in World.locals {
            for index in 0..<World.servers {
                let key = LocalPorts.Key(
                    local: local, real: World.server(index), transport: .tcp)
                precondition(ports.add(key), "there is room for every pool")
            }
        }
        let now = Instant(nanoseconds: 1_000_000_000_000)
        var ring = (0..<live).map { insert($0, table, ports, now) }
        var times: [Double] = []
        var oldest = 0
        var next = live
        for _ in 0..<windows {
            let groups = 256
            let start = MonotonicClock.threadTime()
            for _ in 0..<groups {
                for place in oldest..<oldest + group { table.prefetchSlots(ring[place]) }
                for place in oldest..<oldest + group where table.expire(ring[place], worker: 0) {
                    ports.giveBack(ring[place])
                }
                for index in next..<next + group { table.prefetch(World.key(index)) }
                for index in 0..<group {
                    ring[oldest + index] = insert(next + index, table, ports, now)
                }
                next += group
                oldest += group
                if oldest + group > live { oldest = 0 }
            }
            let end = MonotonicClock.threadTime()
            times.append(Double(end - start) / Double(groups * group))
        }
        table.quiescence.deallocate()
        ports.deallocate()
        return Spread(times)
    }

    /// Connections whose lines are asked for at once.
    private static let group = 16

    private static func insert(
        _ index: Int, _ table: ConnectionTable, _ ports: LocalPorts, _ now: Instant
    ) -> Connection {
        let key = World.key(index)
        let real = World.server(index & 15)
        let local = World.locals[index >> 4 & 15]
        var spec = ConnectionSpec(
            key: key, real: real, realPort: 8080, method: .masquerading, destination: 0)
        let pool = ports.pool(LocalPorts.Key(local: local, real: real, transport: .tcp))
        guard let port = pool?.take(from: 1024...65535, preferring: key.sourcePort) else {
            preconditionFailure("a port is free")
        }
        spec.local = LocalEndpoint(address: local, port: port)
        guard case .inserted(let made) = table.insert(spec, worker: 0, now: now) else {
            preconditionFailure("the table has room")
        }
        return made
    }
}
