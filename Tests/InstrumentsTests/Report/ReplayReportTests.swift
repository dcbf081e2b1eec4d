import Instruments
import LVS
import Testing

@Suite struct ReplayReportTests {
    private static func page(
        _ name: String, title: String = "A title", packets: Int = .max
    ) throws -> String {
        let scene = try Scene(name)
        let recorder = ReplayRecorder(scene.run, before: nil)
        var played = 0
        while played < packets, scene.run.step() { played += 1 }
        scene.replay.finish()
        recorder.finish()
        return ReplayReport(recorder, title: title).html
    }

    @Test func `A report is one page that asks for nothing else`() throws {
        let page = try Self.page("http")
        #expect(page.hasPrefix("<!doctype html>"))
        #expect(page.hasSuffix("</html>\n"))
        for word in ["src=", "href=", "@import", "url("] {
            #expect(!page.contains(word), "\(word)")
        }
        // The one address in it names what SVG is.
        let addresses = page.ranges(of: "http://").count + page.ranges(of: "https://").count
        #expect(addresses == 1)
        #expect(page.contains("http://www.w3.org/2000/svg"))
    }

    @Test func `Names cannot end the script, nor become elements`() throws {
        let page = try Self.page("http", title: "</script><b>&", packets: 3)
        #expect(!page.contains("</script><b>"))
        #expect(page.contains("<h1>&lt;/script&gt;&lt;b&gt;&amp;</h1>"))
        #expect(page.ranges(of: "</script>").count == 2)
    }

    @Test func `A dropped packet is shown with its reason, and what was made of it`() throws {
        let page = try Self.page("icmp-errors")
        #expect(page.contains("\"fate\": \"too-long-for-route\""))
        #expect(page.contains("ICMP"))
        #expect(page.contains("\"reason\": \"too-long-for-route\""))
    }

    @Test func `Connections behind the first burst can be looked at as well`() throws {
        let scene = try Scene("http", hasNetwork: false)
        let recorder = ReplayRecorder(scene.run, before: nil)
        try scene.connect(150)
        recorder.finish()
        let page = ReplayReport(recorder, title: "A title").html
        #expect(page.contains("tcp 10.1.0.20:1150 → 10.1.0.100:80 [S], 54 bytes"))
    }

    @Test func `Times may be as far apart as numbers go`() throws {
        let scene = try Scene("http", hasNetwork: false)
        let recorder = ReplayRecorder(scene.run, before: nil)
        try scene.connect(6000) { $0 == 1 ? 1 : .max }
        recorder.finish()
        let page = ReplayReport(recorder, title: "A title").html
        #expect(page.contains("\"packets\": 6000"))
    }

    @Test func `Packets stand before and after the director`() throws {
        let page = try Self.page("persistence")
        #expect(
            page.contains("tcp 10.1.0.20:58640 → 10.1.0.100:80 [S], 74 bytes"), "before")
        #expect(page.contains("tcp 10.1.0.20:58640 → 10.2.0.12:80 [S], 74 bytes"), "after")
        #expect(page.contains("\"SYN_RECV\""))
        #expect(page.contains("persistent 300"))
    }

    @Test func `A recorder changes nothing of what is sent`() throws {
        let scene = try Scene("ftp")
        let outcome = ReplayTests.Outcome()
        let recorder = ReplayRecorder(scene.run, before: outcome)
        while scene.run.step() {}
        scene.replay.finish()
        recorder.finish()
        let plain = try Scene("ftp").play()
        #expect(
            Set(outcome.sent.map(\.bytes)) == Set(plain.values.flatMap { $0 }), "frames")
        #expect(outcome.sent.count == plain.values.reduce(0) { $0 + $1.count })
    }

    @Test func `A capture without packets has a report too`() throws {
        let page = try Self.page("http", packets: 0)
        #expect(page.contains("\"packets\": 0"))
    }
}
