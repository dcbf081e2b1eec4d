import LVS
import PacketIO
import Posix
import Testing

@Suite(
    .serialized,
    .enabled(if: TestNamespace.available, "needs root: makes network namespaces"))
struct HostMarksTests {
    private let place: TestNamespace
    private let marks: HostMarks
    private static let second: UInt64 = 1_000_000_000

    init() throws {
        let place = try TestNamespace("marks")
        marks = try place.inside { HostMarks() }
        self.place = place
    }

    private func isDue(_ seconds: UInt64) throws -> Bool {
        try place.inside { marks.isDue(seconds * Self.second) }
    }

    private func read(_ seconds: UInt64) throws -> HostMarks.Reading {
        try place.inside { marks.read(seconds * Self.second) }
    }

    @Test("The tables of nftables are read at first and after each change, of both families")
    func changes() throws {
        #expect(try isDue(1))
        let empty = try read(1)
        #expect(empty.troubles == [])
        #expect(empty.tables.map(\.origin) == ["iptables", "ip6tables"])
        #expect(empty.tables.allSatisfy { !$0.saved.contains("-A ") })
        #expect(try !isDue(100))
        try place.run("iptables-nft -t mangle -A PREROUTING -p tcp -j MARK --set-mark 7")
        #expect(try isDue(100))
        #expect(try read(100).tables[0].saved.contains("-A PREROUTING -p tcp -j MARK"))
        #expect(try !isDue(200))
        try place.run("ip6tables-nft -t mangle -A PREROUTING -p udp -j MARK --set-mark 8")
        #expect(try isDue(200))
        let both = try read(200)
        #expect(both.tables[1].family == .v6)
        #expect(both.tables[1].saved.contains("-A PREROUTING -p udp -j MARK"))
        try place.run("iptables-nft -t mangle -F")
        #expect(try !isDue(200), "not at once again")
        #expect(try isDue(201))
    }

    @Test("What the director itself does to nftables is no reason to read")
    func ownTable() throws {
        _ = try isDue(1)
        _ = try read(1)
        try place.run(
            "nft add table netdev director; nft add set netdev director s { type ipv4_addr \\; }")
        #expect(try !isDue(100))
    }

    @Test("Older tables are read while there are any, from time to time")
    func legacy() throws {
        guard place.status("iptables-legacy -t mangle -L") == 0 else {
            print("not tested: this kernel has no ip_tables")
            return
        }
        _ = try isDue(1)
        let first = try read(1)
        #expect(first.tables.map(\.origin) == ["iptables", "iptables-legacy", "ip6tables"])
        #expect(try !isDue(2))
        #expect(try isDue(3))
        try place.run("iptables-legacy -t mangle -A PREROUTING -p tcp -j MARK --set-mark 7")
        let second = try read(3)
        #expect(second.tables[1].saved.contains("-A PREROUTING -p tcp -j MARK"))
        #expect(second != first)
    }

    @Test("A program's output is taken whole, and what goes wrong is said")
    func programs() throws {
        #expect(ChildProgram.find("no-such-program") == nil)
        let shell = try #require(ChildProgram.find("sh"))
        #expect(try ChildProgram.output(of: shell, ["-c", "echo one; echo two"]) == "one\ntwo\n")
        for (script, code) in [("exit 3", 5), ("sleep 20", 110), ("yes", 27)] as [(String, Int32)] {
            let error = #expect(throws: SystemError.self) {
                try ChildProgram.output(
                    of: shell, ["-c", script], capacity: 4096, milliseconds: 300)
            }
            #expect(error?.code == code, "\(script)")
        }
        let missing = #expect(throws: SystemError.self) {
            try ChildProgram.output(of: "/no/such/program", [])
        }
        #expect(missing?.code == 2)
    }
}
