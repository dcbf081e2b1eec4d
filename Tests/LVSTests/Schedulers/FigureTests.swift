import LVS
import TestKit
import Testing

/// What schedulers say of their numbers, and that saying it changes nothing.
@Suite struct FigureTests {
    /// Servers, connections opened before, and facts and columns of the next choice: servers stand
    /// newest first.
    @Test(arguments: [
        ("rr", "A=1 B=1 C=1", 0, "after=-", "turn=1,2,3"),
        ("rr", "A=1 B=1 C=1", 2, "after=10.2.0.12:8080", "turn=2,3,1"),
        ("wrr", "A=3 B=1 C=2", 0, "after=- threshold=1 step=1 highest=3", "turn=1,2,3"),
        (
            "wrr", "A=3 B=1 C=2", 1, "after=10.2.0.13:8080 threshold=1 step=1 highest=3",
            "turn=3,1,2"
        ),
        ("lc", "A=1 B=5", 3, "", "overhead=512,256"),
        ("wlc", "A=1 B=4", 3, "", "overhead=512,256 per weight=512/4,256/1"),
        ("sed", "A=1 B=4", 2, "", "delay=3/4,1/1"),
        ("nq", "A=1 B=4", 1, "", "delay=2/4,1/1"),
        ("fo", "A=1 B=4", 1, "", ""),
        ("ovf", "A=1 B=4", 2, "", "room=3,2"),
        ("dh", "A=1 B=1", 0, "bucket=90 server=10.2.0.12:8080", "buckets=128,128"),
        ("sh", "A=3 B=1", 0, "bucket=96 server=10.2.0.12:8080", "buckets=64,192"),
        ("mh", "A=3 B=1", 0, "slot=2374 server=10.2.0.11:8080", "slots=1024,3069"),
        ("lblc", "A=1 B=1", 0, "remembered=- busy=-", "overhead=0,0 per weight=0/1,0/1"),
        (
            "lblc", "A=1 B=1", 2, "remembered=10.2.0.12:8080 busy=1",
            "overhead=512,0 per weight=512/1,0/1"
        ),
        (
            "lblcr", "A=1 B=1", 3, "members=2",
            "member=1,1 overhead=512,256 per weight=512/1,256/1"
        ),
        (
            "twos", "A=1 B=1", 0, "first=10.2.0.11:8080 second=10.2.0.12:8080",
            "overhead=0,0 per weight=0/1,0/1"
        ),
    ])
    func `A scheduler says what it compares`(
        name: String, servers: String, connections: Int, facts: String, columns: String
    ) throws {
        let bench = try SchedulerStory.bench(name, servers)
        open(connections, on: bench)
        let figures = bench.figures(request(connections))
        #expect(figures.facts.map(text).joined(separator: " ") == facts)
        #expect(figures.columns.map(text).joined(separator: " ") == columns)
        #expect(!figures.rule.isEmpty)
        // What a hashing scheduler has in mind is what it chooses.
        guard let server = figures.facts.first(where: { $0.name == "server" }) else { return }
        let picked = bench.pick(request(connections)).flatMap { bench.destination($0) }
        #expect(picked.map { "server=\($0.address):\($0.port)" } == text(server))
    }

    @Test(arguments: SchedulerRegistry.names)
    func `Asking for figures does not change what is chosen`(name: String) throws {
        let servers = "A=3 B=1 C=2 D=0 E=7"
        let (asked, plain) = (
            try SchedulerStory.bench(name, servers), try SchedulerStory.bench(name, servers)
        )
        for number in 0..<60 {
            _ = asked.figures(request(number))
            let picks = (asked.pick(request(number)), plain.pick(request(number)))
            #expect(picks.0 == picks.1, "connection \(number)")
            for (bench, pick) in [(asked, picks.0), (plain, picks.1)] {
                guard let pick else { continue }
                bench.destination(pick)?.bind()
                if number % 3 != 0 { bench.destination(pick)?.becameActive() }
            }
        }
    }

    @Test(arguments: SchedulerRegistry.names)
    func `A copy chooses as the scheduler would have, whatever that does`(name: String) throws {
        let servers = "A=3 B=1 C=2 D=0 E=7"
        let (copied, plain) = (
            try SchedulerStory.bench(name, servers), try SchedulerStory.bench(name, servers)
        )
        for bench in [copied, plain] { open(23, on: bench) }
        copied.replaceByCopy(then: request(99), choices: 7)
        for number in 23..<73 {
            let picks = (copied.pick(request(number)), plain.pick(request(number)))
            #expect(picks.0 == picks.1, "connection \(number)")
            for (bench, pick) in [(copied, picks.0), (plain, picks.1)] {
                guard let pick else { continue }
                bench.destination(pick)?.bind()
                bench.destination(pick)?.becameActive()
            }
        }
    }

    @Test(arguments: SchedulerRegistry.names)
    func `Without servers there are figures, too`(name: String) throws {
        let bench = try SchedulerBench(name)
        #expect(bench.figures(request(0)).columns.allSatisfy { $0.figures.isEmpty })
    }

    private func open(_ count: Int, on bench: SchedulerBench) {
        for number in 0..<count {
            guard let id = bench.pick(request(number)) else { continue }
            bench.destination(id)?.bind()
            bench.destination(id)?.becameActive()
        }
    }

    private func request(_ number: Int) -> ScheduleRequest {
        ScheduleRequest(
            transport: .tcp, client: IPAddress(v4: 0xc633_6401), clientPort: UInt16(4000 + number),
            virtual: IPAddress(v4: 0x0a08_0001), virtualPort: 80,
            now: Instant(nanoseconds: UInt64(number) * 1_000_000_000), random: UInt64(number))
    }

    private func text(_ saying: SchedulerFigures.Saying) -> String {
        switch saying.fact {
        case .none: "\(saying.name)=-"
        case .number(let number): "\(saying.name)=\(number)"
        case .server(let address, let port): "\(saying.name)=\(address):\(port)"
        }
    }

    private func text(_ column: SchedulerFigures.Column) -> String {
        let figures = column.figures.map { figure in
            switch figure {
            case .none: "-"
            case .number(let number): "\(number)"
            case .ratio(let load, let weight): "\(load)/\(weight)"
            }
        }
        return "\(column.name)=\(figures.joined(separator: ","))"
    }
}
