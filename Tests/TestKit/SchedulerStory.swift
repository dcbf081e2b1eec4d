package import LVS

/// A scheduler's history told in words, played on the scheduler alone.
///
/// ```
/// +A=3   adds server A with weight 3        ?A     the next connection goes to A
/// A=0    edits its weight                   ?A@2   ... of one to the second virtual address
/// -A     deletes it                         ?-     the next connection is refused
/// ~A     deletes it for good, so that       /A     a connection of A becomes inactive
///        the next one gets its number       t60    seconds pass
/// ```
/// Server A is 10.2.0.11:8080, B 10.2.0.12:8080 and so on; virtual addresses are 10.8.0.1 and up.
/// Every connection is active from the start.
package struct SchedulerStory {
    private let bench: SchedulerBench
    private var seconds: UInt64 = 1000
    private var clients: UInt32 = 0
    private var differences: [String] = []

    /// What did not happen as told; empty when all did.
    package static func play(
        _ scheduler: String, _ text: String, options: SchedulerOptions = SchedulerOptions()
    ) throws -> [String] {
        var story = SchedulerStory(bench: try SchedulerBench(scheduler, options: options))
        for (number, word) in text.split(separator: " ").enumerated() {
            try story.play(number, String(word))
        }
        return story.differences
    }

    /// A scheduler with the servers of a text like `A=3 B=1`, added in this order.
    package static func bench(_ scheduler: String, _ servers: String) throws -> SchedulerBench {
        let bench = try SchedulerBench(scheduler)
        for word in servers.split(separator: " ") {
            let (id, weight) = try pair(String(word))
            bench.add(id, server(id, weight: weight))
        }
        return bench
    }

    /// The numbers of a text like `A=2046 B=682`.
    package static func numbers(_ text: String) throws -> [String: Int] {
        var numbers: [String: Int] = [:]
        for word in text.split(separator: " ") {
            let (id, number) = try pair(String(word))
            numbers[id] = Int(number)
        }
        return numbers
    }

    /// Server A is 10.2.0.11:8080 and so on.
    package static func server(_ id: some StringProtocol, weight: Int32) -> RealServer {
        RealServer(
            address: IPAddress(v4: 0x0a02_000b + UInt32(id.utf8.first ?? 65) - 65), port: 8080,
            method: .directRouting, weight: weight)
    }

    private init(bench: SchedulerBench) { self.bench = bench }

    private mutating func play(_ number: Int, _ word: String) throws {
        let rest = String(word.dropFirst())
        switch word.first {
        case "+":
            let (id, weight) = try Self.pair(rest)
            bench.add(id, Self.server(id, weight: weight))
        case "-": bench.delete(rest)
        case "~":
            bench.delete(rest)
            bench.forget(rest)
        case "/": bench.destination(rest)?.becameInactive()
        case "t":
            for _ in 0..<(Int(rest) ?? 0) {
                seconds += 1
                bench.tick(now)
            }
        case "?":
            let parts = rest.split(separator: "@")
            let picked = connect(to: parts.count > 1 ? UInt32(parts[1]) ?? 1 : 1)
            if picked != String(parts[0]) {
                differences.append("word \(number): expected \(parts[0]), got \(picked)")
            }
        default:
            let (id, weight) = try Self.pair(word)
            bench.edit(id, Self.server(id, weight: weight))
        }
    }

    private var now: Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    private mutating func connect(to virtual: UInt32) -> String {
        clients += 1
        let request = ScheduleRequest(
            transport: .tcp, client: IPAddress(v4: 0xc633_6400 + clients), clientPort: 30_000,
            virtual: IPAddress(v4: 0x0a08_0000 + virtual), virtualPort: 80, now: now, random: 0)
        guard let picked = bench.pick(request) else { return "-" }
        bench.destination(picked)?.bind()
        bench.destination(picked)?.becameActive()
        return picked
    }

    private static func pair(_ text: String) throws -> (String, Int32) {
        let parts = text.split(separator: "=")
        guard parts.count == 2, let weight = Int32(parts[1]) else {
            throw SchedulerBenchError(text: "unknown word \(text)")
        }
        return (String(parts[0]), weight)
    }
}
