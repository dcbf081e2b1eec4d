internal import CReference
internal import Instruments
internal import LVS
internal import Posix

/// The NAT hit path in memory, the C reference and the memory floor, in turn, on random flows in
/// both directions.
struct NATPath {
    /// Medians and spread of one table size, ns a packet of thread CPU time.
    struct Result {
        var name: String
        var connections: Int
        var swift: Spread
        var reference: Spread
        var floor: Spread
        /// Bytes of memory for each connection.
        var bytes: Double
    }

    static let sizes = [
        ("nat-1k", 1_000), ("nat-100k", 100_000), ("nat-1m", 1_000_000), ("nat-10m", 10_000_000),
    ]

    let world: World
    let ring: Ring
    private var random = Generator(state: 7)

    init(connections: Int) throws {
        ring = try Ring()
        world = try World(connections: connections)
        world.open(ring)
    }

    mutating func run(_ name: String, windows: Int) -> Result {
        let reference = Reference(world)
        var swift: [Double] = []
        var c: [Double] = []
        var floor: [Double] = []
        for window in 0..<windows + 4 {
            let a = swiftWindow()
            let b = referenceWindow(reference)
            let d = floorWindow(reference)
            // The first windows warm caches and predictors.
            guard window >= 4 else { continue }
            swift.append(a)
            c.append(b)
            floor.append(d)
        }
        return Result(
            name: name, connections: world.connections, swift: Spread(swift),
            reference: Spread(c), floor: Spread(floor),
            bytes: Double(world.tableBytes) / Double(world.connections))
    }

    /// Has the worker look for packets that never come, as a capture with a filter does.
    func watch() throws {
        let filter = try PacketFilter(["tcp host 203.0.113.1 port 9"])
        let terms = Narrator.Terms(most: 1, sieve: filter.sieve)
        world.director.workers[0].desk.ask(terms) { filter.matches($0) }
    }

    /// Has other directors told of connections, as far as there is room for that.
    func tell() { world.director.setMasterDaemon(isRunning: true) }

    /// Turns of the Swift path only, for counting its instructions.
    mutating func runSwift(windows: Int) {
        for _ in 0..<windows { _ = swiftWindow() }
    }

    private mutating func writeRandomFlows() { ring.writeRandomFlows(of: world, &random) }

    private mutating func swiftWindow() -> Double { ring.window(of: world, &random) }

    private mutating func referenceWindow(_ reference: Reference) -> Double {
        writeRandomFlows()
        reference.setTime(world.now)
        let start = MonotonicClock.threadTime()
        let sent = ring.process(reference)
        let end = MonotonicClock.threadTime()
        // The reference leaves the overflow area out: a few keys in a hundred thousand.
        precondition(sent + 16 >= Ring.frames, "nearly every packet is a hit in C too")
        return Double(end - start) / Double(Ring.frames)
    }

    private mutating func floorWindow(_ reference: Reference) -> Double {
        var buckets: [UInt32] = []
        var entries: [UInt32] = []
        for _ in 0..<Ring.frames {
            let word = random.next()
            let connection = Int(((word >> 32) &* UInt64(world.connections)) >> 32)
            let place = reference.find(
                connection, word & 1 == 0 ? .inbound : .outbound, world)
            buckets.append(place.0)
            entries.append(place.1)
        }
        // What `find` has just brought into the cache must leave it again.
        writeRandomFlows()
        evict()
        let start = MonotonicClock.threadTime()
        let sum = unsafe reference_touch(reference.path, buckets, entries, Int32(Ring.frames))
        let end = MonotonicClock.threadTime()
        precondition(sum != 0, "the buckets are not empty")
        return Double(end - start) / Double(Ring.frames)
    }

    /// Touches other random connections, as many as two windows do.
    private mutating func evict() {
        ring.process(world.director.workers[0], now: world.now)
        writeRandomFlows()
        ring.process(world.director.workers[0], now: world.now)
    }
}

/// A small generator of random words (splitmix64).
struct Generator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}

/// Median and tenths of a row of measurements.
struct Spread {
    var median: Double
    var p10: Double
    var p90: Double

    init(_ values: [Double]) {
        let sorted = values.sorted()
        func at(_ share: Double) -> Double {
            sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
        }
        median = at(0.5)
        p10 = at(0.1)
        p90 = at(0.9)
    }
}
