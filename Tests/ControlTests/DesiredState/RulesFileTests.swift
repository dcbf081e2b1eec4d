import Control
import LVS
import Testing

@Suite("Rules files")
struct RulesFileTests {
    private let web = ServiceKey.address(.tcp, IPAddress(v4: 0x0a01_0064), port: 80)

    @Test("What -Sn writes is read back as services and servers")
    func savedRulesAreRead() throws {
        let rules = try RulesFile.parse(
            """
            # the web
            -A -t 10.1.0.100:80 -s wrr -p 60

            -a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m -w 3
            ipvsadm -a -t 10.1.0.100:80 -r 10.2.0.12:80 -i -w 0 --tun-type ipip
            -A -f 7 -6 -s rr
            """)
        #expect(
            rules == [
                .addService(
                    VirtualService(
                        key: web, scheduler: "wrr", flags: .persistent,
                        persistenceTimeoutSeconds: 60)),
                .addServer(
                    web,
                    RealServer(
                        address: IPAddress(v4: 0x0a02_000b), port: 8080, method: .masquerading,
                        weight: 3)),
                .addServer(
                    web,
                    RealServer(
                        address: IPAddress(v4: 0x0a02_000c), port: 80, method: .tunnel, weight: 0)),
                .addService(VirtualService(key: .mark(7, .v6), scheduler: "rr")),
            ])
    }

    @Test("Rules name their services and the addresses of their real servers")
    func servicesAndServersAreNamed() throws {
        let rules = try RulesFile.parse(
            """
            -A -t 10.1.0.100:80 -s rr
            -a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m
            -A -f 7 -s rr
            -a -f 7 -r 10.2.0.12 -g
            -a -f 7 -r 10.2.0.11 -g
            """)
        #expect(rules.services.map(\.key) == [web, .mark(7, .v4)])
        #expect(
            rules.serverAddresses
                == [0x0a02_000b, 0x0a02_000c, 0x0a02_000b].map { IPAddress(v4: $0) })
        #expect([Rule]().services.isEmpty)
        #expect([Rule]().serverAddresses.isEmpty)
    }

    @Test("What -Sn writes of any recorded table is read, except weights below zero")
    func recordedTablesAreRead() throws {
        for golden in RenderingCase.all where golden.argv == ["-S", "-n"] {
            let isForeign = golden.stdout.contains("-w -")
            let rules = try? RulesFile.parse(golden.stdout)
            #expect((rules != nil) == !isForeign, "\(golden.id)")
        }
    }

    @Test(
        "A mistake names its line and what was expected, and nothing of the file is used",
        arguments: [
            ("-A -t 10.1.0.100:80 -s rr\n\n-a -t 10.1.0.100:80 -r 10.2.0.11 -w x", 3, "weight"),
            ("-A -t 10.1.0.100:99999", 1, "expected ADDRESS:PORT"),
            ("# only\n-D -t 10.1.0.100:80", 2, "expected -A"),
            ("tcp 10.1.0.100:80", 1, "expected -A"),
            ("-a -t 10.1.0.100:80 -r 10.2.0.11 -m", 1, "expected the -A line"),
            ("-A -t 10.1.0.100:80\n-A -t 10.1.0.100:80", 2, "line 1 already"),
            ("-A -t 10.1.0.100:80 -q", 1, "-q: unknown option"),
            ("-A -f 0 -s rr", 1, "1 to 4294967295"),
            ("-A -t [::ffff:10.1.0.100]:80", 1, "inside an IPv6"),
            ("-P -t 10.1.0.100:80 -z 10.2.0.20", 1, "before its local addresses"),
            (
                "-A -t 10.1.0.100:80 -s rr\n-P -t 10.1.0.100:80 -z 10.2.0.20-29\n"
                    + "-P -t 10.1.0.100:80 -z 10.2.0.25", 3, "the local address 10.2.0.25 already"
            ),
            (
                "-A -t 10.1.0.100:80 -s rr\n-P -t 10.1.0.100:80 -z fd00::1", 2,
                "only for IPv6 virtual services"
            ), ("-Q -t 10.1.0.100:80 -z 10.2.0.20", 1, "or -P (local addresses)"),
            ("-h", 1, "expected -A"),
        ])
    func mistakesAreNamed(_ text: String, _ line: Int, _ part: String) {
        do throws(RulesFile.Mistake) {
            _ = try RulesFile.parse(text)
            Issue.record("the file was accepted")
        } catch {
            #expect(error.line == line)
            #expect(error.description.contains(part), "\(error.description)")
        }
    }

    @Test("An empty file has no rules")
    func emptyFile() throws {
        #expect(try RulesFile.parse("").isEmpty)
        #expect(try RulesFile.parse("\n  \n# nothing\n").isEmpty)
    }

    @Test("No bytes make the reader trap")
    func hostileText() {
        var generator = SystemRandomNumberGenerator()
        let words = [
            "-A", "-a", "-t", "[", "]:", "-M", "-p", "\u{0}", "=", "--", "é", "9:", ",", "-b",
        ]
        for _ in 0..<2000 {
            let line = (0..<Int.random(in: 0..<8, using: &generator)).map { _ in
                words.randomElement(using: &generator) ?? ""
            }
            _ = try? RulesFile.parse("-A " + line.joined(separator: Bool.random() ? " " : ""))
        }
    }
}
