import Control
import LVS
import Posix
import Testing

@Suite("What directorctl top asks for and reads")
struct TopFeedTests {
    private let text = """
        live 1 60 5 1000 0.1.0 of today
        worker - 10 5 1000
        worker 3 1 1 1
        drop 4 no-route
        total 1 2 3 4 5 6 7 8 9 10
        service rr 1 2 3 4 5 6 7 8 9 10 TCP  10.0.0.1:80
        server Masq -1 7 8 1 2 3 4 5 6 7 8 9 10 10.1.0.11:80
        novelty of a later director

        """

    @Test("Every line is read, and what a later director adds is passed over")
    func reading() throws {
        let feed = try TopFeed(text)
        #expect(feed.version == "0.1.0 of today" && feed.uptimeMilliseconds == 60)
        #expect(feed.connections == 5 && feed.capacity == 1000)
        #expect(feed.workers.map(\.cpu) == [nil, 3] && feed.workers[0].frames == 10)
        #expect(feed.drops.map(\.reason) == ["no-route"] && feed.drops[0].frames == 4)
        let statistics = try #require(StatisticsRecord(Array(1...10)))
        #expect(feed.total == statistics)
        let service = try #require(feed.services.first)
        #expect(feed.services.count == 1 && service.statistics == statistics)
        #expect(service.title == "TCP  10.0.0.1:80" && service.scheduler == "rr")
        let server = try #require(service.servers.first)
        #expect(service.servers.count == 1 && server.statistics == statistics)
        #expect(server.endpoint == "10.1.0.11:80" && server.method == "Masq")
        #expect(server.weight == -1 && server.active == 7 && server.inactive == 8)
    }

    @Test(
        "What is no feed is refused with the line that is not",
        arguments: [
            ("", 1), ("IP Virtual Server\n", 1), ("live 2 1 1 1 x\n", 1), ("live 1 1 1\n", 1),
            ("live 1 1 1 1 x\nserver Masq 1 1 1 1 2 3 4 5 6 7 8 9 10 a\n", 2),
            ("live 1 1 1 1 x\ntotal 1 2 3 4 5 6 7 8 9\n", 2),
            ("live 1 1 1 1 x\ndrop -4 no-route\n", 2),
            ("live 1 1 1 1 x\nlive 1 1 1 1 x\n", 2),
            ("live 1 1 1 1 x\nworker 1 1 99999999999999999999 1\n", 2),
        ]
    )
    func refused(_ text: String, _ line: Int) {
        #expect {
            _ = try TopFeed(text)
        } throws: {
            ($0 as? TopFeed.Garbled)?.line == line
        }
    }

    @Test("No name can command the terminal")
    func controlCharacters() throws {
        let feed = try TopFeed(
            "live 1 1 1 1 \u{1b}]0;x\u{7}\ndrop 1 \u{1b}[2J\u{9b}no\u{7f}\n")
        #expect(feed.version == "]0;x")
        #expect(feed.drops[0].reason == "[2Jno")
    }

    @Test(
        "Rates are of the time between; zeroed counters and a director started anew begin anew")
    func rates() {
        var (before, now) = (TopSample.before, TopSample.now)
        let service = now.services[0]
        #expect(TopReading(now, after: before, seconds: 2).rates(of: service).connections == 5)
        before.services[0].statistics.connections = 1_000_000
        #expect(TopReading(now, after: before, seconds: 2).rates(of: service).connections == 5)
        now.uptimeMilliseconds = 1
        now.services[0].statistics.connectionsPerSecond = 77
        let anew = TopReading(now, after: before, seconds: 2)
        #expect(anew.rates(of: now.services[0]).connections == 77, "its own estimate")
        #expect(anew.loads[0].share == nil && anew.drops.allSatisfy { $0.perSecond == nil })
    }

    @Test("A table of a thousand services is one text, in the order of listings")
    func table() throws {
        let target = Sample.target()
        var activity = DaemonActivity()
        activity.version = "0.1.0"
        let feed = try TopFeed(TopFeed.text(of: target, activity))
        #expect(feed.version == "0.1.0")
        #expect(feed.services.count == target.services().count && !feed.services.isEmpty)
        let listed = target.services().map { $0.key.map(target.destinations)?.count ?? 0 }
        #expect(feed.services.map(\.servers.count).sorted() == listed.sorted())
    }
}

@Suite("The keys of directorctl top")
struct TopKeyTests {
    @Test("Keys are told apart, also where a sequence comes in two pieces")
    func keys() {
        var bytes = Array("a\u{1b}[A\u{1b}[6~\u{1b}OH/\r\u{7f}\u{3}\u{1b}[200~\u{1b}[".utf8)
        #expect(
            TopKey.taken(from: &bytes) == [
                .character("a"), .up, .pageDown, .home, .character("/"), .enter, .backspace,
                .interrupt,
            ])
        #expect(bytes == Array("\u{1b}[".utf8))
        bytes += Array("B\u{1b}".utf8)
        #expect(TopKey.taken(from: &bytes) == [.down, .escape])
        #expect(bytes.isEmpty)
        bytes = Array(("\u{1b}[" + String(repeating: "1", count: 100)).utf8)
        #expect(TopKey.taken(from: &bytes).isEmpty && bytes.isEmpty, "no endless sequence")
    }

    private func view(after text: String) -> (view: TopView, wishes: [TopView.Wish]) {
        var view = TopView()
        var bytes = Array(text.utf8)
        let wishes = TopKey.taken(from: &bytes).map { view.obey($0, page: 10) }
        return (view, wishes.filter { $0 != .nothing })
    }

    @Test("A filter is typed, corrected, applied and taken away; q in it is a letter")
    func filter() {
        #expect(view(after: "/Q80x\u{7f}").view.typed == "Q80")
        #expect(view(after: "/Q80\r").view.filter == "q80")
        #expect(view(after: "/80\r\u{1b}").view.filter == "")
        #expect(view(after: "/80\r/99\u{1b}").view.filter == "80")
        #expect(view(after: "/q").wishes.isEmpty)
        #expect(view(after: "/q\u{3}").wishes == [.quit])
    }

    @Test("Orders by letter and in turn, scrolling that never goes above the first row")
    func commands() {
        #expect(view(after: "p").view.order == .packets)
        #expect(view(after: "sssr").view.order == .bytes)
        #expect(view(after: "sssr").view.isReversed)
        #expect(view(after: "ssssss").view.order == .name)
        #expect(view(after: "jj\u{1b}[6~k").view.scroll == 11)
        #expect(view(after: "kk").view.scroll == 0)
        #expect(view(after: " t").view.isPaused && !view(after: " t").view.showsServers)
        #expect(view(after: "q").wishes == [.quit])
        #expect(view(after: "?").view.showsKeys && !view(after: "?q").view.showsKeys)
        #expect(view(after: "?q").wishes.isEmpty && view(after: "?\u{3}").wishes == [.quit])
        #expect(view(after: "\u{1a}\u{c}").wishes == [.suspend, .redraw])
    }
}

@Suite("directorctl top as text")
struct TopTextTests {
    private let live =
        "live 1 1 0 9 x\ntotal 0 0 0 0 0 0 0 0 0 0\n"
        + "service rr 5 0 0 0 0 1 0 0 0 0 TCP  10.0.0.1:80\n"

    @Test("Readings stand one below the other; the first is the director's estimate")
    func batch() {
        let table = MemoryTable()
        table.texts["live"] = live
        let seen = SteppedSession.run("top --batch --count 2 --interval 2", on: table) { _ in
            table.texts["live"] = live.replacing("rr 5", with: "rr 25")
        }
        #expect(seen.status == 0 && seen.errors == "")
        let rows = seen.output.split(separator: "\n").filter { $0.hasPrefix("TCP") }
        #expect(rows.map { $0.split(separator: " ")[5] } == ["1", "10"], "\(rows)")
        #expect(seen.output.utf8.allSatisfy { $0 < 0x80 && $0 != 0x1b })
    }

    @Test("A reading is one line of JSON, and a director that goes away one with its error")
    func json() {
        let table = MemoryTable()
        table.texts["live"] = live
        let seen = SteppedSession.run("top --json --count 3 --interval 2", on: table) { turn in
            table.texts["live"] = turn == 1 ? nil : live.replacing("rr 5", with: "rr 25")
        }
        #expect(seen.status == 0 && seen.errors == "")
        let lines = seen.output.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 4 && lines[3].isEmpty, "\(seen.output)")
        #expect(lines[0].contains(#""name": "TCP 10.0.0.1:80", "scheduler": "rr""#), "\(lines[0])")
        #expect(lines[0].contains(#""connections_per_second": 1.0"#), "its own estimate")
        #expect(!lines[0].contains(#", "seconds": "#), "one feed: \(lines[0])")
        #expect(lines[1].hasPrefix(#"{"error": ""#), "\(lines[1])")
        #expect(lines[2].contains(#""seconds": 4.0"#), "since the last answer: \(lines[2])")
        #expect(lines[2].contains(#""rate": {"connections_per_second": 5.0"#), "\(lines[2])")
    }

    @Test("A director that goes away is told and waited for; one that is not there ends it")
    func away() {
        let table = MemoryTable()
        table.texts["live"] = live
        let seen = SteppedSession.run("top --count 3", on: table) { turn in
            table.texts["live"] = turn == 1 ? nil : live
        }
        #expect(seen.status == 0)
        #expect(seen.output.split(separator: "\n").filter { $0.hasPrefix("TCP") }.count == 2)
        table.texts["live"] = nil
        let never = SteppedSession.run("top --count 3", on: table)
        #expect(never.status == 1 && !never.errors.isEmpty && never.output.isEmpty, "\(never)")
        table.texts["live"] = "nonsense\n"
        #expect(
            SteppedSession.run("top", on: table).errors.contains(
                "not understood, line 1: 'nonsense'"))
    }

    @Test(
        "Lines that are wrong are refused with what is accepted",
        arguments: [
            ("top --interval 0", "from 0.1 to 86400"), ("top --count x", "from 1 on"),
            ("top --sort speed", "name|connections|packets|bytes|active|inactive"),
            ("top --filter", "missing argument"), ("top now", "--interval SECONDS"),
            ("top --batch=1", "takes no value"), ("top --json=1", "takes no value"),
        ]
    )
    func refused(_ line: String, _ expected: String) {
        let seen = SteppedSession.run(line, on: MemoryTable())
        #expect(seen.status != 0 && seen.output.isEmpty)
        #expect(seen.errors.contains(expected), "\(seen.errors)")
    }
}

@Suite("A fetcher")
struct FetcherTests {
    @Test("Fetches once for each time it is asked, and its answer can be waited for")
    func fetches() throws {
        let fetcher = try Fetcher(name: "test") { MonotonicClock.now() }
        #expect(fetcher.take() == nil)
        var last: UInt64 = 0
        for _ in 0..<3 {
            fetcher.ask()
            var poller = Poller()
            poller.add(fetcher.descriptor, token: 7)
            #expect(try poller.wait(nanoseconds: 5_000_000_000) { _ in } == 1)
            let value = try #require(fetcher.take())
            #expect(value > last)
            last = value
        }
        #expect(fetcher.take() == nil)
    }
}
