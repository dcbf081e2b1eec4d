import Instruments
import LVS
import Testing

@Suite("The simulator")
struct SimulatorTests {
    /// Some 900 connections in each part.
    private func load(_ schedulers: [String], _ weights: [Int32] = [1, 2, 1]) -> SimulatedLoad {
        var load = SimulatedLoad()
        load.schedulers = schedulers
        load.weights = weights
        load.connectionsPerSecond = 300
        load.seconds = 3
        load.clients = 200
        load.measuredBursts = 0
        return load
    }

    private func row(_ load: SimulatedLoad) throws -> (SimulationResult, SimulationResult.Row) {
        let result = try Simulator.run(load)
        return (result, try #require(result.rows.first))
    }

    @Test("Every scheduler there is runs side by side, and the same seed gives the same result")
    func all() throws {
        var all = load(SchedulerRegistry.names)
        all.seconds = 1
        all.measuredBursts = 3
        var first = try Simulator.run(all)
        #expect(first.rows.map(\.scheduler) == SchedulerRegistry.names)
        #expect(
            first.rows.allSatisfy {
                $0.refusal == nil && ($0.nanosecondsPerConnection ?? 0) > 0
            })
        for number in first.rows.indices { first.rows[number].nanosecondsPerConnection = nil }
        all.measuredBursts = 0
        all.schedulers = ["wlc", "mh", "twos"]
        let again = try Simulator.run(all).rows
        #expect(again == first.rows.filter { all.schedulers.contains($0.scheduler) })
        all.seed = 2
        #expect(try Simulator.run(all).rows[0].connections != again[0].connections)
    }

    @Test("Round robin takes no notice of weights, weighted round robin keeps to them")
    func shares() throws {
        let (even, rr) = try row(load(["rr"]))
        let sum = rr.connections.reduce(0, +)
        #expect(sum > 800 && rr.refused == 0, "\(rr)")
        #expect(
            (rr.connections.max() ?? 0) - (rr.connections.min() ?? 0) <= 1, "\(rr.connections)")
        let worst = try #require(even.worstShare(rr))
        #expect(
            worst.server == 2 && worst.due == 0.5 && abs(worst.got - 1 / 3) < 0.01, "\(worst)")
        let (weighted, wrr) = try row(load(["wrr"]))
        let share = try #require(weighted.worstShare(wrr))
        #expect(abs(share.got - share.due) < 0.01, "\(share)")
    }

    @Test("Hashing moves nobody while nothing changes, round robin nearly everybody")
    func moves() throws {
        let (_, mh) = try row(load(["mh"], [1, 1, 1]))
        let (_, rr) = try row(load(["rr"], [1, 1, 1]))
        #expect(mh.movesUnchanged.clients > 100 && mh.movesUnchanged.moved == 0, "\(mh)")
        #expect(rr.movesUnchanged.share ?? 0 > 0.4, "\(rr)")
        // A fourth server takes a quarter of the clients, and the fewest others move.
        let added = try #require(mh.movesAdded.share)
        #expect(added > 0.1 && added < 0.45, "\(mh)")
        #expect(mh.movesRemoved.share ?? 1 < 0.2, "\(mh)")
    }

    @Test("Persistence keeps clients where they were")
    func persistence() throws {
        var persistent = load(["rr"])
        persistent.persistenceSeconds = 100
        let (_, row) = try row(persistent)
        #expect(row.movesUnchanged.moved == 0 && row.movesAdded.moved == 0, "\(row)")
        #expect(row.movesRemoved.moved == 0 && row.movesRemoved.clients > 100, "\(row)")
    }

    @Test("Least connections lie more evenly than round robin where some sessions are long")
    func imbalance() throws {
        var mixed = load(["rr", "lc"], [1, 1, 1, 1])
        mixed.sessions = .mixed(shortSeconds: 0.05, longSeconds: 2, longShare: 0.05)
        let result = try Simulator.run(mixed)
        let rr = try #require(result.rows[0].meanImbalance)
        let lc = try #require(result.rows[1].meanImbalance)
        #expect(lc >= 1 && lc < rr, "lc \(lc), rr \(rr)")
        #expect(result.rows.allSatisfy { ($0.worstImbalance ?? 0) >= ($0.meanImbalance ?? 9) })
    }

    @Test("Weight 0 gets nothing, and what finds no server is said")
    func nothing() throws {
        var closed = load(["wrr"], [0, 1])
        closed.addedWeight = 0
        let (result, row) = try row(closed)
        #expect(row.connections[0] == 0 && row.refused == 0, "\(row)")
        var last = load(["wlc"], [1, 0])
        last.addedWeight = 0
        let gone = try Simulator.run(last)
        #expect(gone.rows[0].refused > 500, "the only server is removed: \(gone.rows[0])")
        #expect(gone.table.contains("wlc: \(gone.rows[0].refused) connections found no server"))
        #expect(result.table.split(separator: "\n")[1].hasPrefix("wrr "), "\(result.table)")
    }

    @Test(
        "A load that cannot be is refused with what is accepted",
        arguments: [
            ("servers", "1 to 1000"), ("weights", "at least one"), ("rate", "0.01 to 1000000"),
            ("clients", "1 to 16000000"), ("schedulers", "rr, wrr"), ("total", "20000000"),
            ("sessions", "0.001"), ("share", "0 to 1"), ("nan", "0.01"),
        ]
    )
    func refused(_ what: String, _ accepted: String) {
        var load = SimulatedLoad()
        switch what {
        case "servers": load.weights = []
        case "weights": load.weights = [0, 0]
        case "rate": load.connectionsPerSecond = 0
        case "clients": load.clients = 0
        case "schedulers": load.schedulers = ["rr", "nonsense"]
        case "total":
            load.connectionsPerSecond = 1_000_000
            load.seconds = 1000
        case "sessions": load.sessions = .fixed(seconds: 0)
        case "nan": load.connectionsPerSecond = .nan
        default: load.sessions = .mixed(shortSeconds: 1, longSeconds: 2, longShare: 1.5)
        }
        #expect {
            _ = try Simulator.run(load)
        } throws: {
            ($0 as? SimulatedLoad.Mistake)?.description.contains(accepted) == true
        }
    }
}

@Suite("The words of a load")
struct LoadWordTests {
    @Test("Sessions, weights and popularity are read as they are written")
    func accepted() throws {
        let sessions: [(String, SimulatedLoad.Sessions)] = [
            ("2.5", .exponential(meanSeconds: 2.5)),
            ("exponential:2", .exponential(meanSeconds: 2)),
            ("fixed:1", .fixed(seconds: 1)),
            ("mixed:0.1,20,0.02", .mixed(shortSeconds: 0.1, longSeconds: 20, longShare: 0.02)),
        ]
        for (text, expected) in sessions {
            #expect(try SimulatedLoad.Sessions(text) == expected, "\(text)")
        }
        #expect(try SimulatedLoad.weights("3,2x5,0") == [3, 5, 5, 0])
        #expect(try SimulatedLoad.Popularity("harmonic") == .harmonic)
    }

    @Test("Other words are refused with what is accepted")
    func refused() {
        for text in ["", "x", "1,2", "mixed:1,2", "mixed:1,x,2,3", "normal:3", "fixed:"] {
            #expect(throws: SimulatedLoad.Mistake.self, "\(text)") {
                _ = try SimulatedLoad.Sessions(text)
            }
        }
        for text in ["", "1,,2", "x", "0x1", "1001x1", "3000000000", "1x2x3"] {
            #expect(throws: SimulatedLoad.Mistake.self, "\(text)") {
                _ = try SimulatedLoad.weights(text)
            }
        }
        #expect(throws: SimulatedLoad.Mistake.self) { _ = try SimulatedLoad.Popularity("odd") }
    }
}

@Suite("What a simulation makes up")
struct ArrivalsTests {
    @Test("The logarithm is that of mathematics")
    func logarithm() {
        let rows: [(Double, Double)] = [
            (1, 0), (2.718281828459045, 1), (0.5, -0.6931471805599453), (10, 2.302585092994046),
            (1e-300, -690.7755278982137), (1.4142135623730951, 0.3465735902799727),
        ]
        for (number, expected) in rows {
            #expect(
                abs(naturalLogarithm(number) - expected) <= abs(expected) * 1e-15, "\(number)")
        }
    }

    @Test("Rates and lengths are those that were asked for, and clients come as they should")
    func means() {
        var load = SimulatedLoad()
        load.connectionsPerSecond = 100
        load.clients = 10
        load.popularity = .harmonic
        load.sessions = .exponential(meanSeconds: 3)
        var arrivals = Arrivals(load)
        var counts = Array(repeating: 0, count: 10)
        var lengths = 0.0
        var last: Int64 = 0
        let number = 20_000
        for _ in 0..<number {
            let arrival = arrivals.next()
            #expect(arrival.time >= last)
            last = arrival.time
            lengths += Double(arrival.end - arrival.time) / 1e9
            counts[arrival.client] += 1
        }
        #expect(abs(Double(last) / 1e9 - 200) < 6, "\(last)")
        #expect(abs(lengths / Double(number) - 3) < 0.1)
        #expect(abs(Double(counts[0]) / Double(counts[9]) - 10) < 1.5, "\(counts)")
    }

    @Test("A heap gives back in order what was put in")
    func heap() {
        var random = SeededGenerator(seed: 3)
        var heap = Heap<Int>()
        var values: [Int] = []
        for _ in 0..<300 {
            values.append(Int(random.next() % 100))
            heap.insert(values[values.count - 1])
        }
        var taken: [Int] = []
        while let first = heap.first {
            taken.append(first)
            heap.removeFirst()
        }
        #expect(taken == values.sorted())
    }
}
