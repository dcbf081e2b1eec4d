import Control
import LVS
import Posix
import Testing

/// The control socket's commands against the engine itself.
struct DirectorTargetTests {
    /// A director without workers' threads, holding `http` with `web1`.
    private final class Fixture {
        private let memory: MappedMemory
        let director: Director
        let target: DirectorTarget
        var conversation: Conversation

        init() throws {
            let configuration = Director.Configuration(connections: 1000, seed: 1)
            let bytes = Director.tableBytes(configuration)
            memory = try MappedMemory(bytes: bytes)
            director = unsafe Director(
                configuration, tableMemory: TableMemory(base: memory.base, count: memory.count),
                now: Instant(nanoseconds: 1))
            target = DirectorTarget(director)
            let status = Status()
            conversation = Conversation(
                CommandExecutor(target: target, daemon: status), privileged: true)
            for request in [
                Sample.service(.newService, Sample.http),
                Sample.destination(.newDestination, Sample.web1),
            ] {
                try #require(conversation.ask(request).error == 0)
            }
        }

        private final class Status: DaemonTarget {
            func status() -> String { "" }
            func statusForPrograms() -> JSONValue { .members(["well": .boolean(true)]) }
            func saveState() throws(CommandRefusal) { throw .notSupported("no state is kept here") }
        }
    }

    /// Situations that need what this director does not do; they are refused as such.
    private static let beyond: Set<String> = [
        "unknown persistence engine", "GUE without a port", "mixed families by NAT",
        "an IPv4-mapped address as IPv6",
    ]

    static let rows = RefusalTests.rows.filter { !beyond.contains($0.situation) }

    @Test(arguments: rows)
    func theEngineRefusesWithTheKernelsNumbersAndAcceptsTheTwin(row: RefusalTests.Row) throws {
        let fixture = try Fixture()
        #expect(fixture.conversation.ask(Sample.service(.newService, Sample.dns6)).error == 0)
        let before = fixture.target.services()
        #expect(fixture.conversation.ask(row.refused).errors == [row.error.rawValue])
        #expect(fixture.target.services() == before)
        #expect(fixture.conversation.ask(row.accepted).errors == [0])
    }

    @Test(arguments: [
        Sample.destination(.newDestination, Sample.web2.with(\.method, 4)),
        Sample.destination(
            .newDestination, Sample.web2.with(\.method, 2).with(\.tunnelType, 3)),
    ])
    func whatTheEngineDoesNotDoIsRefusedWithASentence(request: Request) throws {
        let fixture = try Fixture()
        let answers = fixture.conversation.ask(request)
        #expect(answers.error == ErrorNumber.notSupported.rawValue)
        let message = try #require(answers.messages.first)
        #expect(message.flags.contains(.explained))
    }

    @Test func whatWasConfiguredIsListed() throws {
        let fixture = try Fixture()
        let server = Sample.web2.with(\.weight, 5).with(\.upperThreshold, 9)
        #expect(fixture.conversation.ask(Sample.destination(.newDestination, server)).error == 0)
        let services = fixture.target.services()
        #expect(services == [Sample.http.with(\.flags, .hashed)])
        let key = try #require(Sample.http.key)
        #expect(fixture.target.destinations(of: key) == [server, Sample.web1])
    }

    @Test func markRulesAreAddedListedAndRemoved() throws {
        let fixture = try Fixture()
        let rule = "-d 10.8.0.0/24 -p udp --dport 53 -j MARK --set-mark 8"
        func change(_ command: String, _ rule: String) -> Int32? {
            fixture.conversation.ask(
                Request(NetlinkType.extra, 2) { writer in
                    writer.attribute(1, "marks")
                    writer.attribute(3, command)
                    writer.attribute(4, rule)
                }
            ).error
        }
        #expect(change("-A", rule) == 0)
        #expect(fixture.director.markRules.map(\.mark) == [8])
        let mixed = "-s 10.8.0.0/24 -d 2001:db8::1 -j MARK --set-mark 9"
        #expect(change("-A", mixed) == ErrorNumber.invalid.rawValue)
        #expect(change("-A", "-d 10.8.0.0/24 --set-mark") == ErrorNumber.invalid.rawValue)
        #expect(change("-D", rule.replacing("53", with: "54")) == ErrorNumber.noSuchEntry.rawValue)
        #expect(change("-D", rule) == 0)
        #expect(fixture.director.markRules.isEmpty)
    }

    @Test func timeoutsAndSettingsReachTheEngine() throws {
        let fixture = try Fixture()
        try fixture.target.setTimeouts(TimeoutsRecord(udpSeconds: 17))
        #expect(fixture.director.timeouts.udp == 17)
        try fixture.target.set("expire_nodest_conn", to: "1")
        #expect(fixture.target.settings().contains { $0 == ("expire_nodest_conn", "1") })
        #expect(throws: CommandRefusal.self) {
            try fixture.target.set("expire_nodest_conn", to: "yes")
        }
    }

    @Test func theSysctlOfTwoNumbersHasATabBetweenThem() throws {
        let fixture = try Fixture()
        let read = { (name: String, key: String?) in
            let answers = fixture.conversation.ask(
                Request(NetlinkType.extra, 1, dump: true) { writer in
                    writer.attribute(1, name)
                    if let key { writer.attribute(3, key) }
                })
            return String(decoding: answers.data.flatMap { $0.attributes[2] ?? [] }, as: UTF8.self)
        }
        let write = { (text: String) in
            fixture.conversation.ask(
                Request(NetlinkType.extra, 2) { writer in
                    writer.attribute(1, "sysctl")
                    writer.attribute(3, "sync_threshold")
                    writer.attribute(4, text)
                }
            ).error
        }
        #expect(read("sysctl", "sync_threshold") == "3\t50\n")
        #expect(read("sysctl", nil).contains("\nsync_threshold = 3\t50\n"))
        #expect(read("settings", nil).contains("\nsync_threshold = 3 50\n"))
        for (text, value) in [
            ("5\t60", "5 60"), ("6 0x40", "6 64"), ("7", "7 64"), (" 010  011 ", "8 9"),
        ] {
            #expect(write(text) == 0, "\(text)")
            #expect(fixture.target.settings().contains { $0 == ("sync_threshold", value) })
        }
        for text in ["9", "1 2 3", "x 9", "8 -9", " ", "8\n9"] {
            #expect(write(text) != 0, "'\(text)'")
        }
        #expect(fixture.target.settings().contains { $0 == ("sync_threshold", "8 9") })
    }

    @Test(arguments: ["5 60", "3 60", "4 50", "3 50"])
    func bothNumbersOfAThresholdComeBackFromTheStateFile(_ text: String) throws {
        let old = try Fixture()
        try old.target.set("sync_threshold", to: text)
        let items = StateItem.all(
            rules: [], applied: [], settings: old.target.settings(), timeouts: old.target.timeouts,
            daemons: [])
        // The usual ones are not kept.
        let kept = items.contains(.setting(name: "sync_threshold", value: text))
        #expect(kept == (text != "3 50"))
        let new = try Fixture()
        let restoration = StateRestoration(
            StateFile.read(StateFile.bytes(of: items)).items, to: new.target
        ) { _ in }
        #expect(restoration.refused == [])
        #expect(new.target.settings().contains { $0 == ("sync_threshold", text) })
    }

    @Test func anEmptyConnectionTableIsItsHeaderLine() throws {
        let fixture = try Fixture()
        var lines = 0
        var position: Int? = 0
        while let start = position {
            position = fixture.target.connections(from: start) { _ in lines += 1 }
        }
        #expect(lines == 0)
    }
}
