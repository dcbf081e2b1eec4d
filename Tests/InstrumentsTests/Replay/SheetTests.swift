import Control
import Instruments
import LVS
import Testing

@Suite struct SheetTests {
    private static func sheet(_ text: String) throws -> Sheet {
        var sheet = Sheet()
        try sheet.read(text)
        return sheet
    }

    @Test func `Lines of ip batch are the network, and rules keep their line numbers`() throws {
        let sheet = try Self.sheet(
            """
            # a director
            link set dev cli address 02:00:00:00:01:01 mtu 1400 up
            -A -t 192.0.2.1:80 -s wrr
            address add 10.1.0.1/24 dev cli
            ip -6 addr add fd00:1::1/64 dev cli
            -a -t 192.0.2.1:80 -r 10.2.0.11:80 -m
            route add default via 10.1.0.254
            r add blackhole 10.9.0.0/16
            neigh replace 10.2.0.11 lladdr 02:00:00:00:02:0b dev srv nud permanent
            net.ipv4.vs.conn_reuse_mode = 0
            --set 100 0 30
            """)
        let network = sheet.network
        #expect(network.links.map(\.name) == ["cli", "srv"])
        #expect(network.links[0].mtu == 1400)
        #expect(network.links[0].hardware?.description == "02:00:00:00:01:01")
        #expect(network.links[1].hardware == nil)
        #expect(network.addresses.map(\.length) == [24, 64])
        #expect(network.routes.map(\.isRefusing) == [false, true])
        #expect(network.routes[0].gateway?.description == "10.1.0.254")
        #expect(network.neighbours.map(\.link) == ["srv"])
        let rules = sheet.rules.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(rules.count == 11)
        #expect(rules[2] == "-A -t 192.0.2.1:80 -s wrr")
        #expect(rules[5] == "-a -t 192.0.2.1:80 -r 10.2.0.11:80 -m")
        #expect(rules.filter { !$0.isEmpty }.count == 2)
        #expect(sheet.settings == [Sheet.Setting(name: "net.ipv4.vs.conn_reuse_mode", value: 0)])
        #expect(sheet.timeouts == Timeouts(tcp: 100, tcpFin: 0, udp: 30))
    }

    @Test func `Lines may end as on Windows`() throws {
        let sheet = try Self.sheet(
            "link set dev cli mtu 1400\r\n-A -t 192.0.2.1:80 -s wrr\r\n\r\n# no more\r\n")
        #expect(sheet.network.links.map(\.mtu) == [1400])
        #expect(try RulesFile.parse(sheet.rules).count == 1)
    }

    @Test(arguments: [
        ("link set", "name is missing"), ("link set dev cli mtu 10", "68 to 65535"),
        ("link set dev cli address 1:2:3", "a hardware address is accepted"),
        ("link set dev cli colour red", "accepted are dev, address, mtu"),
        ("link delete cli", "expected link set, add"),
        ("address add 10.1.0.1/33 dev cli", "expected ADDRESS/BITS"),
        ("address add 10.1.0.1/24", "dev INTERFACE is missing"),
        ("route add", "expected PREFIX/BITS"), ("route add 10.0.0.0/8", "is missing"),
        ("route add fe80::/129 dev cli", "PREFIX/BITS or default is accepted"),
        ("route add default via cli", "an IP address is accepted"),
        ("neighbour add 10.0.0.1 dev cli", "expected ADDRESS lladdr MAC dev"),
        ("neighbour add x lladdr 2:0:0:0:0:1 dev cli", "expected an IP address"),
        ("ip", "expected link, address, route or neighbour"),
        ("net.ipv4.vs.conn_reuse_mode = x", "is not a number"),
        ("net.ipv4.vs.no_such = 1", "there is no setting"),
        ("net.ipv4.vs.drop_entry = 9", "out of range"),
        ("--set 1 2", "three timeouts"), ("--set 1 2 4294967295", "three timeouts"),
    ])
    func `A line that cannot be followed is named, with what is accepted`(
        line: String, expected: String
    ) throws {
        var sheet = Sheet()
        do throws(Sheet.Mistake) {
            try sheet.read("# first\n" + line)
            Issue.record("'\(line)' was taken")
        } catch {
            #expect(error.line == 2)
            #expect(error.text.contains(expected), "\(error)")
            #expect(error.content == line)
        }
        #expect(sheet.network == NetworkSheet(), "a refused line changes nothing")
    }
}
