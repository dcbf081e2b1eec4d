internal import LVS
internal import Posix

/// New connections: insert and expire in steady state, on a table of a million.
enum Churn {
    struct Result {
        var live: Int
        /// ns for one insert and one expiry, both directions of a NAT connection.
        var perConnection: Spread
        /// Entries looked at by one sweep that finds nothing, ns an entry.
        var sweep: Spread
    }

    static func run(live: Int, windows: Int) throws -> Result {
        let workers = 1
        let capacity = live + 65_536
        let memory = try MappedMemory(
            bytes: ConnectionTable.bytes(connections: capacity, workers: workers))
        let table = unsafe ConnectionTable(
            memory: memory.base, connections: capacity, workers: workers, seed: (3, 5))
        let now = Instant(nanoseconds: 1_000_000_000_000)
        var ring: [Connection] = []
        ring.reserveCapacity(live)
        var next = 0
        func insert() -> Connection {
            let key = World.key(next)
            next += 1
            let spec = ConnectionSpec(
                key: key, real: World.server(next & 15), realPort: 8080, method: .masquerading,
                destination: 0)
            guard case .inserted(let made) = table.insert(spec, worker: 0, now: now) else {
                preconditionFailure("the table has room")
            }
            return made
        }
        for _ in 0..<live { ring.append(insert()) }
        var churn: [Double] = []
        var oldest = 0
        for _ in 0..<windows {
            let count = 4096
            let start = MonotonicClock.threadTime()
            for _ in 0..<count {
                _ = table.expire(ring[oldest], worker: 0)
                ring[oldest] = insert()
                oldest = oldest + 1 == live ? 0 : oldest + 1
            }
            let end = MonotonicClock.threadTime()
            churn.append(Double(end - start) / Double(count))
        }
        var sweep: [Double] = []
        for _ in 0..<8 {
            let start = MonotonicClock.threadTime()
            _ = table.sweep(from: 0, count: .max, worker: 0, now: now) { _ in }
            let end = MonotonicClock.threadTime()
            sweep.append(Double(end - start) / Double(table.highWater))
        }
        table.quiescence.deallocate()
        return Result(live: live, perConnection: Spread(churn), sweep: Spread(sweep))
    }
}
