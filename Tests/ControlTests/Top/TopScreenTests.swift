import Control
import Testing

/// Feeds with few numbers, a second apart unless told otherwise.
enum TopSample {
    static let zeros = "0 0 0 0 0 0 0 0 0 0"

    static let before = feed(
        """
        live 1 3600000 5 1000 0.1.0
        worker 1 0 0 0
        drop 7 no-route
        total \(zeros)
        service rr \(zeros) TCP  10.0.0.1:80
        server Masq 1 0 2 \(zeros) 10.1.0.11:80
        server Masq 1 0 2 \(zeros) 10.1.0.12:80
        service wlc \(zeros) UDP  10.0.0.1:53
        server Masq 1 0 2 \(zeros) 10.1.0.13:53

        """)

    static let now = feed(
        """
        live 1 3660000 50 1000 0.1.0
        worker 1 30000 10000 500000000
        drop 7 no-route
        drop 0 none
        drop 3 no-server
        total 110 3000 6000 20480 204800 0 0 0 0 0
        service rr 10 1000 2000 20480 204800 0 0 0 0 0 TCP  10.0.0.1:80
        server Masq 1 4 2 3 0 0 0 0 0 0 0 0 0 10.1.0.11:80
        server Masq 0 12345 2 7 1000 2000 20480 204800 0 0 0 0 0 10.1.0.12:80
        service wlc 100 2000 4000 0 0 0 0 0 0 0 UDP  10.0.0.1:53
        server Masq 1 0 2 100 2000 4000 0 0 0 0 0 0 0 10.1.0.13:53

        """)

    static func feed(_ text: String) -> TopFeed {
        do throws(TopFeed.Garbled) {
            return try TopFeed(text)
        } catch {
            preconditionFailure("line \(error.line) of a sample: \(error.text)")
        }
    }

    static var reading: TopReading { TopReading(now, after: before, seconds: 1) }

    static func lines(
        _ lines: Int, _ columns: Int, _ view: TopView = TopView(), trouble: String? = nil,
        _ abilities: TopScreen.Abilities = TopScreen.Abilities()
    ) -> [String] {
        TopScreen(reading: reading, view: view, abilities: abilities, trouble: trouble)
            .lines(lines, columns: columns).lines.map { line in
                String(line.reversed().drop { $0 == " " }.reversed())
            }
    }
}

@Suite("The screen of directorctl top")
struct TopScreenTests {
    @Test(
        "Services with their servers, rates since the last time, the head above and keys below")
    func whole() {
        let columns = "Weight Active  Inact Conn/s InPkt/s OutPkt/s In B/s Out B/s"
        #expect(
            TopSample.lines(13, 100)
                == [
                    "director 0.1.0, up 1 h 1 min, 50 of 1000 connections (5 %), 2 services",
                    "total   110 conn/s, in 3000 pkt/s 20k B/s, out 6000 pkt/s 200k B/s",
                    "workers 0 on CPU 1: #####.....  50 % 30k frames/s 3 at once",
                    "drops   no-server 3/s (3)   no-route 0/s (7)",
                    "",
                    "Service, servers" + String(repeating: " ", count: 25) + columns,
                    "TCP  10.0.0.1:80 rr                                12k      4     10    1000     2000"
                        + "    20k    200k",
                    " | 10.1.0.11:80 Masq                          1      4      2      3       0"
                        + "        0      0       0",
                    " ` 10.1.0.12:80 Masq                          0    12k      2      7    1000"
                        + "     2000    20k    200k",
                    "UDP  10.0.0.1:53 wlc                                 0      2    100    2000     4000"
                        + "      0       0",
                    " ` 10.1.0.13:53 Masq                          1      0      2    100    2000"
                        + "     4000      0       0",
                    "",
                    "1-5 of 5  by name  q quit  ? keys  / filter  s,r order  t servers",
                ])
    }

    @Test(
        "No line is longer than the terminal, and there are as many lines as it has",
        arguments: [(30, 200), (30, 80), (12, 40), (8, 20), (3, 10), (1, 1)]
    )
    func sizes(_ size: (lines: Int, columns: Int)) {
        let lines = TopScreen(reading: TopSample.reading, view: TopView())
            .lines(size.lines, columns: size.columns).lines
        #expect(lines.count == size.lines, "\(lines)")
        #expect(lines.allSatisfy { $0.count <= size.columns }, "\(lines)")
    }

    @Test("A narrow terminal shows fewer columns, the most telling last")
    func narrow() {
        let headings = [100, 80, 64, 40].map { columns in
            (TopSample.lines(13, columns).first { $0.hasPrefix("Service,") } ?? "").split(
                separator: " "
            ).dropFirst(2)
                .joined(separator: " ")
        }
        #expect(
            headings == [
                "Weight Active Inact Conn/s InPkt/s OutPkt/s In B/s Out B/s",
                "Active Conn/s InPkt/s OutPkt/s In B/s Out B/s",
                "Active Conn/s InPkt/s OutPkt/s", "Conn/s",
            ])
    }

    private func names(_ view: TopView) -> [String] {
        view.rows(of: TopSample.reading).map { row in
            let service = TopSample.now.services[row.service]
            return row.server.map { service.servers[$0].endpoint } ?? service.title
        }
    }

    @Test("The busiest stand first, services and the servers of each")
    func order() {
        var view = TopView()
        view.order = .connections
        #expect(
            names(view) == [
                "UDP  10.0.0.1:53", "10.1.0.13:53", "TCP  10.0.0.1:80", "10.1.0.12:80",
                "10.1.0.11:80",
            ])
        view.order = .bytes
        view.isReversed = true
        #expect(
            names(view) == [
                "UDP  10.0.0.1:53", "10.1.0.13:53", "TCP  10.0.0.1:80", "10.1.0.11:80",
                "10.1.0.12:80",
            ])
    }

    @Test(
        "A filter keeps services by their name with all servers, and servers with their service"
    )
    func filter() {
        var view = TopView()
        view.filter = "udp"
        #expect(names(view) == ["UDP  10.0.0.1:53", "10.1.0.13:53"])
        view.filter = "0.12"
        #expect(names(view) == ["TCP  10.0.0.1:80", "10.1.0.12:80"])
        view.filter = "nowhere"
        #expect(names(view) == [])
        #expect(
            TopSample.lines(10, 100, view).last?.hasPrefix("filter 'nowhere'  0-0 of 0") == true
        )
        view.filter = ""
        view.showsServers = false
        #expect(names(view) == ["TCP  10.0.0.1:80", "UDP  10.0.0.1:53"])
    }

    @Test("Scrolling ends with the last row at the bottom")
    func scroll() {
        var view = TopView()
        view.scroll = 1000
        let screen = TopScreen(reading: TopSample.reading, view: view)
        let (lines, scroll) = screen.lines(10, columns: 100)
        #expect(scroll == 2, "three rows have room")
        #expect(lines[6].hasPrefix(" ` 10.1.0.12:80"), "\(lines)")
        #expect(lines[9].hasPrefix("3-5 of 5"), "\(lines)")
        #expect(screen.page(lines: 10, columns: 100) == 3)
    }

    @Test("Only who has colours and more letters than ASCII gets them")
    func abilities() {
        let plain = TopSample.lines(13, 100).joined()
        #expect(plain.utf8.allSatisfy { $0 < 0x80 && $0 != 0x1b })
        let able = TopScreen.Abilities(hasColours: true, hasUnicode: true)
        let rich = TopSample.lines(13, 100, TopView(), trouble: "gone", able)
        #expect(rich[2].contains("█████░░░░░"), "\(rich[2])")
        #expect(rich[3].hasPrefix("\u{1b}[31mdrops"), "something is dropped: \(rich[3])")
        #expect(rich[4] == "\u{1b}[31mgone\u{1b}[0m")
        #expect(rich[8].contains(" └ 10.1.0.12:80"), "\(rich[8])")
    }

    @Test("The keys stand in the place of the table, as far as there is room")
    func keys() {
        var view = TopView()
        view.showsKeys = true
        let lines = TopSample.lines(20, 100, view)
        #expect(lines.count == 20 && lines[6].hasPrefix("q, Ctrl-C "), "\(lines)")
        #expect(lines[19] == "any key goes back to the table")
        #expect(!lines.contains { $0.hasPrefix("TCP") })
        #expect(TopSample.lines(8, 20, view).count == 8)
    }

    @Test(
        "Many workers and drop reasons take three lines each, and what is left out is counted")
    func crowd() {
        var feed = TopSample.now
        feed.workers = Array(repeating: feed.workers[0], count: 64)
        let drops = (1...40).map { "drop 1 reason-\($0)\n" }.joined()
        feed.drops = TopSample.feed("live 1 1 1 1 x\n" + drops).drops
        let lines = TopScreen(reading: TopReading(feed), view: TopView())
            .lines(30, columns: 100).lines
        #expect(lines[4].hasSuffix("+\(64 - 15)"), "\(lines[2...4])")
        #expect(lines[5].hasPrefix("drops   reason-1 (1)   reason-10 (1)"), "\(lines[5])")
        #expect(lines[7].contains("   +"), "\(lines[5...7])")
    }

    @Test("The JSON of a reading has what the view shows, in its order")
    func json() {
        var view = TopView()
        view.filter = "0.12"
        let line = TopSample.reading.json(view).line
        #expect(
            line == #"{"version": "0.1.0", "uptime_seconds": 3660.0, "seconds": 1.0, "#
                + #""table": {"connections": 50, "capacity": 1000}, "stats": {"connections": 110, "#
                + #""in_packets": 3000, "out_packets": 6000, "in_bytes": 20480, "#
                + #""out_bytes": 204800}, "rate": {"connections_per_second": 110.0, "#
                + #""in_packets_per_second": 3000.0, "out_packets_per_second": 6000.0, "#
                + #""in_bytes_per_second": 20480.0, "out_bytes_per_second": 204800.0}, "#
                + #""workers": [{"cpu": 1, "frames": 30000, "bursts": 10000, "#
                + #""cpu_nanoseconds": 500000000, "load": 0.5, "#
                + #""frames_per_second": 30000.0, "frames_per_burst": 3.0}], "drops": "#
                + #"[{"reason": "no-server", "frames": 3, "frames_per_second": 3.0}, "#
                + #"{"reason": "no-route", "frames": 7, "frames_per_second": 0.0}], "services": "#
                + #"[{"name": "TCP 10.0.0.1:80", "scheduler": "rr", "active_connections": 12349, "#
                + #""inactive_connections": 4, "stats": {"connections": 10, "in_packets": 1000, "#
                + #""out_packets": 2000, "in_bytes": 20480, "out_bytes": 204800}, "#
                + #""rate": {"connections_per_second": 10.0, "in_packets_per_second": 1000.0, "#
                + #""out_packets_per_second": 2000.0, "in_bytes_per_second": 20480.0, "#
                + #""out_bytes_per_second": 204800.0}, "servers": [{"name": "10.1.0.12:80", "#
                + #""method": "Masq", "weight": 0, "active_connections": 12345, "#
                + #""inactive_connections": 2, "stats": {"connections": 7, "in_packets": 1000, "#
                + #""out_packets": 2000, "in_bytes": 20480, "out_bytes": 204800}, "#
                + #""rate": {"connections_per_second": 7.0, "in_packets_per_second": 1000.0, "#
                + #""out_packets_per_second": 2000.0, "in_bytes_per_second": 20480.0, "#
                + #""out_bytes_per_second": 204800.0}}]}]}"#)
        view.filter = "udp"
        view.showsServers = false
        let services = TopSample.reading.json(view).line
        #expect(
            services.contains("UDP 10.0.0.1:53") && !services.contains("servers"), "\(services)")
        #expect(!TopReading(TopSample.now).json(view).line.contains(#""load""#), "one feed")
    }
}
