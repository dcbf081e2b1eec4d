import Control
import LVS
import Testing

/// The texts of the private family.
struct NamedTextTests {
    private let target = Sample.target()
    private var conversation: Conversation

    init() {
        conversation = Conversation(
            CommandExecutor(target: target, daemon: target), privileged: true)
    }

    private mutating func read(_ name: String, key: String? = nil) -> String {
        let answers = conversation.ask(
            Request(NetlinkType.extra, 1, dump: true) { writer in
                writer.attribute(1, name)
                if let key { writer.attribute(3, key) }
            })
        #expect(answers.isDumpDone)
        let bytes = answers.data.flatMap { $0.attributes[2] ?? [] }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test mutating func theConnectionTableReadsLikeTheKernels() {
        target.connections = [
            ConnectionRecord(
                transport: 6, client: IPAddress(v4: 0x0a01_0002), clientPort: 40000,
                virtual: Sample.vip, virtualPort: 80, real: Sample.web1.address, realPort: 8080,
                state: "ESTABLISHED", expiresSeconds: 899),
            ConnectionRecord(
                transport: 17, client: Sample.vip6, clientPort: 1, virtual: Sample.vip6,
                virtualPort: 53, real: Sample.vip6, realPort: 53, state: "UDP",
                expiresSeconds: 5, engine: "sip abc"),
        ]
        let v6 = "2001:0db8:0000:0000:0000:0000:0000:0001"
        #expect(
            read("ip_vs_conn") == """
                Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
                TCP 0A010002 9C40 0A000001 0050 0A00000B 1F90 ESTABLISHED     899
                UDP \(v6) 0001 \(v6) 0035 \(v6) 0035 UDP               5 sip abc

                """)
    }

    @Test mutating func connectionsSayWhatServersTakeForTheClient() {
        target.connections = [
            ConnectionRecord(
                transport: 6, client: Sample.vip6, clientPort: 1, virtual: Sample.vip6,
                virtualPort: 80, real: Sample.web1.address, realPort: 8080, state: "SYN_RECV",
                expiresSeconds: 9, engine: "sip abc",
                local: LocalEndpoint(address: IPAddress(v4: 0x0a00_0014), port: 65535)),
            ConnectionRecord(
                transport: 6, client: IPAddress(v4: 0x0a01_0002), clientPort: 40000,
                virtual: Sample.vip, virtualPort: 80, real: Sample.web1.address, realPort: 8080,
                state: "ESTABLISHED", expiresSeconds: 899),
        ]
        let v6 = "2001:0db8:0000:0000:0000:0000:0000:0001"
        let lines = read("connections").split(separator: "\n").dropFirst().map { String($0) }
        #expect(
            lines == [
                "TCP \(v6) 0001 \(v6) 0050 0A00000B 1F90 SYN_RECV          9 0A000014 FFFF sip abc",
                "TCP 0A010002 9C40 0A000001 0050 0A00000B 1F90 ESTABLISHED     899 - - ",
            ])
        // The kernel's own text has no such column.
        #expect(!read("ip_vs_conn").contains("0A000014"))
    }

    @Test mutating func settingsThatNoKernelHasAreNotShownAsItsSysctls() {
        for name in ["fullnat_lport_min", "icmp_ratelimit"] { target.state.settings[name] = "9" }
        #expect(read("settings").contains("fullnat_lport_min = 9\n"))
        #expect(read("sysctl") == "conn_reuse_mode = 1\ndrop_packet = 0\n")
    }

    @Test mutating func aLargeConnectionTableComesWhole() {
        target.connections = (0..<10000).map { number in
            ConnectionRecord(
                transport: 6, client: IPAddress(v4: UInt32(number)), clientPort: 1,
                virtual: Sample.vip, virtualPort: 80, real: Sample.web1.address, realPort: 80,
                state: "TIME_WAIT", expiresSeconds: 1)
        }
        let lines = read("ip_vs_conn").split(separator: "\n").dropFirst()
        #expect(lines.count == 10000)
        #expect(Set(lines).count == 10000)
    }

    @Test mutating func theServiceTableReadsLikeTheKernels() {
        #expect(
            read("ip_vs") == """
                IP Virtual Server version 1.2.1 (size=4096)
                Prot LocalAddress:Port Scheduler Flags
                  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
                TCP  0A000001:0050 rr \u{20}
                  -> 0A00000B:0050      Masq    1      0          0        \u{20}
                UDP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0035 wlc\u{20}

                """)
    }

    @Test mutating func theTotalsAreHexadecimal() {
        let numbers = "      FF        0        0                0           ABCDEF\n\n"
        #expect(read("ip_vs_stats").contains(numbers))
    }

    @Test mutating func settingsAreReadTogetherOrOne() {
        #expect(read("settings") == "conn_reuse_mode = 1\ndrop_packet = 0\n")
        #expect(read("settings", key: "conn_reuse_mode") == "1\n")
    }

    @Test mutating func theSynchronisedConnectionTableSaysWhereConnectionsCameFrom() {
        target.connections = [
            ConnectionRecord(
                transport: 6, client: IPAddress(v4: 0x0a01_0002), clientPort: 40000,
                virtual: Sample.vip, virtualPort: 80, real: Sample.web1.address, realPort: 8080,
                state: "ESTABLISHED", expiresSeconds: 899)
        ]
        var told = target.connections[0]
        told.isSynchronised = true
        target.connections.append(told)
        #expect(
            read("ip_vs_conn_sync") == """
                Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires
                TCP 0A010002 9C40 0A000001 0050 0A00000B 1F90 ESTABLISHED LOCAL      899
                TCP 0A010002 9C40 0A000001 0050 0A00000B 1F90 ESTABLISHED SYNC       899

                """)
    }

    private mutating func write(_ name: String, key: String, _ value: String) -> Int32? {
        conversation.ask(
            Request(NetlinkType.extra, 2) { writer in
                writer.attribute(1, name)
                writer.attribute(3, key)
                writer.attribute(4, value)
            }
        ).error
    }

    @Test mutating func aSysctlIsReadAndWrittenByItsFileName() {
        target.state.settings["icmp_ratelimit"] = "1000"
        #expect(read("sysctl") == "conn_reuse_mode = 1\ndrop_packet = 0\n")
        #expect(read("sysctl", key: "drop_packet") == "0\n")
        for (text, value) in [("2", "2"), ("0x1", "1"), ("01", "1"), ("-0", "0")] {
            #expect(write("sysctl", key: "drop_packet", text) == 0, "\(text)")
            #expect(read("sysctl", key: "drop_packet") == "\(value)\n", "\(text)")
        }
    }

    @Test mutating func aSysctlThatIsNoneOrNoNumberIsRefused() {
        target.state.settings["icmp_ratelimit"] = "1000"
        let missing = ErrorNumber.noSuchEntry.rawValue
        let invalid = ErrorNumber.invalid.rawValue
        for name in ["nonsense", "", "net.ipv4.vs.drop_packet", "icmp_ratelimit"] {
            #expect(write("sysctl", key: name, "1") == missing, "\(name)")
        }
        for text in ["", "x", "1 2", "0x", "08", "+1", "--1", "1e3", "9223372036854775808"] {
            #expect(write("sysctl", key: "drop_packet", text) == invalid, "'\(text)'")
        }
        #expect(read("sysctl", key: "drop_packet") == "0\n")
    }

    @Test mutating func theStatusIsTheDaemons() {
        #expect(read("status") == "all is well\n")
    }

    @Test mutating func aBackupThatCannotBeginIsRefusedAndNotKept() {
        let daemon = DaemonRecord(state: 2, interface: "lo", syncID: 7)
        target.refusal = Refusal(ErrorNumber(rawValue: 98), "the port is taken")
        #expect(conversation.ask(Sample.daemon(.newDaemon, daemon)).error == 98)
        #expect(target.synchronising == [])
        target.refusal = nil
        #expect(conversation.ask(Sample.daemon(.newDaemon, daemon)).error == 0)
        #expect(target.synchronising.map(\.port) == [8848])
        #expect(target.synchronising.map(\.group) == [.v4(IPAddress(v4: 0xe000_0051))])
        let exists = ErrorNumber.exists.rawValue
        #expect(conversation.ask(Sample.daemon(.newDaemon, daemon)).error == exists)
        #expect(target.synchronising.count == 1)
        #expect(!read("status").contains("backup"))
        #expect(conversation.ask(Sample.daemon(.deleteDaemon, daemon)).error == 0)
        #expect(target.synchronising == [])
    }

    @Test mutating func anExplanationIsTheDaemonsOfThePacketThatIsTheKey() {
        #expect(read("explain", key: "tcp a to b") == "tcp a to b\n")
        #expect(read("explain.json", key: "tcp a to b") == "tcp a to b for programs\n")
        for key in ["nonsense", nil] {
            let answers = conversation.ask(
                Request(NetlinkType.extra, 1) { writer in
                    writer.attribute(1, "explain")
                    if let key { writer.attribute(3, key) }
                })
            #expect(answers.error == ErrorNumber.invalid.rawValue)
        }
    }

    @Test mutating func aTextIsReadWithoutTheDumpFlagToo() {
        let answers = conversation.ask(
            Request(NetlinkType.extra, 1) { $0.attribute(1, "status") })
        #expect(answers.data.count == 1)
        #expect(answers.isDumpDone)
    }
}
