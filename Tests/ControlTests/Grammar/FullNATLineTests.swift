import Control
import LVS
import Testing

@Suite("Command lines of FULLNAT")
struct FullNATLineTests {
    private func run(_ transcript: Transcript, _ line: String) -> Int32 {
        transcript.run(line.split(separator: " ").map(String.init))
    }

    /// A table that holds a service of each family and a service by mark.
    private func prepared() -> Transcript {
        let transcript = Transcript()
        for line in [
            "-A -t 10.0.0.1:80 -s rr", "-A -t [2001:db8::1]:80 -s rr", "-A -u 10.0.0.1:53 -s rr",
            "-A -f 7 -s rr",
        ] {
            #expect(run(transcript, line) == 0, "\(line): \(transcript.errors)")
        }
        return transcript
    }

    @Test(
        "Local addresses are one, a range or a network",
        arguments: [
            ("10.0.0.10", ["10.0.0.10"]),
            ("10.0.0.10-10.0.0.12", ["10.0.0.10", "10.0.0.11", "10.0.0.12"]),
            ("10.0.0.10-12", ["10.0.0.10", "10.0.0.11", "10.0.0.12"]),
            ("10.0.0.255-10.0.1.1", ["10.0.0.255", "10.0.1.0", "10.0.1.1"]),
            ("10.0.0.8/30", ["10.0.0.9", "10.0.0.10"]),
            ("10.0.0.8/31", ["10.0.0.8", "10.0.0.9"]), ("10.0.0.8/32", ["10.0.0.8"]),
            ("fd00::10", ["fd00::10"]), ("fd00::f-11", ["fd00::f", "fd00::10", "fd00::11"]),
            (
                "fd00::ffff:ffff:ffff:ffff-fd00:0:0:1::",
                [
                    "fd00::ffff:ffff:ffff:ffff", "fd00:0:0:1::",
                ]
            ), ("fd00::10/127", ["fd00::10", "fd00::11"]),
        ])
    func ranges(_ word: String, _ addresses: [String]) {
        let transcript = prepared()
        for option in [
            "-z \(word)", "-z\(word)", "-z=\(word)", "--laddr \(word)", "--laddr=\(word)",
        ] {
            #expect(run(transcript, "-P -t [2001:db8::1]:80 \(option)") == 0, "\(option)")
            let service = transcript.table.listed.first { !$0.locals.isEmpty }
            #expect(service?.locals.map(\.address.description) == addresses, "\(option)")
            #expect(run(transcript, "-Q -t [2001:db8::1]:80 \(option)") == 0, "\(option)")
            #expect(transcript.table.listed.allSatisfy { $0.locals.isEmpty }, "\(option)")
        }
    }

    @Test("The widest ranges have 1,024 addresses")
    func widest() {
        let transcript = prepared()
        #expect(run(transcript, "-P -f 7 -z 10.4.0.0-10.4.3.255") == 0)
        #expect(run(transcript, "-P -f 7 -z 10.8.0.0/22") == 0)
        let locals = transcript.table.listed.first { !$0.locals.isEmpty }?.locals ?? []
        #expect(locals.count == 1024 + 1022)
        #expect(Set(locals.map(\.address)).count == locals.count)
    }

    @Test(
        "What is no range of at most 1,024 addresses is refused and says what is accepted",
        arguments: [
            "10.0.0", "10.0.0.256", "localhost", "10.0.0.1-", "-10.0.0.1", "10.0.0.9-10.0.0.8",
            "10.0.0.9-8", "10.0.0.1-256", "10.0.0.1-+9", "10.0.0.1-fd00::1", "fd00::1-10.0.0.1",
            "10.0.0.0-10.0.4.0", "10.0.0.0/21", "10.0.0.9/29", "10.0.0.0/33", "10.0.0.0/", "/24",
            "fd00::/117", "fd00::1-10000", "fd00::1-0", "::ffff:10.0.0.1", "::ffff:10.0.0.1-9",
            "0/0", "1-2-3", "-", "fd00::/-1", "10.0.0.1/29/1",
        ])
    func badRanges(_ word: String) {
        let transcript = prepared()
        #expect(transcript.run(["-P", "-t", "10.0.0.1:80", "-z", word]) == 2)
        #expect(
            transcript.errors.hasPrefix("illegal local address `\(word)' specified; accepted are "),
            "\(transcript.errors)")
        #expect(transcript.table.listed.allSatisfy { $0.locals.isEmpty })
    }

    @Test(
        "A refused line says what was wrong and changes nothing",
        arguments: [
            ("-P -t 10.0.0.1:80", 2, "You need to supply the 'laddr' option"),
            ("-Q -z 10.0.0.3", 2, "You need to supply the 'service-address' option"),
            ("-P -t 10.0.0.1:80 -z 10.0.0.3 -z 10.0.0.4", 2, "multiple 'laddr' options specified"),
            ("-P -t 10.0.0.1:80 -z 10.0.0.3 -r 10.0.0.4", 2, "Illegal 'real-server' option"),
            ("-P -t 10.0.0.2:80 -z 10.0.0.3", 255, "Service not defined"),
            ("-Q -t 10.0.0.2:80 -z 10.0.0.3", 255, "Service not defined"),
            ("-Q -t 10.0.0.1:80 -z 10.0.0.3", 255, "No such local address\n10.0.0.3"),
            ("-P -t 10.0.0.1:80 -z 10.0.0.3-5", 255, "Local address already exists\n10.0.0.4"),
            ("-P -t 10.0.0.1:80 -z 224.0.0.1", 255, "Illegal local address\n224.0.0.1"),
            ("-P -t 10.0.0.1:80 -z fd00::1", 2, "only for IPv6 virtual services"),
            ("-P -f 7 -z fd00::1", 2, "only for IPv6 virtual services"),
            ("-G -t 10.0.0.2:80", 1, "No such service"),
            ("-G -z 10.0.0.3", 255, "-z: unknown option"),
            ("-L -z 10.0.0.3", 255, "-z: unknown option"),
            ("-Z --laddr 10.0.0.3", 255, "--laddr: unknown option"),
            ("-a -t 10.0.0.1:80 -r 10.0.0.3 --fullnat -m", 2, "multiple 'forwarding-method'"),
            (
                "-a -t 10.0.0.1:80 -r 10.0.0.3 --fullnat --tun-type gue", 2,
                "Tunnel options conflict"
            ),
            ("-a -t 10.0.0.1:80 -r [fd00::3]:80 --fullnat", 2, "Different address family"),
            ("-a -t [2001:db8::1]:80 -r 10.0.0.3:80 -m", 2, "Different address family"),
            ("-d -t 10.0.0.1:80 -r 10.0.0.3 --fullnat", 2, "Illegal 'forwarding-method' option"),
            ("-A -t 10.0.0.3:80 --toa", 255, "--toa: missing argument"),
            ("-A -t 10.0.0.3:80 --toa both", 2, "illegal toa `both' specified; accepted are ack"),
            ("-A -t 10.0.0.3:80 --proxy-protocol 1", 2, "illegal proxy-protocol `1' specified"),
            ("-A -t 10.0.0.3:80 --toa ack --proxy-protocol v1", 2, "'proxy-protocol' conflicts"),
            ("-E -f 7 --proxy-protocol v2 --toa syn", 2, "in the 'edit-service' command"),
            ("-A -u 10.0.0.3:80 --new-isn", 2, "only for TCP virtual services"),
            ("-A --sctp-service 10.0.0.3:80 --toa ack", 2, "only for TCP virtual services"),
            ("-a -t 10.0.0.1:80 -r 10.0.0.3 --toa ack", 2, "Illegal 'toa' option"),
        ])
    func refused(_ line: String, _ status: Int32, _ text: String) {
        let transcript = prepared()
        #expect(run(transcript, "-P -t 10.0.0.1:80 -z 10.0.0.4") == 0)
        #expect(run(transcript, "-Sn") == 0)
        let before = transcript.output
        #expect(run(transcript, line) == status, "\(transcript.errors)")
        #expect(transcript.errors.contains(text), "\(transcript.errors)")
        #expect(run(transcript, "-Sn") == 0)
        #expect(transcript.output == before)
    }

    /// What `-S` writes of a table with everything that FULLNAT has.
    private static let saved = """
        -A -t 10.0.0.1:80 -s rr --toa ack --new-isn --no-timestamps
        -P -t 10.0.0.1:80 -z 10.0.0.20
        -P -t 10.0.0.1:80 -z 10.0.0.10
        -a -t 10.0.0.1:80 -r 10.0.0.11:8080 --fullnat -w 3
        -a -t 10.0.0.1:80 -r 10.0.0.12:80 -m -w 1
        -A -t [2001:db8::1]:443 -s wlc -p 60 --proxy-protocol v2
        -P -t [2001:db8::1]:443 -z 10.0.0.10
        -P -t [2001:db8::1]:443 -z fd00::10
        -a -t [2001:db8::1]:443 -r 10.0.0.13:443 --fullnat -w 1
        -A -f 7 -s rr --toa syn
        -A -f 8 -6 -s rr --proxy-protocol v1

        """

    @Test("What is saved restores to what was saved, local addresses before or behind the servers")
    func roundTrip() {
        let lines = Self.saved.split(separator: "\n")
        let isLocal = { (line: Substring) in line.hasPrefix("-P") }
        let behind = lines.filter { !isLocal($0) } + lines.filter(isLocal)
        for text in [lines, behind] {
            let transcript = Transcript()
            #expect(transcript.run(["-R"], input: text.joined(separator: "\n") + "\n") == 0)
            #expect(transcript.errors == "")
            #expect(run(transcript, "-Sn") == 0)
            #expect(transcript.output == Self.saved)
        }
    }

    @Test("An edit without the options of FULLNAT turns them off")
    func edit() {
        let transcript = prepared()
        #expect(run(transcript, "-E -t 10.0.0.1:80 -s rr --toa syn") == 0)
        #expect(run(transcript, "-L -n -t 10.0.0.1:80") == 0)
        #expect(transcript.output.contains("TCP  10.0.0.1:80 rr toa syn\n"))
        #expect(run(transcript, "-E -t 10.0.0.1:80 -s rr") == 0)
        #expect(run(transcript, "-L -n -t 10.0.0.1:80") == 0)
        #expect(transcript.output.contains("TCP  10.0.0.1:80 rr\n"))
    }

    @Test("Servers with FULLNAT are listed as such in the column of the others")
    func listing() {
        let transcript = prepared()
        #expect(run(transcript, "-a -t 10.0.0.1:80 -r 10.0.0.11 --fullnat") == 0)
        #expect(run(transcript, "-a -t 10.0.0.1:80 -r 10.0.0.12 -m") == 0)
        #expect(run(transcript, "-L -n -t 10.0.0.1:80") == 0)
        #expect(
            transcript.output == """
                Prot LocalAddress:Port Scheduler Flags
                  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
                TCP  10.0.0.1:80 rr
                  -> 10.0.0.11:80                 FullNat 1      0          0         
                  -> 10.0.0.12:80                 Masq    1      0          0         

                """)
    }

    @Test("Local addresses are listed for one service or all that have some")
    func locals() {
        let transcript = prepared()
        #expect(run(transcript, "-P -t 10.0.0.1:80 -z 10.0.0.20") == 0)
        #expect(run(transcript, "-P -t 10.0.0.1:80 -z 10.0.0.10") == 0)
        #expect(run(transcript, "-P -f 7 -z 10.0.0.10") == 0)
        let place = transcript.table.listed.firstIndex { $0.locals.count == 2 } ?? 0
        transcript.table.listed[place].locals[1].takenPorts = 64512
        transcript.table.listed[place].locals[1].refused = 5
        let header = "VIP:VPORT            TOTAL    SNAT_IP              CONFLICTS  CONNS\n"
        let web = """
            10.0.0.1:80          2
                                          10.0.0.20            0          0
                                          10.0.0.10            5          64512

            """
        #expect(run(transcript, "-G -n -t 10.0.0.1:80") == 0)
        #expect(transcript.output == header + web)
        #expect(run(transcript, "-Gn") == 0)
        #expect(
            transcript.output == header + web
                + """
                FWM 7                1
                                              10.0.0.10            0          0

                """)
        #expect(run(transcript, "--get-laddr -n -u 10.0.0.1:53") == 0)
        #expect(transcript.output == header)
    }
}
