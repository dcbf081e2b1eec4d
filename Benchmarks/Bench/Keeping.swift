internal import LVS
internal import Posix

/// A table kept in a file in memory: what it costs per packet, and how long a new process takes to make
/// it its own.
enum Keeping {
    struct Result {
        var connections: Int
        /// ns a packet of thread CPU time.
        var own: Spread
        var kept: Spread

        /// The kept table's time over that of memory of the process's own.
        var ratio: Double { kept.median / own.median }
    }

    struct Adoption {
        var connections: Int
        var threads: Int
        /// Milliseconds of wall time: mapping the file, adopting the table, and the part of the mapping.
        var whole: Spread
        var mapping: Spread
    }

    static let sizes = [("kept-1m", 1_000_000), ("kept-10m", 10_000_000)]
    static let adoptions = [("adopt-1m", 1_000_000), ("adopt-10m", 10_000_000)]

    /// Where shared memory of the machine is.
    private static var path: String { "/dev/shm/bench-\(Identity.process).table" }

    /// The hit path on both tables in turn.
    static func run(connections: Int, windows: Int) throws -> Result {
        defer { Files.remove(path) }
        let ring = try Ring()
        let own = try World(connections: connections)
        let kept = try World(connections: connections, keptAt: path)
        own.open(ring)
        kept.open(ring)
        var random = Generator(state: 11)
        var ownTimes: [Double] = []
        var keptTimes: [Double] = []
        for window in 0..<windows + 4 {
            let one = ring.window(of: own, &random)
            let other = ring.window(of: kept, &random)
            guard window >= 4 else { continue }
            ownTimes.append(one)
            keptTimes.append(other)
        }
        return Result(
            connections: connections, own: Spread(ownTimes), kept: Spread(keptTimes))
    }

    /// A full table, left and adopted again and again, by one thread and by all there are.
    static func adopt(connections: Int, rounds: Int) throws -> [Adoption] {
        defer { Files.remove(path) }
        try leave(connections)
        return try Set([1, AllowedProcessors.numbers.count]).sorted().map { threads in
            var whole: [Double] = []
            var mapping: [Double] = []
            for _ in 0..<rounds {
                let began = MonotonicClock.now()
                let configuration = World.configuration(connections)
                let memory = try World.kept(at: path, configuration)
                mapping.append(milliseconds(since: began))
                let now = Instant(nanoseconds: 1_000_000_000_000)
                let adoption = try TableAdoption(
                    memory, connections: connections, workers: configuration.workers, now: now,
                    parts: threads)
                adoption.run(Thread.share)
                let director = Director(
                    configuration, tableMemory: memory, now: now, adopting: adoption)
                whole.append(milliseconds(since: began))
                precondition(director.table.count == connections, "every connection goes on")
            }
            return Adoption(
                connections: connections, threads: threads, whole: Spread(whole),
                mapping: Spread(mapping))
        }
    }

    /// Fills a table in the file, and lets go of it as a killed process does.
    private static func leave(_ connections: Int) throws {
        let ring = try Ring()
        let world = try World(connections: connections, keptAt: path)
        world.open(ring)
    }

    private static func milliseconds(since began: UInt64) -> Double {
        Double(MonotonicClock.now() - began) / 1e6
    }
}
