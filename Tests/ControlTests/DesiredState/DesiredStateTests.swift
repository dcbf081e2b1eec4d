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
