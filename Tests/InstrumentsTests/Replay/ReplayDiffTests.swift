import Control
import Instruments
import LVS
import Testing

@Suite struct ReplayDiffTests {
    private static let persistent = """
        -A -t 10.1.0.100:80 -s rr -p 300
        -a -t 10.1.0.100:80 -r 10.2.0.11:80 -m -w 1
        -a -t 10.1.0.100:80 -r 10.2.0.12:80 -m -w 1
        """

    private static func diff(_ first: String, _ second: String) throws -> ReplayDiff {
        let scenes = try [first, second].map { try Scene("persistence", rules: $0) }
        let diff = ReplayDiff(scenes[0].run, scenes[1].run)
        while diff.step() {}
        diff.finish()
        return diff
    }

    @Test func `The same rules do the same with every packet`() throws {
        let diff = try Self.diff(Self.persistent, Self.persistent)
        #expect(diff.isSame)
        #expect(diff.opened == 6)
        #expect(diff.same == 6)
    }

    @Test func `Rules without persistence move connections, and clients lose their server`() throws
    {
        let diff = try Self.diff(
            Self.persistent, Self.persistent.replacing(" -p 300", with: ""))
        #expect(!diff.isSame)
        #expect(diff.movedCount == 3)
        #expect(diff.moved.map(\.packet) == [37, 49, 61])
        #expect(diff.clients.all == 3)
        #expect(diff.clients.keptOnlyBefore == 3)
        #expect(diff.clients.keptOnlyAfter == 0)
        #expect(diff.sides.map(\.connections) == [6, 6])
        #expect(diff.sides.map(\.strayed) == [0, 3])
        #expect(diff.text.contains("10.2.0.12:80 | 10.2.0.11:80"), "\(diff.text)")
    }

    @Test func `A service without servers refuses what the other takes, and its drops are told`()
        throws
    {
        let diff = try Self.diff(Self.persistent, "-A -t 10.1.0.100:80 -s rr")
        #expect(diff.missing == [0, 6])
        #expect(diff.sides[0].drops == [:])
        #expect(diff.sides[1].drops == [.noServer: 6])
        #expect(diff.text.contains("no-server 0 | 6"), "\(diff.text)")
    }

    @Test func `Packets behind the first burst are told of as well`() throws {
        let scene = try Scene("http", hasNetwork: false)
        let side = ReplaySide(scene.run)
        try scene.connect(200)
        var outcomes: [ReplaySide.Outcome] = []
        while let outcome = side.next() { outcomes.append(outcome) }
        #expect(outcomes.map(\.packet) == Array(1...200))
        #expect(outcomes.filter(\.isNew).count == 200)
        #expect(
            outcomes.compactMap(\.connection?.flow.clientPort) == Array(1001...1200))
    }

    @Test func `What the text says stands in the JSON too`() throws {
        let moved = try Self.diff(
            Self.persistent, Self.persistent.replacing(" -p 300", with: ""))
        let json = moved.json(rules: ["one", "two"], remarks: ["odd \"bytes\""])
        #expect(
            json.hasPrefix(
                "{\n  \"rules\": [\n    \"one\",\n    \"two\"\n  ],\n  \"same\": false,"),
            "\(json)")
        #expect(json.hasSuffix("\"remarks\": [\n    \"odd \\\"bytes\\\"\"\n  ]\n}\n"), "\(json)")
        let expected = [
            "\"opened\": 6", "\"moved\": 3", "\"packet\": 37", "\"first\": \"10.2.0.12:80\"",
            "\"kept_only_by_first\": 3", "\"all_watched\": true", "\"name\": \"10.2.0.11:80\"",
            "\"stretch_seconds\": 0.1", "\"over_time\": {",
        ]
        for text in expected { #expect(json.contains(text), "\(text) in \(json)") }
        let refusing = try Self.diff(Self.persistent, "-A -t 10.1.0.100:80 -s rr")
        let dropped = refusing.json(rules: [], remarks: [])
        #expect(dropped.contains("\"only_first\": 6") && dropped.contains("\"second\": null"))
        #expect(dropped.contains("\"reason\": \"no-server\""), "\(dropped)")
        let same = try Self.diff(Self.persistent, Self.persistent)
        #expect(same.json(rules: [], remarks: []).contains("\"same\": true"))
    }

    @Test func `However long a capture is, load is told in few stretches`() {
        var load = LoadOverTime()
        let server = ServerName(address: IPAddress(v4: 1), port: 80)
        let times: [Int64] = [5, 100_000_005, 86_400_000_000_005, .max, 0]
        for (index, time) in times.enumerated() {
            load.add(server, at: time, side: index % 2)
        }
        let rows = load.counts[server] ?? []
        #expect(rows.count == LoadOverTime.most)
        #expect(rows.reduce(0) { $0 + $1[0] } == 3)
        #expect(rows.reduce(0) { $0 + $1[1] } == 2)
        #expect(load.used <= LoadOverTime.most)
    }
}

@Suite struct ReplayExplanationTests {
    @Test func `A packet of a capture is explained by what happened before it`() throws {
        let scene = try Scene("http")
        let explanation = try #require(scene.run.explanation(ofPacket: 3))
        #expect(explanation.outcome == "send")
        #expect(explanation.server?.address.description == "10.2.0.12")
        #expect(explanation.text.contains("SYN_RECV -> ESTABLISHED"), "\(explanation.text)")
        #expect(explanation.text.contains("hit from the client"), "\(explanation.text)")
    }

    @Test func `Explaining changes nothing that comes after it`() throws {
        let scene = try Scene("http")
        let outcome = ReplayTests.Outcome()
        scene.replay.sink = outcome
        _ = scene.run.explanation(ofPacket: 5)
        while scene.run.step() {}
        scene.replay.finish()
        let plain = try Scene("http").play().values.reduce(0) { $0 + $1.count }
        #expect(outcome.sent.count == plain)
    }

    @Test func `A packet that is not in the capture is not explained`() throws {
        let scene = try Scene("http")
        #expect(scene.run.explanation(ofPacket: 100_000) == nil)
        let why = scene.run.absence(ofPacket: 100_000, before: scene.replay.counts)
        #expect(why == "the capture has \(scene.run.number) packets")
    }

    @Test func `An unsent packet meets the connections of the capture`() throws {
        let scene = try Scene("persistence")
        while scene.run.step() {}
        let words = "tcp 10.1.0.20:5555 to 10.1.0.100:80".split(separator: " ").map(String.init)
        let explanation = try scene.replay.explanation(of: try Hypothesis(words))
        #expect(explanation.server?.address.description == "10.2.0.12")
        #expect(explanation.text.contains("template"), "\(explanation.text)")
    }
}
