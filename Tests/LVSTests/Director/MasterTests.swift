import LVS
import TestKit
import Testing

/// Of which connections a master has others told, and with which packets (ipvs-semantics 9.4).
@Suite struct MasterTests {
    // MARK: Packets

    @Test(arguments: [
        ("3 50", [3, 53, 103]), ("0 1", Array(2...110)), ("2 0", [2]), ("3 0", [3]), ("0 0", []),
        ("0 50", [50, 100]), ("7", [7, 57, 107]),
    ])
    func `The threshold names the packets that others are told with`(
        threshold: String, packets: [Int]
    ) throws {
        let rig = try MasterRig(MasterRig.web, ["sync_threshold": threshold])
        #expect(rig.tellings(until: 110) == packets)
    }

    @Test func `The packets of both ways are counted apart`() throws {
        let rig = try MasterRig()
        rig.open()
        for _ in 0..<60 { rig.server(16) }
        #expect(rig.told().isEmpty)
        rig.client(16)
        #expect(rig.states() == [.established])
    }

    @Test func `What is told is the entry as it stands`() throws {
        let rig = try MasterRig(MasterRig.web, ["sync_threshold": "0 1"])
        rig.open()
        let told = try #require(rig.told().first)
        #expect(told.transport == .tcp && told.state == 1 && told.method == 0)
        #expect(told.client == MasterRig.client && told.clientPort == 4000)
        #expect(told.virtual == IPAddress(v4: 0x0a01_0064) && told.virtualPort == 80)
        #expect(told.real == MasterRig.server && told.realPort == 8080)
        #expect(told.timeoutSeconds == 900 && told.mark == 0)
        #expect(!told.isTemplate && !told.isInactive && !told.isSynchronised)
        #expect(told.engineData == nil && told.engineName == nil)
    }

    // MARK: States

    @Test func `A new state is told at once, but only with a packet of the client`() throws {
        let rig = try MasterRig()
        rig.open()
        #expect(rig.states() == [], "two packets are too few, whatever the state")
        rig.client(16)
        #expect(rig.states() == [.established])
        rig.server(17)
        #expect(rig.states() == [], "the server's end waits for the client's next packet")
        rig.client(16)
        #expect(rig.states() == [.finWait])
        rig.client(16)
        #expect(rig.states() == [], "it is known")
        rig.client(17)
        #expect(rig.states() == [.timeWait])
        rig.client(16)
        #expect(rig.states() == [])
    }

    @Test func `A connection that was never told of is, when it ends`() throws {
        let rig = try MasterRig()
        rig.open()
        rig.client(4)
        #expect(rig.states() == [.close])
    }

    @Test func `Before it is established nothing is told of a connection`() throws {
        let rig = try MasterRig(MasterRig.web, ["sync_threshold": "0 1"])
        for _ in 0..<5 { rig.client(2) }
        #expect(rig.told().isEmpty)
        rig.client(16)
        #expect(rig.states() == [.established])
    }

    @Test func `Datagrams have one state, and are told of by their number`() throws {
        let rig = try MasterRig([
            "-A -u 10.1.0.100:53 -s rr", "-a -u 10.1.0.100:53 -r 10.2.0.11:53 -m",
        ])
        var numbers: [Int] = []
        for number in 1...60 {
            rig.datagram()
            numbers += rig.told().map { _ in number }
        }
        #expect(numbers == [3, 53])
    }

    // MARK: Time

    /// Seconds, counted from the first telling, with which others are told when a packet comes each second.
    private func seconds(_ settings: [String: String], until last: Int) throws -> [Int] {
        let rig = try MasterRig(MasterRig.web, settings)
        rig.open()
        var seconds = rig.told().map { _ in 0 }
        for second in 1...last {
            rig.rig.advance(milliseconds: 1000)
            rig.client(16)
            seconds += rig.told().map { _ in second }
        }
        return seconds
    }

    @Test func `With a refresh period others are told when the end has moved as far`() throws {
        #expect(
            try seconds(["sync_threshold": "0 0", "sync_refresh_period": "10"], until: 31)
                == [0, 10, 20, 30])
    }

    @Test func `Each telling is repeated, an eighth of the period later`() throws {
        let settings = [
            "sync_threshold": "0 0", "sync_refresh_period": "10", "sync_retries": "2",
        ]
        #expect(try seconds(settings, until: 31) == [0, 2, 4, 14, 16, 18, 28, 30])
    }

    @Test func `A period is not longer than half the timeout, nor that shorter than 10 seconds`()
        throws
    {
        // Half of 900 seconds.
        let settings = ["sync_threshold": "0 0", "sync_refresh_period": "100000"]
        #expect(try seconds(settings, until: 460) == [0, 450])
    }

    @Test func `With both a threshold and a period, packet and time must be right`() throws {
        let rig = try MasterRig(
            MasterRig.web, ["sync_threshold": "3 50", "sync_refresh_period": "10"])
        #expect(rig.tellings(until: 60) == [3])
        rig.rig.advance(milliseconds: 10_000)
        var numbers: [Int] = []
        for number in 61...160 {
            rig.client(16)
            numbers += rig.told().map { _ in number }
        }
        #expect(numbers == [103], "153 comes too soon")
    }

    @Test func `A state that ends the connection waits for no period`() throws {
        let rig = try MasterRig(
            MasterRig.web, ["sync_threshold": "0 0", "sync_refresh_period": "1000"])
        rig.open()
        rig.client(4)
        #expect(rig.states() == [.established, .close])
    }

    // MARK: What a connection hangs on

    @Test func `Templates are told with each packet of their connections`() throws {
        let rig = try MasterRig(MasterRig.persistentWeb)
        var counts: [[Bool]] = []
        for number in 1...4 {
            rig.client(number == 1 ? 2 : 16)
            counts.append(rig.told().map(\.isTemplate))
        }
        #expect(counts == [[true], [true], [false, true], [true]])
    }

    @Test func `In format 0 a template is told only with its connection`() throws {
        let rig = try MasterRig(MasterRig.persistentWeb, ["sync_version": "0"])
        #expect(rig.tellings(until: 60) == [3, 3, 53, 53])
    }

    @Test func `A template is told as one, with its own times`() throws {
        let rig = try MasterRig(MasterRig.persistentWeb)
        rig.client(2)
        let template = try #require(rig.told().first)
        #expect(template.isTemplate && template.isInactive)
        #expect(template.clientPort == 0 && template.virtualPort == 80)
        #expect(template.real == MasterRig.server && template.realPort == 8080)
        #expect(template.timeoutSeconds == 60)
    }

    @Test func `In persist mode templates stand for their connections`() throws {
        let rig = try MasterRig(
            MasterRig.persistentWeb + [
                "-A -t 10.1.0.100:81 -s rr", "-a -t 10.1.0.100:81 -r 10.2.0.11:81 -m",
            ], ["sync_persist_mode": "1"])
        var told: [ToldConnection] = []
        for flags in [UInt8(2), 16, 16, 16, 4] {
            rig.client(flags)
            told += rig.told()
        }
        #expect(told.count == 5)
        #expect(told.allSatisfy { $0.isTemplate })
        for flags in [UInt8(2), 16, 16] { rig.client(flags, to: 81) }
        #expect(rig.told().map(\.virtualPort) == [81], "nothing stands for this one")
    }

    @Test func `Templates of calls are told with their call, however long its name`() throws {
        for call in ["a@b", String(repeating: "c", count: 255)] {
            let rig = try MasterRig([
                "-A -u 10.1.0.100:5060 -s rr -p 60 --pe sip",
                "-a -u 10.1.0.100:5060 -r 10.2.0.11:5060 -m",
            ])
            rig.datagram(to: 5060, "INVITE x\r\nCall-ID: \(call)\r\n\r\n")
            let template = try #require(rig.told().first)
            #expect(template.isTemplate && template.engineName == "sip")
            #expect(template.engineData == Array(call.utf8))
        }
    }

    @Test func `The control connection of FTP is told with its data connections`() throws {
        let rig = try MasterRig([
            "-A -t 10.1.0.100:21 -s rr", "-a -t 10.1.0.100:21 -r 10.2.0.11:21 -m",
        ])
        rig.client(2, to: 21)
        rig.server(18, from: 21)
        rig.client(16, to: 21)
        rig.client(24, to: 21, "PASV\r\n")
        #expect(rig.told().map(\.virtualPort) == [21])
        rig.server(24, from: 21, "227 Entering Passive Mode (10,2,0,11,156,64)\r\n")
        #expect(rig.told().isEmpty)
        rig.client(2, from: 4001, to: 40000)
        #expect(rig.told().map(\.virtualPort) == [21], "although nothing is told of a SYN itself")
    }

    @Test func `A template that lives on past its time is told`() throws {
        let rig = try MasterRig(MasterRig.persistentWeb)
        rig.open()
        _ = rig.told()
        rig.rig.advance(milliseconds: 50_000)
        #expect(rig.told().isEmpty)
        rig.rig.advance(milliseconds: 20_000)
        let told = rig.told()
        #expect(told.map(\.isTemplate) == [true] && told.first?.timeoutSeconds == 60)
    }

    @Test func `A template that is followed no more is told as one for nobody`() throws {
        let rig = try MasterRig(MasterRig.persistentWeb, ["expire_quiescent_template": "1"])
        rig.open()
        try RuleLine.run(
            "-e -t 10.1.0.100:80 -r 10.2.0.11:8080 -m -w 0".split(separator: " ").map(String.init),
            on: rig.director)
        try RuleLine.run(
            "-a -t 10.1.0.100:80 -r 10.2.0.12:8080 -m".split(separator: " ").map(String.init),
            on: rig.director)
        rig.client(2, from: 4001)
        _ = rig.told()
        rig.client(16)
        let told = rig.told()
        #expect(told.last?.isTemplate == true)
        #expect(told.last?.virtualPort == .max && told.last?.realPort == .max)
    }

    // MARK: What is left out

    @Test(arguments: ["0", "1"])
    func `Of a service that schedules each packet only templates are told, and in format 1`(
        version: String
    ) throws {
        for persistence in ["", " -p 60"] {
            let rig = try MasterRig(
                [
                    "-A -u 10.1.0.100:53 -s rr -o" + persistence,
                    "-a -u 10.1.0.100:53 -r 10.2.0.11:53 -m",
                ], ["sync_version": version])
            for _ in 0..<5 { #expect(rig.datagram() == .send(1)) }
            let templates = persistence.isEmpty || version == "0" ? 0 : 5
            #expect(rig.told().map(\.isTemplate) == Array(repeating: true, count: templates))
        }
    }

    @Test func `Connections with FULLNAT are left out`() throws {
        let rig = try MasterRig(
            [
                "-A -t 10.1.0.100:80 -s rr", "-a -t 10.1.0.100:80 -r 10.2.0.11:8080 --fullnat",
                "-P -t 10.1.0.100:80 -z 10.2.0.201",
            ], ["sync_threshold": "0 1"])
        for flags in [UInt8(2), 16, 16, 4] { #expect(rig.client(flags) == .send(1)) }
        #expect(rig.told().isEmpty)
    }

    @Test func `Without a master nothing is told, and no memory taken`() throws {
        let rig = try MasterRig(MasterRig.web, ["sync_threshold": "0 1"], isMaster: false)
        rig.open()
        #expect(rig.told().isEmpty && rig.lost == 0)
    }
}
