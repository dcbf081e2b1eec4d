import LVS
import TestKit
import Testing

@Suite struct PowerOfTwoChoicesTests {
    /// Rows: weights, connections that servers have already, and the share of picks in percent.
    ///
    /// Of two draws the less loaded wins; with no load at all the first draw does.
    @Test(arguments: [
        ("A=1 B=1", "", "A=33 B=67"),
        ("A=30 B=10", "", "A=73 B=27"),
        ("A=100 B=100", "A=1", "A=25 B=75"),
        ("A=100 B=0", "A=9", "A=100"),
        ("A=0", "", ""),
        ("", "", ""),
    ])
    func picksFollowWeightAndLoad(
        _ servers: String, _ connections: String, _ percent: String
    ) throws {
        let bench = try SchedulerStory.bench("twos", servers)
        for (id, count) in try SchedulerStory.numbers(connections) {
            for _ in 0..<count { bench.destination(id)?.bind() }
        }
        var random = SeededGenerator(seed: 4711)
        var picks: [String: Int] = [:]
        for _ in 0..<20_000 {
            var request = HashVectors.request(client: 1, port: 1)
            request.random = random.next()
            if let pick = bench.pick(request) { picks[pick, default: 0] += 1 }
        }
        let shares = try SchedulerStory.numbers(percent)
        for (id, share) in shares {
            let found = Double(picks[id] ?? 0) / 200
            #expect(abs(found - Double(share)) < 2, "\(id): \(found) %")
        }
        #expect(Set(picks.keys) == Set(shares.keys))
    }

    @Test func sameWordGivesTheSameServer() throws {
        let bench = try SchedulerStory.bench("twos", "A=5 B=5 C=5")
        var request = HashVectors.request(client: 1, port: 1)
        for word in UInt64(0)..<50 {
            request.random = word
            #expect(bench.pick(request) == bench.pick(request))
        }
    }
}
