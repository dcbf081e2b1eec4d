import Control
import LVS
import Testing

@Suite("The way from one set of rules to another")
struct DesiredStateTests {
    private let web = ServiceKey.address(.tcp, IPAddress(v4: 0x0a01_0064), port: 80)
    private let mail = ServiceKey.address(.tcp, IPAddress(v4: 0x0a01_0064), port: 25)

    private func rules(_ text: String) throws -> [Rule] { try RulesFile.parse(text) }

    private func server(_ last: UInt32, weight: Int32 = 1) -> RealServer {
        RealServer(
            address: IPAddress(v4: 0x0a02_0000 + last), port: 80, method: .masquerading,
            weight: weight)
    }

    @Test("From nothing, every rule is added in its order")
    func fromNothing() throws {
        let new = try rules(
            """
            -A -t 10.1.0.100:80 -s rr
            -a -t 10.1.0.100:80 -r 10.2.0.11 -m
            """)
        #expect(
            DesiredState.difference([], new) == [
                .addService(VirtualService(key: web, scheduler: "rr")),
                .addServer(web, server(11)),
            ])
    }

    @Test("Marking rules are rules: read, added, kept and removed like others")
    func markRules() throws {
        let both = try rules(
            """
            mark -A -p tcp -d 10.1.0.100 --dport 80 -j MARK --set-mark 7
            -A -f 7 -s rr
            """)
        let old = try rules("mark -A -d 10.1.0.101 -j MARK --set-mark 7\n-A -f 7 -s rr")
        guard case .addMark(let new) = both[0], case .addMark = old[0] else {
            Issue.record("no marking rules")
            return
        }
        #expect(new.mark == 7 && new.destinationPorts == [80...80])
        #expect(DesiredState.difference(both, both).isEmpty)
        #expect(DesiredState.difference(old, both) == [.setMarks([new])])
        let byHand = try rules("mark -A -d 10.1.0.102 -j MARK --set-mark 8")
        guard case .addMark(let other) = byHand[0] else { return }
        #expect(
            DesiredState.difference(old, both, present: byHand + old) == [.setMarks([new, other])])
        #expect(throws: RulesFile.Mistake.self) { try rules("mark -L") }
        #expect(throws: RulesFile.Mistake.self) { try rules("mark -A -d 10.1.0.101") }
    }

    private func local(_ last: UInt32) -> IPAddress { IPAddress(v4: 0x0a02_0000 + last) }

    @Test("Local addresses are set with one step when they or their order change, and else left")
    func localAddresses() throws {
        let service = "-A -t 10.1.0.100:80 -s rr\n"
        let old = try rules(service + "-P -t 10.1.0.100:80 -z 10.2.0.20-22")
        #expect(
            old == [
                .addService(VirtualService(key: web, scheduler: "rr")), .addLocal(web, local(20)),
                .addLocal(web, local(21)), .addLocal(web, local(22)),
            ])
        #expect(
            DesiredState.difference([], old) == [
                .addService(VirtualService(key: web, scheduler: "rr")),
                .setLocals(web, [local(20), local(21), local(22)]),
            ])
        #expect(DesiredState.difference(old, old).isEmpty)
        let moved = try rules(
            service + "-P -t 10.1.0.100:80 -z 10.2.0.22\n-P -t 10.1.0.100:80 -z 10.2.0.20")
        #expect(
            DesiredState.difference(old, moved) == [.setLocals(web, [local(22), local(20)])])
        // What was added by hand stays, behind the rules' own.
        let table = old + [.addLocal(web, local(99))]
        #expect(DesiredState.difference(old, old, present: table).isEmpty)
        #expect(
            DesiredState.difference(old, moved, present: table)
                == [.setLocals(web, [local(22), local(20), local(99)])])
        #expect(
            DesiredState.difference(old, try rules(service), present: table)
                == [.setLocals(web, [local(99)])])
        // One that was taken by hand comes back; those of a service that goes are gone with it.
        #expect(
            DesiredState.difference(old, old, present: Array(table.dropLast(2)))
                == [.setLocals(web, [local(20), local(21), local(22)])])
        #expect(DesiredState.difference(old, [], present: table) == [.deleteService(web)])
    }

    @Test("A service that asks for something else at its servers with FULLNAT is edited")
    func fullNATOptions() throws {
        let old = try rules("-A -t 10.1.0.100:80 -s rr --toa ack")
        let new = try rules("-A -t 10.1.0.100:80 -s rr --proxy-protocol v2 --new-isn")
        var options = FullNATOptions()
        options.clientAddress = .proxyV2
        options.startsSequenceAnew = true
        #expect(
            DesiredState.difference(old, new)
                == [.editService(VirtualService(key: web, scheduler: "rr", fullNAT: options))])
        let server = "-A -t 10.1.0.100:80 -s rr\n-a -t 10.1.0.100:80 -r 10.2.0.11 "
        var hidden = self.server(11)
        hidden.method = .fullNAT
        #expect(
            DesiredState.difference(try rules(server + "-m"), try rules(server + "--fullnat"))
                == [.editServer(web, hidden)])
    }

    @Test("The same rules again change nothing")
    func sameAgain() throws {
        let both = try rules("-A -t 10.1.0.100:80 -s rr\n-a -t 10.1.0.100:80 -r 10.2.0.11 -m")
        #expect(DesiredState.difference(both, both).isEmpty)
    }

    @Test("What differs is edited, what is gone is removed, what is new is added")
    func changes() throws {
        let old = try rules(
            """
            -A -t 10.1.0.100:80 -s rr
            -a -t 10.1.0.100:80 -r 10.2.0.11 -m
            -a -t 10.1.0.100:80 -r 10.2.0.12 -m
            -A -t 10.1.0.100:25 -s rr
            -a -t 10.1.0.100:25 -r 10.2.0.13 -m
            """)
        let new = try rules(
            """
            -A -t 10.1.0.100:80 -s wlc
            -a -t 10.1.0.100:80 -r 10.2.0.11 -m -w 0
            -a -t 10.1.0.100:80 -r 10.2.0.14 -m
            """)
        #expect(
            DesiredState.difference(old, new) == [
                .deleteServer(web, IPAddress(v4: 0x0a02_000c), port: 80),
                .deleteService(mail),
                .editService(VirtualService(key: web, scheduler: "wlc")),
                .editServer(web, server(11, weight: 0)),
                .addServer(web, server(14)),
            ])
    }

    @Test("What the table lost or got by other ways is put right, what it alone has stays")
    func presentTable() throws {
        let old = try rules("-A -t 10.1.0.100:80 -s rr\n-a -t 10.1.0.100:80 -r 10.2.0.11 -m")
        var present = VirtualService(key: web, scheduler: "rr")
        present.flags = .hashed
        let table: [Rule] = [
            .addService(present), .addServer(web, server(11, weight: 5)),
            .addServer(web, server(99)), .addService(VirtualService(key: mail, scheduler: "rr")),
        ]
        #expect(
            DesiredState.difference(old, old, present: table) == [.editServer(web, server(11))])
        #expect(
            DesiredState.difference(old, [], present: table) == [.deleteService(web)])
        #expect(DesiredState.difference(old, [], present: []).isEmpty)
    }
}
