import Instruments
import LVS
import Posix
import TestKit
import Testing

/// Captures of a few packets between clients 198.51.100.N and the service 192.0.2.1:80.
struct CaptureStory {
    private var file = FileBytes.pcap(magic: 0xa1b2_3c4d)

    /// Seconds since the beginning; a client is the last number of its address.
    mutating func tcp(
        _ seconds: Double, _ client: UInt32, _ port: UInt16, _ flags: UInt8,
        sequence: UInt32 = 1, isReply: Bool = false, to service: UInt16 = 80, kept: Int? = nil
    ) {
        let frame =
            isReply
            ? builder(client, isReply: true).tcp(from: service, to: port, flags: flags)
            : builder(client).tcp(from: port, to: service, flags: flags, sequence: sequence)
        record(seconds, frame, kept: kept)
    }

    mutating func udp(_ seconds: Double, _ client: UInt32, _ port: UInt16, isReply: Bool = false) {
        record(
            seconds,
            isReply
                ? builder(client, isReply: true).udp(from: 53, to: port)
                : builder(client).udp(from: port, to: 53))
    }

    mutating func tcp6(_ seconds: Double, _ client: UInt64, _ port: UInt16) {
        let frame = PacketBuilder(
            from: IPAddress(high: 0x2001_0db8_0000_0007, low: client), at: hardware,
            to: IPAddress(high: 0x2001_0db8_0000_0001, low: 1), at: hardware
        ).tcp(from: port, to: 80, flags: 2)
        record(seconds, frame)
    }

    mutating func record(_ seconds: Double, _ frame: [UInt8], kept: Int? = nil) {
        let nanoseconds = UInt64(seconds * 1e9)
        file.record(
            Array(frame.prefix(kept ?? frame.count)),
            seconds: 1_700_000_000 + UInt32(nanoseconds / 1_000_000_000),
            fraction: UInt32(nanoseconds % 1_000_000_000), captured: kept.map(UInt32.init),
            length: UInt32(frame.count))
    }

    func load(to service: String? = nil, most: Int = 1000) throws -> CapturedLoad {
        let capture = MergedCapture(try CaptureReader(file.bytes))
        return try CapturedLoad(
            capture, to: service.map { text throws in try CapturedLoad.Service(text) }, most: most)
    }

    private var hardware: HardwareAddress { HardwareAddress(value: 0x0200_0000_0101) }

    private func builder(_ client: UInt32, isReply: Bool = false) -> PacketBuilder {
        let client = IPAddress(v4: 0xc633_6400 + client)
        let service = IPAddress(v4: 0xc000_0201)
        return isReply
            ? PacketBuilder(from: service, at: hardware, to: client, at: hardware)
            : PacketBuilder(from: client, at: hardware, to: service, at: hardware)
    }
}

@Suite struct CapturedLoadTests {
    private static let syn: UInt8 = 2
    private static let ack: UInt8 = 16
    private static let fin: UInt8 = 17
    private static let reset: UInt8 = 4

    private func times(_ load: CapturedLoad) -> [[Int64]] {
        load.connections.map { [$0.time / 1_000_000, $0.end / 1_000_000] }
    }

    @Test func `A connection begins with its SYN and lasts to the first FIN or RST of either side`()
        throws
    {
        var story = CaptureStory()
        story.tcp(5, 7, 4000, Self.syn)
        story.tcp(5.1, 7, 4000, 18, isReply: true)
        story.tcp(5.2, 7, 4000, Self.ack)
        story.tcp(6, 8, 4000, Self.syn)
        story.tcp(7, 7, 4000, Self.fin, isReply: true)
        story.tcp(8, 7, 4000, Self.fin)
        story.tcp(9, 8, 4000, Self.reset)
        let load = try story.load()
        #expect(times(load) == [[0, 2000], [1000, 4000]])
        #expect(load.clients.map(\.description) == ["198.51.100.7", "198.51.100.8"])
        #expect(load.connections.map(\.client) == [0, 1])
        #expect(load.connections.map(\.clientPort) == [4000, 4000])
        #expect(load.length == 4_000_000_000)
        #expect(load.remarks == [])
    }

    @Test func `A SYN sent again begins nothing, another one after the end or by its number does`()
        throws
    {
        var story = CaptureStory()
        story.tcp(0, 7, 4000, Self.syn)
        story.tcp(1, 7, 4000, Self.syn)
        story.tcp(2, 7, 4000, Self.ack)
        story.tcp(3, 7, 4000, Self.syn, sequence: 99)
        story.tcp(4, 7, 4000, Self.fin)
        story.tcp(5, 7, 4000, Self.syn, sequence: 99)
        #expect(times(try story.load()) == [[0, 2000], [3000, 4000], [5000, 5000]])
    }

    @Test func `A flow of UDP begins with its first packet, and anew after five silent minutes`()
        throws
    {
        var story = CaptureStory()
        story.udp(0, 7, 5000)
        story.udp(1, 7, 5000, isReply: true)
        story.udp(301, 7, 5000)
        story.udp(602, 7, 5000)
        let load = try story.load()
        #expect(times(load) == [[0, 301_000], [602_000, 602_000]])
        #expect(load.clients.map(\.description) == ["198.51.100.7"])
        #expect(load.remarks == ["2 flows of UDP or SCTP are played as connections of TCP"])
    }

    @Test func `Packets without their beginning are counted, and so is what is cut short`() throws {
        var story = CaptureStory()
        story.tcp(0, 7, 4000, Self.ack)
        story.tcp(0, 7, 4000, Self.fin, isReply: true)
        story.tcp(1, 7, 4001, Self.syn, kept: 54)
        let load = try story.load()
        #expect(load.connections.count == 1)
        #expect(load.remarks.contains { $0.hasPrefix("2 packets of TCP belong to no connection") })
        var cut = CaptureStory()
        let long = PacketBuilder(
            from: IPAddress(v4: 0xc633_6407), at: .broadcast, to: IPAddress(v4: 0xc000_0201),
            at: HardwareAddress(value: 2)
        ).udp(from: 1, to: 2, payload: [UInt8](repeating: 1, count: 900))
        cut.record(0, long, kept: 60)
        #expect(try cut.load().connections.count == 1)
    }

    @Test func `One service's connections are taken when it is named`() throws {
        var story = CaptureStory()
        story.tcp(0, 7, 4000, Self.syn)
        story.tcp(1, 8, 4000, Self.syn, to: 443)
        story.tcp(2, 9, 4000, Self.syn)
        story.tcp6(3, 5, 4000)
        let all = try story.load()
        #expect(all.connections.count == 3)
        #expect(all.remarks[0].contains("--to VIP:PORT takes one's only"), "\(all.remarks)")
        #expect(all.remarks[1].hasPrefix("1 connections of the other address family"))
        #expect(try story.load(to: "192.0.2.1:443").clients.map(\.description) == ["198.51.100.8"])
        let six = try story.load(to: "[2001:db8:0:1::1]:80")
        #expect(six.clients.map(\.description) == ["2001:db8:0:7::5"] && six.remarks.isEmpty)
        #expect {
            _ = try story.load(to: "192.0.2.9:80")
        } throws: {
            "\($0)".contains("no connection to 192.0.2.9:80 begins in the 4 packets")
        }
        for text in ["", "192.0.2.1", "192.0.2.1:0", "2001:db8::1:80", "host:80", "192.0.2.1:http"]
        {
            #expect(throws: SimulatedLoad.Mistake.self, "\(text)") {
                _ = try CapturedLoad.Service(text)
            }
        }
    }

    @Test func `No more connections are kept than there is room for, nor a longer time than a day`()
        throws
    {
        var story = CaptureStory()
        for number in 0..<100 { story.tcp(Double(number), 7, 4000 + UInt16(number), Self.syn) }
        story.tcp(86_500, 7, 5000, Self.syn)
        let load = try story.load(most: 10)
        #expect(load.connections.count == 10)
        #expect(
            load.remarks == [
                "90 connections are left out: at most 10 are taken",
                "1 packets are left out: they come more than a day after the first",
            ])
    }

    @Test func `A file of any bytes is a load or is refused`() throws {
        var loads = 0
        for name in Files.list("\(Fixture.directory)/odd") where name.contains(".pcap") {
            do {
                let reader = try CaptureReader(path: "\(Fixture.directory)/odd/\(name)")
                let load = try CapturedLoad(MergedCapture(reader))
                loads += 1
                var simulated = SimulatedLoad()
                simulated.captured = load
                simulated.schedulers = ["wlc"]
                simulated.measuredBursts = 0
                _ = try Simulator.run(simulated)
            } catch {
                #expect(
                    error is CaptureError || error is SimulatedLoad.Mistake, "\(name): \(error)")
            }
        }
        #expect(loads > 5)
    }
}

@Suite struct CapturedSimulationTests {
    /// 200 clients that come three times each.
    private static func story() -> CaptureStory {
        var story = CaptureStory()
        for number in 0..<600 {
            let client = UInt32(number * 7 % 200)
            let port = 10_000 + UInt16(number)
            story.tcp(Double(number) / 100, client, port, 2)
        }
        return story
    }

    private static func load(_ schedulers: [String], persistence: UInt32 = 0) throws
        -> SimulatedLoad
    {
        var load = SimulatedLoad()
        load.captured = try story().load()
        load.schedulers = schedulers
        load.persistenceSeconds = persistence
        load.measuredBursts = 0
        // What is for made-up loads is not looked at.
        load.connectionsPerSecond = .nan
        return load
    }

    @Test func `Each server's share is of the capture once, and the same clients are asked after`()
        throws
    {
        let result = try Simulator.run(try Self.load(["rr", "mh"]))
        let (rr, mh) = (result.rows[0], result.rows[1])
        #expect(rr.connections == [200, 200, 200] && rr.refused == 0, "\(rr.connections)")
        #expect(rr.movesUnchanged.clients == 200 && rr.movesAdded.clients == 200)
        #expect(mh.movesUnchanged.moved == 0 && mh.movesRemoved.clients > 100)
        #expect(mh.movesAdded.moved > 20 && mh.movesAdded.moved < 100, "\(mh.movesAdded)")
        #expect(rr.times.count > 100 && rr.open.count == 4)
        #expect(rr.open.allSatisfy { $0.count == rr.times.count })
        #expect(rr.open[3].contains { $0 > 0 } && rr.open[0].last == 0, "added, removed")
    }

    @Test func `Clients come again from other ports, none of which is a server's`() throws {
        var story = CaptureStory()
        let ports: [UInt16] = [20, 1023, 1024, 20_000, 65_535]
        for (index, port) in ports.enumerated() { story.tcp(1, UInt32(index), port, 2) }
        var arrivals = CapturedArrivals(try story.load(), servers: 3, seed: 1)
        let played = (0..<4).map { _ in
            ports.map { _ in arrivals.next() }.sorted { $0.client < $1.client }.map(\.clientPort)
        }
        #expect(played[0] == ports)
        #expect(played[1...].joined().allSatisfy { $0 >= 1024 }, "\(played)")
        for number in ports.indices {
            #expect(Set(played.map { $0[number] }).count == 4, "\(played)")
        }
    }

    @Test func `Later playings have the same connections in another order, the first one does not`()
        throws
    {
        let load = try Self.story().load()
        var arrivals = CapturedArrivals(load, servers: 3, seed: 1)
        let played = (0..<4).map { _ in load.connections.map { _ in arrivals.next() } }
        #expect(played[0].map(\.time) == load.connections.map(\.time))
        for (turn, arrivals) in played.enumerated() {
            let beginning = Int64(turn) * load.period
            #expect(arrivals.allSatisfy { (0..<load.period).contains($0.time - beginning) })
            #expect(zip(arrivals, arrivals.dropFirst()).allSatisfy { $0.time <= $1.time })
            #expect(
                arrivals.map(\.client).sorted() == load.connections.map { Int($0.client) }.sorted())
            #expect(turn == 0 || arrivals.map(\.client) != played[turn - 1].map(\.client))
        }
        // With 600 connections and 3 servers in turn nobody would move, with 4 everybody.
        for weights in [[1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1, 1, 1, 1]] as [[Int32]] {
            var simulated = try Self.load(["rr"])
            simulated.weights = weights
            let share = try #require(try Simulator.run(simulated).rows[0].movesUnchanged.share)
            let expected = 1 - 1 / Double(weights.count)
            #expect(abs(share - expected) < 0.12, "\(weights.count) servers: \(share)")
        }
    }

    @Test func `Persistence lasts from one playing to the next`() throws {
        let row = try Simulator.run(try Self.load(["rr"], persistence: 100)).rows[0]
        #expect(row.movesUnchanged.moved == 0 && row.movesAdded.moved == 0, "\(row)")
        #expect(row.movesUnchanged.clients == 200)
    }

    @Test func `IPv6 clients come to an IPv6 service`() throws {
        var story = CaptureStory()
        for number in 0..<60 { story.tcp6(Double(number) / 10, UInt64(number % 20 + 1), 4000) }
        var load = SimulatedLoad()
        load.captured = try story.load()
        load.schedulers = ["rr", "sh"]
        load.measuredBursts = 2
        let result = try Simulator.run(load)
        for row in result.rows {
            #expect(row.connections.reduce(0, +) == 20 && row.refused == 0, "\(row)")
            #expect(row.nanosecondsPerConnection ?? 0 > 0)
        }
        #expect(result.rows[0].connections.allSatisfy { $0 >= 6 })
    }

    @Test func `The same words give the same bytes, captured or made up`() throws {
        var madeUp = SimulatedLoad()
        madeUp.connectionsPerSecond = 100
        madeUp.seconds = 2
        madeUp.clients = 50
        madeUp.measuredBursts = 0
        for load in [madeUp, try Self.load(["wrr", "lblcr", "mh", "twos"])] {
            let results = try (0..<2).map { _ in try Simulator.run(load) }
            #expect(results[0].text(shares: true) == results[1].text(shares: true))
            #expect(results[0].json == results[1].json)
            let pages = results.map { SimulationReport($0, title: "Twice").html }
            #expect(pages[0] == pages[1])
        }
    }

    @Test func `Text and JSON say how the capture was played, and every server's share`() throws {
        let result = try Simulator.run(try Self.load(["rr"]))
        let text = result.text()
        #expect(
            text.hasPrefix("capture  600 connections of 200 clients in 5.990 s\nplayed   twice"),
            "\(text)")
        #expect(text.contains("\nshare   server 1  server 2  server 3\n"), "\(text)")
        #expect(text.hasSuffix("\nrr        33.3 %    33.3 %    33.3 %\n"), "\(text)")
        let json = result.json
        #expect(json.contains("\"source\": \"capture\"") && json.contains("\"connections\": 600"))
        #expect(json.contains("\"nanoseconds_per_connection\": null"))
        #expect(json.hasPrefix("{\n  \"load\": {") && json.hasSuffix("}\n"))
    }

    @Test func `Shares of many servers are shown when asked for, some in a block`() throws {
        var load = try Self.load(["rr"])
        load.weights = Array(repeating: 1, count: 20)
        let result = try Simulator.run(load)
        #expect(!result.text().contains("server 9"))
        let heads = result.text(shares: true).split(separator: "\n").filter {
            $0.hasPrefix("share ")
        }
        #expect(heads.count == 3 && heads[2].hasSuffix("server 20"), "\(heads)")
    }

    @Test func `The report is one page that asks for nothing else`() throws {
        let result = try Simulator.run(try Self.load(["rr", "wlc"]))
        let page = SimulationReport(result, title: "</script><b>").html
        #expect(page.hasPrefix("<!doctype html>") && page.hasSuffix("</html>\n"))
        for word in ["src=", "href=", "@import", "url(", "</script><b>"] {
            #expect(!page.contains(word), "\(word)")
        }
        #expect(page.ranges(of: "</script>").count == 2)
        #expect(page.contains("\"scheduler\": \"wlc\""))
    }
}
