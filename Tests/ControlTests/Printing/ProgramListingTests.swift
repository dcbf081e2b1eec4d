import Control
import Foundation
import Testing

@Suite("Listings for programs")
struct ProgramListingTests {
    /// What a line prints, read as JSON.
    private func document(_ transcript: Transcript, _ line: String) throws -> [String: Any] {
        transcript.output = ""
        #expect(transcript.run(line.split(separator: " ").map(String.init)) == 0)
        let value = try JSONSerialization.jsonObject(with: Data(transcript.output.utf8))
        return try #require(value as? [String: Any], "\(line): \(transcript.output)")
    }

    private func prepared() -> Transcript {
        let transcript = Transcript()
        for line in [
            "-A -t 10.0.0.1:80 -s sh -b sh-port -p 60 -M 255.255.255.0",
            "-a -t 10.0.0.1:80 -r 10.0.0.11:8080 -m -w 3 -x 9 -y 4",
            "-a -t 10.0.0.1:80 -r 10.0.0.12 -i --tun-type gue --tun-port 6080 --tun-csum",
            "-A -f 7 -6 -s rr", "--start-daemon backup --mcast-interface lo --syncid 3",
        ] {
            #expect(transcript.run(line.split(separator: " ").map(String.init)) == 0, "\(line)")
        }
        return transcript
    }

    @Test(
        "The table has all keys whatever the columns",
        arguments: [
            "-L --json", "--json -Ln", "-Ln --stats --json", "-L --rate --json",
            "-L --thresholds --json", "-L --persistent-conn --json", "--json",
        ])
    func table(_ line: String) throws {
        let document = try document(prepared(), line)
        #expect(document["size"] as? Int == 4096)
        let services = try #require(document["services"] as? [[String: Any]])
        #expect(services.map { $0["scheduler"] as? String } == ["sh", "rr"])
        let web = services[0]
        #expect(web["protocol"] as? String == "tcp" && web["address"] as? String == "10.0.0.1")
        #expect(web["port"] as? Int == 80 && web["family"] as? String == "ipv4")
        #expect(web["scheduler_flags"] as? [String] == ["sh-port"])
        #expect(web["one_packet"] as? Bool == false)
        let persistence = try #require(web["persistence"] as? [String: Any])
        #expect(persistence["timeout"] as? Int == 60)
        #expect(persistence["netmask"] as? String == "255.255.255.0")
        #expect((web["stats"] as? [String: Any])?["in_bytes"] as? Int == 0)
        #expect((web["rate"] as? [String: Any])?["in_packets_per_second"] as? Int == 0)
        let servers = try #require(web["servers"] as? [[String: Any]])
        let tunnel = try #require(servers.first { $0["method"] as? String == "tunnel" })
        #expect((tunnel["tunnel"] as? [String: Any])?["port"] as? Int == 6080)
        let masqueraded = try #require(servers.first { $0["port"] as? Int == 8080 })
        #expect(masqueraded["weight"] as? Int == 3)
        #expect(masqueraded["upper_threshold"] as? Int == 9)
        #expect(masqueraded["lower_threshold"] as? Int == 4)
        #expect(services[1]["fwmark"] as? Int == 7 && services[1]["address"] == nil)
        #expect(services[1]["persistence"] == nil && services[1]["family"] as? String == "ipv6")
    }

    @Test("One service, timeouts, daemons, settings")
    func others() throws {
        let transcript = prepared()
        let one = try document(transcript, "-L -t 10.0.0.1:80 --json")
        #expect((one["services"] as? [Any])?.count == 1 && one["size"] == nil)
        let timeouts = try document(transcript, "-L --timeout --json")
        #expect(timeouts["timeouts"] as? [String: Int] == ["tcp": 900, "tcp_fin": 120, "udp": 300])
        let daemons = try document(transcript, "-L --daemon --json")
        let daemon = try #require((daemons["daemons"] as? [[String: Any]])?.first)
        #expect(daemon["state"] as? String == "backup" && daemon["syncid"] as? Int == 3)
        transcript.table.texts["settings"] = "conntrack = 0\ndrop_entry = 3\n"
        let settings = try document(transcript, "get --json")
        #expect(settings["settings"] as? [String: Int] == ["conntrack": 0, "drop_entry": 3])
        transcript.table.texts["settings"] = "sync_threshold = 3 50\n"
        let threshold = try document(transcript, "get --json")
        #expect(threshold["settings"] as? [String: String] == ["sync_threshold": "3 50"])
        let setting = try document(transcript, "get conntrack --json")
        #expect(setting["settings"] as? [String: Int] == ["conntrack": 0])
    }

    @Test("Connections, with what persistence engines know")
    func connections() throws {
        let transcript = Transcript()
        let v6 = "2001:0db8:0000:0000:0000:0000:0000:0001"
        transcript.table.texts["connections"] = """
            Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires LocalIP  LPrt PEName PEData
            TCP 0A010002 9C40 0A000001 0050 0A00000B 1F90 ESTABLISHED     899 0A000014 FFFF 
            UDP \(v6) 0001 \(v6) 0035 \(v6) 0035 UDP               5 - - sip a"b\\

            """
        let document = try document(transcript, "-Lnc --json")
        let all = try #require(document["connections"] as? [[String: Any]])
        #expect(all.count == 2)
        #expect(all[0]["protocol"] as? String == "tcp" && all[0]["expires"] as? Int == 899)
        let client = try #require(all[0]["client"] as? [String: Any])
        #expect(client["address"] as? String == "10.1.0.2" && client["port"] as? Int == 40000)
        #expect((all[1]["server"] as? [String: Any])?["address"] as? String == "2001:db8::1")
        let local = try #require(all[0]["local"] as? [String: Any])
        #expect(local["address"] as? String == "10.0.0.20" && local["port"] as? Int == 65535)
        #expect(all[0]["engine"] == nil && all[1]["local"] == nil)
        #expect(all[1]["engine"] as? String == "sip")
        #expect(all[1]["engine_data"] as? String == "a\"b\\")
        transcript.table.texts["connections"] = "Pro FromIP\n"
        #expect((try self.document(transcript, "-Lc --json")["connections"] as? [Any])?.count == 0)
    }

    @Test("FULLNAT, what its services ask for, and local addresses")
    func fullNAT() throws {
        let transcript = prepared()
        for line in [
            "-E -t 10.0.0.1:80 -s sh --toa syn --no-timestamps",
            "-a -t 10.0.0.1:80 -r 10.0.0.13:80 --fullnat", "-P -t 10.0.0.1:80 -z 10.0.0.20-21",
            "-E -f 7 -6 -s rr --proxy-protocol v2", "-P -f 7 -6 -z fd00::1",
        ] {
            let status = transcript.run(line.split(separator: " ").map(String.init))
            #expect(status == 0, "\(line): \(transcript.errors)")
        }
        transcript.table.listed[1].locals[1].takenPorts = 9
        transcript.table.listed[1].locals[1].refused = 4
        let table = try #require(
            try document(transcript, "-Ln --json")["services"] as? [[String: Any]])
        #expect(table.map { $0["fwmark"] as? Int } == [nil, 7])
        let web = try #require(table[0]["fullnat"] as? [String: Any])
        #expect(web["toa"] as? String == "syn" && web["proxy_protocol"] == nil)
        #expect(web["new_isn"] as? Bool == false && web["no_timestamps"] as? Bool == true)
        let mark = try #require(table[1]["fullnat"] as? [String: Any])
        #expect(mark["proxy_protocol"] as? String == "v2" && mark["toa"] == nil)
        let servers = try #require(table[0]["servers"] as? [[String: Any]])
        #expect(servers.filter { $0["method"] as? String == "fullnat" }.count == 1)
        let locals = try #require(
            try document(transcript, "-G --json")["services"] as? [[String: Any]])
        #expect(locals.map { $0["port"] as? Int } == [80, nil])
        for listing in [table, locals] {
            let all = try #require(listing[0]["local_addresses"] as? [[String: Any]])
            #expect(all.map { $0["address"] as? String } == ["10.0.0.20", "10.0.0.21"])
            #expect(all.map { $0["taken_ports"] as? Int } == [0, 9])
            #expect(all.map { $0["refused_connections"] as? Int } == [0, 4])
        }
    }

    @Test("Lines that list nothing do not know these options")
    func elsewhere() {
        let transcript = prepared()
        #expect(transcript.run(["-C", "--json"]) == 255)
        #expect(transcript.errors.contains("--json: unknown option"))
        #expect(transcript.run(["set", "conntrack=1", "--json"]) == 2)
    }
}

@Suite("A listing again and again")
struct WatchTests {
    private func table() throws -> MemoryTable {
        let transcript = Transcript()
        #expect(
            transcript.run("-A -t 10.0.0.1:80 -s rr".split(separator: " ").map(String.init)) == 0)
        #expect(
            transcript.run(
                "-a -t 10.0.0.1:80 -r 10.0.0.11 -m".split(separator: " ").map(String.init))
                == 0)
        return transcript.table
    }

    @Test("Rates are those since the last time")
    func rates() throws {
        let table = try table()
        let seen = SteppedSession.run("-Ln --watch 2 --count 2", on: table) { _ in
            var statistics = StatisticsRecord()
            statistics.connections = 20
            statistics.inPackets = 3_000_000
            statistics.outBytes = 4096
            table.listed[0].service.statistics = statistics
        }
        #expect(seen.status == 0 && seen.errors == "")
        let rows = seen.output.split(separator: "\n").filter { $0.hasPrefix("TCP") }
        let values = rows.map { $0.split(separator: " ").dropFirst(3).map(String.init) }
        #expect(
            values == [
                ["0", "0", "0", "0", "0", "0", "0"], ["0", "0", "10", "1500k", "0", "0", "2048"],
            ])
    }

    @Test("Any listing can be shown again; a terminal is filled and not left")
    func terminal() throws {
        let table = try table()
        let seen = SteppedSession.run("-L --timeout --watch=1 --count=3", on: table)
        #expect(
            seen.output.split(separator: "\n").count == 3 && !seen.output.contains("\u{1b}"))
        let shown = SteppedSession.run("-Ln --watch 1 --count 2", on: table, size: (4, 30))
        #expect(shown.output.hasPrefix("\u{1b}[2J\u{1b}[H"))
        #expect(shown.output.contains("... and 3 lines more"))
        let longest = shown.output.split(whereSeparator: \.isNewline).map { line in
            line.split(separator: "\u{1b}").map { $0.count }.max() ?? 0
        }
        #expect(longest.max() ?? 0 <= 33, "\(longest)")
    }

    @Test(
        "What is no time or number is refused",
        arguments: [
            "-L --watch", "-L --watch 0", "-L --watch x", "-L --count 2", "-L --watch 1 --count 0",
        ]
    )
    func refused(_ line: String) throws {
        let seen = SteppedSession.run(line, on: try table())
        #expect(seen.status != 0 && !seen.errors.isEmpty && seen.output.isEmpty, "\(seen)")
    }
}
