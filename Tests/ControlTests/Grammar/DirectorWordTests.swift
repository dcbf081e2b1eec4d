import Control
import Testing

@Suite("What directorctl has beyond ipvsadm")
struct DirectorWordTests {
    @Test("status prints the director's text")
    func status() {
        let transcript = Transcript()
        transcript.table.texts["status"] = "eth0 afpacket\n"
        #expect(transcript.run(["status"]) == 0)
        #expect(transcript.output == "eth0 afpacket\n")
    }

    @Test("A setting is changed and read under its short or its kernel name")
    func settings() {
        let transcript = Transcript()
        #expect(transcript.run(["set", "net.ipv4.vs.conntrack=1"]) == 0)
        #expect(transcript.run(["get", "conntrack"]) == 0)
        #expect(transcript.output == "1\n")
    }

    @Test("A setting of two numbers is given as one word")
    func settingOfTwoNumbers() {
        let transcript = Transcript()
        #expect(transcript.run(["set", "net.ipv4.vs.sync_threshold=5 60"]) == 0)
        #expect(transcript.run(["get", "sync_threshold"]) == 0)
        #expect(transcript.output == "5 60\n")
    }

    @Test(
        "explain hands the packet on as it is, and the answer back",
        arguments: [
            (["explain", "tcp 1.2.3.4:5 -> 1.2.3.6:7"], "tcp 1.2.3.4:5 -> 1.2.3.6:7: sent\n"),
            (
                ["explain", "tcp", "1.2.3.4:5", "to", "1.2.3.6:7"],
                "tcp 1.2.3.4:5 to 1.2.3.6:7: sent\n"
            ),
            (["explain", "--json", "tcp", "a"], "{\"packet\": \"tcp a\"}\n"),
        ])
    func explain(words: [String], output: String) {
        let transcript = Transcript()
        #expect(transcript.run(words) == 0)
        #expect(transcript.output == output)
    }

    @Test("explain prints why a packet is none")
    func explainRefused() {
        let transcript = Transcript()
        #expect(transcript.run(["explain", "gre", "a"]) == 255)
        #expect(transcript.errors == "'gre a' is no packet\n")
    }

    @Test("explain --next begins to wait and prints the packet when it has come")
    func explainNext() {
        let transcript = Transcript()
        transcript.table.texts["next"] = "tcp a -> b\n=> sent\n"
        #expect(transcript.run(["explain", "--next", "tcp", "port", "80"]) == 0)
        #expect(transcript.output == "tcp a -> b\n=> sent\n")
        #expect(transcript.table.changes == ["next start tcp port 80"])
    }

    @Test("explain --next says when no packet has come, and stops to wait")
    func explainNextInVain() {
        let transcript = Transcript()
        transcript.table.texts["next"] = ""
        #expect(transcript.run(["explain", "--next", "--wait", "0.1", "tcp"]) == 1)
        #expect(transcript.errors == "no such packet has come in 0.1 seconds\n")
        #expect(transcript.table.changes == ["next start tcp", "next stop "])
        #expect(transcript.run(["explain", "--next", "--wait", "0"]) == 2)
        #expect(transcript.errors == "--wait: accepted are 0.1 to 86400 seconds\n")
        #expect(transcript.run(["explain", "--next", "nonsense"]) == 255)
        #expect(transcript.errors == "nonsense is no filter\n")
    }

    @Test("save-state asks for it and takes no arguments")
    func saveState() {
        let transcript = Transcript()
        #expect(transcript.run(["save-state"]) == 0)
        #expect(transcript.table.changes == ["save-state"])
        #expect(transcript.run(["save-state", "now"]) == 2)
        #expect(transcript.errors == "unexpected argument now\n")
    }

    @Test("An unknown setting and a set without value are refused with a reason")
    func refusedSettings() {
        let transcript = Transcript()
        #expect(transcript.run(["get", "nonsense"]) == 255)
        #expect(transcript.errors == "there is no setting 'nonsense'\n")
        #expect(transcript.run(["set", "conntrack"]) == 2)
        #expect(transcript.errors == "set needs one NAME=VALUE\n")
    }

    @Test(
        "Marking rules are read in the words of iptables and travel in their own",
        arguments: [
            (
                "-t mangle -A PREROUTING -p tcp -d 192.168.10.101 --dport 80 -j MARK --set-mark 10",
                "-A -d 192.168.10.101/32 -p tcp --dport 80 -j MARK --set-mark 10"
            ),
            (
                "-A -i eth0 -p tcp -m tcp -s 10.0.0.0/8 -d 10.8.0.7/24 --dport 20:21 -j MARK "
                    + "--set-mark 0x7",
                "-A -s 10.0.0.0/8 -d 10.8.0.0/24 -i eth0 -p tcp --dport 20:21 -j MARK --set-mark 7"
            ),
            (
                "-D -p udp -d 10.8.0.1 -m multiport --dports 53,5000: -j MARK --set-xmark "
                    + "8/0xffffffff",
                "-D -d 10.8.0.1/32 -p udp -m multiport --dports 53,5000:65535 -j MARK --set-mark 8"
            ),
            ("-A -d 10.8.0.1 -j MARK --set-mark 9", "-A -d 10.8.0.1/32 -j MARK --set-mark 9"),
            (
                "-A -p icmp --icmp-type echo-request -d 10.8.0.1 -j MARK --set-mark 1",
                "-A -d 10.8.0.1/32 -p icmp --icmp-type 8 -j MARK --set-mark 1"
            ),
            (
                "-A ! -s 10.0.0.0/8 -p sctp ! --dport 80 -i eth+ -j MARK --set-mark 1/0xff",
                "-A ! -s 10.0.0.0/8 -i eth+ -p sctp ! --dport 80 -j MARK --set-xmark 0x1/0xff"
            ),
            (
                "-A -p tcp --syn -d 2001:db8::1 -m multiport --ports 80,443 -j MARK --or-mark 4",
                "-A -d 2001:db8::1/128 -p tcp -m multiport --ports 80,443 "
                    + "--tcp-flags FIN,SYN,RST,ACK SYN -j MARK --set-xmark 0x4/0x4"
            ),
            (
                "-A -p 47 -m mark ! --mark 1/0xff -m connmark --mark 010 -j MARK --and-mark 3",
                "-A -p gre -m mark ! --mark 0x1/0xff -m connmark --mark 0x8 "
                    + "-j MARK --set-xmark 0x0/0xfffffffc"
            ),
            (
                "-A -m iprange --dst-range 10.0.0.1-10.0.0.9 -m comment --comment web -j ACCEPT",
                "-A -m iprange --dst-range 10.0.0.1-10.0.0.9 -j ACCEPT"
            ),
            (
                "-A -s 10.0.0.1/255.0.255.0 -m conntrack --ctstate NEW,RELATED -j CONNMARK "
                    + "--restore-mark --mask 0xf",
                "-A -s 10.0.0.0/255.0.255.0 -j CONNMARK --restore-mark --nfmask 0xf --ctmask 0xf"
            ),
            (
                "-A -m addrtype ! --dst-type LOCAL -j RETURN",
                "-A -m addrtype ! --dst-type LOCAL -j ACCEPT"
            ),
            ("-A -p all -j MARK --set-mark 0", "-A -j MARK --set-mark 0"),
            ("-A -4 -p tcp -j MARK --set-mark 1", "-A -p tcp -j MARK --set-mark 1"),
            ("-A -6 -p tcp -j MARK --set-mark 1", "-A -6 -p tcp -j MARK --set-mark 1"),
            (
                "-A -6 -d 2001:db8::1 -p tcp -j MARK --set-mark 1",
                "-A -d 2001:db8::1/128 -p tcp -j MARK --set-mark 1"
            ),
            (
                "-A -p tcp --dport 80:90 -m multiport ! --dports 82,85:88 -j MARK --set-mark 1",
                "-A -p tcp -m multiport --dports 80:81,83:84,89:90 -j MARK --set-mark 1"
            ),
            ("-F", "-F all"),
        ])
    func markRules(_ line: String, _ sent: String) {
        let transcript = Transcript()
        #expect(transcript.run(["mark"] + line.split(separator: " ").map(String.init)) == 0)
        #expect(transcript.table.changes == [sent])
    }

    @Test("The director's own rules are written as iptables-save writes rules, and read back")
    func savedMarkRules() throws {
        let transcript = Transcript()
        transcript.table.texts["marks"] = """
            # iptables: -A PREROUTING -j MARK --set-xmark 0x1/0xffffffff
            mark -A -d 10.8.0.1/32 -p tcp --dport 80 -j MARK --set-mark 7

            """
        #expect(transcript.run(["mark", "-S"]) == 0)
        #expect(
            transcript.output == """
                *mangle
                :PREROUTING ACCEPT [0:0]
                -A PREROUTING -d 10.8.0.1/32 -p tcp --dport 80 -j MARK --set-mark 7
                COMMIT

                """)
        let rules = try RulesFile.parse(transcript.output + "-A -f 7 -s rr\n")
        #expect(rules.count == 2)
        #expect(throws: RulesFile.Mistake.self) { try RulesFile.parse("*nat\nCOMMIT") }
        #expect(throws: RulesFile.Mistake.self) {
            try RulesFile.parse("*mangle\n-A OUTPUT -j MARK --set-mark 7\nCOMMIT")
        }
    }

    @Test(
        "What iptables knows and marking rules do not is refused by name",
        arguments: [
            ("-A -p icmpx -d 10.8.0.1 -j MARK --set-mark 1", "icmpx"),
            ("-A -d 10.8.0.1 -j MARK", "--set-mark"),
            ("-A -d 10.8.0.1", "-j MARK"),
            ("-A -m state --state ESTABLISHED -j MARK --set-mark 1", "never applies"),
            ("-A -m conntrack --ctstate DNAT -j MARK --set-mark 1", "DNAT"),
            ("-A -m addrtype --dst-type UNICAST -j MARK --set-mark 1", "UNICAST"),
            ("-A -d 10.8.0.1 ! -j MARK --set-mark 1", "'!'"),
            ("-A -p tcp --dport 80 -m multiport --dports 81,82 -j MARK --set-mark 1", "never"),
            ("-A -m mark --mark 1/1 -m mark --mark 2/2 -j MARK --set-mark 1", "two tests"),
            ("-A ! -s 10.8.0.1,10.8.0.2 -j MARK --set-mark 1", "'!'"),
            ("-A -s 10.8.0.9-10.8.0.1 -j MARK --set-mark 1", "10.8.0.9-10.8.0.1"),
            ("-A -m iprange --src-range 10.8.0.9-10.8.0.1 -j MARK --set-mark 1", "no range"),
            ("-A -d 10.8.0.1 --dport 80 -j MARK --set-mark 1", "-p tcp"),
            ("-A -p tcp -d 10.8.0.1 --dport 90:80 -j MARK --set-mark 1", "90:80"),
            ("-A -p tcp -d 10.8.0.300 -j MARK --set-mark 1", "10.8.0.300"),
            ("-A -p tcp -d 10.8.0.1/33 -j MARK --set-mark 1", "/33"),
            ("-A -p tcp -d 10.8.0.1 -m string --string x -j MARK --set-mark 1", "string"),
            ("-A -d 10.8.0.1 -j DROP", "DROP"),
            ("-A -d 10.8.0.1 -j WEB", "WEB"),
            ("-A -d", "missing argument"),
            ("-I -d 10.8.0.1 -j MARK --set-mark 1", "-I"),
        ])
    func refusedMarkRules(_ line: String, _ word: String) {
        let transcript = Transcript()
        #expect(transcript.run(["mark"] + line.split(separator: " ").map(String.init)) != 0)
        #expect(transcript.errors.contains(word))
        #expect(transcript.table.changes.isEmpty)
    }

    @Test("A dash pasted instead of a hyphen is pointed out after the original's message")
    func hyphenHint() {
        let transcript = Transcript()
        #expect(transcript.run(["\u{2013}L", "-n"]) != 0)
        #expect(transcript.errors.contains("write '-L'"))
        #expect(transcript.run(["-L", "-n", "\u{2014}stats"]) == 2)
        #expect(transcript.errors.contains("write '--stats'"))
        #expect(transcript.run(["\u{2013}Ln"]) != 0)
        #expect(transcript.errors.contains("write '-Ln'"))
        #expect(transcript.run(["-L", "foo"]) == 2)
        #expect(transcript.errors == "unexpected argument foo\n")
    }

    @Test("Help needs no director, a listing does and says which one it asked")
    func unreachable() {
        var output = ""
        var errors = ""
        let session = CommandSession(
            program: "directorctl", output: { output += $0 }, complain: { errors += $0 },
            readLine: { nil },
            connect: { () throws(DirectorUnreachable) in
                throw DirectorUnreachable(reason: "Protocol not available", advice: "at nowhere")
            })
        #expect(session.run(["-h"]) == 0)
        #expect(output.contains("Usage:"))
        #expect(session.run(["-L"]) == 2)
        #expect(errors.hasPrefix("Can't initialize ipvs: Protocol not available\n"))
        #expect(errors.hasSuffix("at nowhere\n"))
    }

    @Test("A refusal that the kernel does not know is printed with the director's own words")
    func explainedRefusal() {
        let refusal = Refusal(.notSupported, "GUE tunnels are not there yet")
        let table = RefusingTable(refusal)
        let transcript = Transcript(table: table)
        #expect(transcript.run(["-A", "-t", "10.0.0.1:80"]) == 255)
        #expect(transcript.errors.hasSuffix("by this director: GUE tunnels are not there yet\n"))
    }
}

/// A table that refuses every new service.
private final class RefusingTable: MemoryTable {
    private let refusal: Refusal

    init(_ refusal: Refusal) { self.refusal = refusal }

    override func addService(_ service: ServiceRecord) throws(Refusal) { throw refusal }
}
