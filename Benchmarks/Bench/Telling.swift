internal import LVS
internal import Posix
internal import Sync

/// Forwarding while a master tells other directors of connections, beside the same without one: whole
/// connections, a hundred thousand of which begin each second.
///
/// Each has 15 packets, 8 of them from the client: with the settings as they are it is told of with the
/// third, and with each state that ends it. What waits is taken every 20 ms of the load's time, as the
/// master's thread does, and becomes messages; that costs another processor, and is measured apart.
struct Telling {
    struct Result {
        /// ns a packet of the worker's CPU time.
        var plain: Spread
        var told: Spread
        /// The second over the first of each pair of windows.
        var ratio: Spread
        /// ns of the sender's CPU time for each telling, but for sending.
        var perTelling: Spread
        var tellingsPerConnection: Double
        /// Connections that found no room in the queue.
        var lost: UInt64
    }

    private static let connections = 300_000
    /// A packet of each kind from as many connections make a window, of the kind before it so many windows ago.
    private static let group = Ring.frames / steps.count
    private static let delay = 24
    private static let windowsPerLap = connections / group + steps.count * delay
    /// At 100,000 connections, 1.5 million packets a second.
    private static let windowNanoseconds =
        UInt64(group) * 1_000_000_000 / 100_000
    private static let turnNanoseconds: UInt64 = 20_000_000

    /// Direction and flags of a connection's packets.
    private static let steps: [(Direction, UInt8)] = [
        (.inbound, 2), (.outbound, 18), (.inbound, 16), (.inbound, 24), (.outbound, 16),
        (.outbound, 24), (.inbound, 16), (.outbound, 24), (.inbound, 16), (.outbound, 24),
        (.inbound, 16), (.inbound, 17), (.outbound, 16), (.outbound, 17), (.inbound, 16),
    ]

    private let ring: Ring
    private let plain: World
    private let told: World
    private let queue: SyncQueue
    private var daemon = MasterDaemon(
        syncID: 1, maximumBytes: 1472, ports: 1, terms: MasterDaemon.Terms())

    private init() throws {
        ring = try Ring()
        plain = try World(connections: Self.connections + 65_536)
        told = try World(connections: Self.connections + 65_536)
        told.director.setMasterDaemon(isRunning: true)
        queue = told.director.syncQueues[0]
    }

    static func run(laps: Int) throws -> Result {
        var telling = try Telling()
        return telling.run(laps)
    }

    private mutating func run(_ laps: Int) -> Result {
        var times: (plain: [Double], told: [Double], ratio: [Double]) = ([], [], [])
        var perTelling: [Double] = []
        var tellings = 0
        for lap in 0...laps {
            var sinceTurn: UInt64 = 0
            for window in 0..<Self.windowsPerLap {
                // Who comes second finds the caches full of the first one's table.
                let isFirst = window & 1 == 0
                let before = forward(window, isFirst ? plain : told)
                let after = forward(window, isFirst ? told : plain)
                let (one, other) = isFirst ? (before, after) : (after, before)
                sinceTurn += Self.windowNanoseconds
                if sinceTurn >= Self.turnNanoseconds {
                    sinceTurn -= Self.turnNanoseconds
                    let turn = takeTurn()
                    if lap > 0, turn.count > 0 {
                        tellings += turn.count
                        perTelling.append(turn.time / Double(turn.count))
                    }
                }
                // The first lap warms memory, and at both ends of a lap kinds of packets are missing.
                guard lap > 0, window >= Self.steps.count * Self.delay,
                    window < Self.connections / Self.group
                else { continue }
                times.plain.append(one)
                times.told.append(other)
                times.ratio.append(other / one)
            }
            if lap > 0 { tellings += takeTurn().count } else { _ = takeTurn() }
            for world in [plain, told] { world.endAll() }
        }
        let begun = laps * (Self.connections / Self.group) * Self.group
        return Result(
            plain: Spread(times.plain), told: Spread(times.told), ratio: Spread(times.ratio),
            perTelling: Spread(perTelling),
            tellingsPerConnection: Double(tellings) / Double(begun), lost: queue.lost)
    }

    /// One window of packets; ns a packet.
    private func forward(_ window: Int, _ world: World) -> Double {
        var frames = 0
        var opened: [(connection: Int, frame: Int)] = []
        for (number, step) in Self.steps.enumerated() {
            let first = (window - number * Self.delay) * Self.group
            guard first >= 0, first + Self.group <= Self.connections else { continue }
            for connection in first..<first + Self.group {
                ring.write(frames, connection, step.0, world, flags: step.1)
                if number == 0 { opened.append((connection, frames)) }
                frames += 1
            }
        }
        ring.fill(frames)
        world.passTime(nanoseconds: Self.windowNanoseconds)
        let worker = world.director.workers[0]
        let start = MonotonicClock.threadTime()
        ring.process(worker, now: world.now)
        let end = MonotonicClock.threadTime()
        precondition(ring.sent(frames) == frames, "every frame is forwarded")
        for (connection, frame) in opened { world.learn(connection, frame, ring) }
        return Double(end - start) / Double(max(1, frames))
    }

    /// What the master's thread does in a turn, but for sending: how many tellings there were, and ns.
    private mutating func takeTurn() -> (count: Int, time: Double) {
        var count = 0
        let start = MonotonicClock.threadTime()
        while let item = queue.take() {
            daemon.tell(item.told, number: item.number, now: told.now)
            count += 1
        }
        daemon.flush(now: told.now)
        while daemon.next(of: 0) != nil { daemon.sent(by: 0) }
        return (count, Double(MonotonicClock.threadTime() - start))
    }
}
