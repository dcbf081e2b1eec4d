import Foundation
import LVS
import PacketIO
import Posix
import TestKit
import Testing

@Suite struct QueueRangeTests {
    @Test func oneQueueOrARangeIsRead() throws {
        #expect(try QueueRange("0") == QueueRange("0-0"))
        let range = try QueueRange("7-10")
        #expect(range.first == 7)
        #expect(range.count == 4)
        #expect(try QueueRange("65535").first == 65535)
    }

    @Test(arguments: ["", "-", "x", "1-", "-1", "3-1", "0-16", "65536", "1-2-3", "+1", " 1", "0x1"])
    func anythingElseIsRefusedWithWhatIsAccepted(text: String) {
        let error = #expect(throws: DriverError.self) { try QueueRange(text) }
        #expect(error?.code == .badArgument)
        #expect(error?.description.contains("0 to 65535") == true)
    }

    @Test func aQueueServesAllInterfacesAndStandsAlone() throws {
        #expect(try DriverRegistry.interfaces(["nfqueue:0-3"]) == [])
        #expect(DriverRegistry.text(for: "eth1", at: 1, of: ["nfqueue:0-3"]) == "nfqueue:0-3:eth1")
        #expect(try DriverRegistry.interfaces(["eth0", "xdp:eth1"]) == ["eth0", "eth1"])
        #expect(DriverRegistry.text(for: "eth1", at: 1, of: ["eth0", "xdp:eth1"]) == "xdp:eth1")
        let error = #expect(throws: DriverError.self) {
            try DriverRegistry.interfaces(["eth0", "nfqueue:0"])
        }
        #expect(error?.description.contains("name no other beside it (eth0)") == true)
    }

    @Test func eachWorkerNeedsAQueue() {
        var options = DriverRegistry.Options()
        options.workers = 2
        let error = #expect(throws: DriverError.self) {
            try DriverRegistry.open("nfqueue:4:eth0", port: 0, options: options)
        }
        #expect(error?.description.contains("write nfqueue:4-5 or --workers 1") == true)
        options.workers = 1
        options.answersAddresses = true
        let other = #expect(throws: DriverError.self) {
            try DriverRegistry.open("nfqueue:4:eth0", port: 0, options: options)
        }
        #expect(other?.description.contains("--answer does not work") == true)
    }
}

@Suite(.serialized, .enabled(if: TestNetwork.isPossible, "needs root and ip"))
struct QueueRulesTests {
    private func tables(_ lab: QueueLab) throws -> [Substring] {
        try lab.run("nft list tables").split(separator: "\n").filter { $0.contains("director") }
    }

    /// Whether a first packet to this port of the virtual address comes to the queue.
    private func comes(_ lab: QueueLab, port: UInt16) -> Bool {
        lab.send(lab.request().tcp(from: 4000, to: port, flags: 2), by: lab.client)
        // Either it comes, or the host resets.
        var burst = Burst()
        let end = MonotonicClock.now() + 1_000_000_000
        while MonotonicClock.now() < end {
            if lab.drivers[0].receive(into: &burst) > 0 {
                burst[0].verdict = .drop(.noServer)
                lab.finish(&burst)
                return true
            }
            if !lab.arrived(1, at: lab.client, within: 5_000_000).isEmpty { return false }
        }
        Issue.record("neither the queue nor the host got it")
        return false
    }

    private func served(_ ports: UInt16...) -> ServedTraffic {
        var served = ServedTraffic()
        served.services = Set(
            ports.map { .init(address: QueueLab.vip, transport: .tcp, port: $0) })
        return served
    }

    @Test func rulesLeadJustWhatIsServed() throws {
        let lab = try QueueLab(served: nil)
        #expect(try tables(lab).isEmpty)
        #expect(!comes(lab, port: 80))
        try lab.rules.widen(by: served(80))
        #expect(try tables(lab) == ["table ip director", "table ip6 director"])
        #expect(comes(lab, port: 80))
        #expect(!comes(lab, port: 81))
        try lab.rules.widen(by: served(81))
        #expect(comes(lab, port: 80))
        #expect(comes(lab, port: 81))
        try lab.rules.update(served(81))
        #expect(!comes(lab, port: 80))
        #expect(comes(lab, port: 81))
        // Every port, and what marking rules say only roughly.
        var every = served(0)
        every.blocks = [
            .init(
                network: .init(address: QueueLab.vip, length: 32), transport: .tcp, ports: 1...9)
        ]
        try lab.rules.update(every)
        #expect(comes(lab, port: 7000))
        every.services = []
        try lab.rules.update(every)
        #expect(!comes(lab, port: 7000))
        #expect(comes(lab, port: 9))
        try lab.rules.remove()
        #expect(try tables(lab).isEmpty)
        #expect(!comes(lab, port: 9))
    }

    @Test func rulesThatSomebodyFlushedStandAgain() throws {
        let lab = try QueueLab(served: served(80))
        let rules = RulesBox(lab.rules)
        #expect(try !lab.rules.keep())
        try lab.run("nft flush ruleset")
        #expect(!comes(lab, port: 80))
        #expect(try TestNetwork.inside(lab.inside) { try rules.rules.keep() })
        #expect(comes(lab, port: 80))
        #expect(try !lab.rules.keep())
    }

    private struct RulesBox: @unchecked Sendable {
        var rules: QueueRules
        init(_ rules: QueueRules) { self.rules = rules }
    }

    /// The rules of a director that was killed stay; until the next one has its own, what is not
    /// served yet goes nowhere, and the host does not reset it.
    @Test func rulesOfAKilledDirectorAreTakenOver() throws {
        let lab = try QueueLab(served: served(80))
        let queues = lab.queues
        let next = try TestNetwork.inside(lab.inside) { RulesBox(try QueueRules(queues)) }
        var burst = Burst()
        lab.send(lab.request().tcp(from: 4000, to: 80, flags: 2), by: lab.client)
        try lab.take(into: &burst)
        #expect(burst[0].verdict == .pass)
        lab.finish(&burst)
        #expect(lab.arrived(1, at: lab.client, within: 50_000_000).isEmpty)
        try next.rules.update(served(81))
        #expect(!comes(lab, port: 80))
        #expect(comes(lab, port: 81))
        #expect(
            try TestNetwork.inside(lab.inside) { try QueueRules.clean() } == [
                QueueRules.description
            ])
        #expect(try TestNetwork.inside(lab.inside) { try QueueRules.clean() }.isEmpty)
        #expect(try tables(lab).isEmpty)
    }

    /// The host is 10.1.0.1, and nobody 10.1.0.200.
    @Test(arguments: [true, false])
    func repliesToLocalAddressesComeWhoeverHasThem(_ forwards: Bool) throws {
        let lab = try QueueLab(forwards: forwards, served: QueueLab.served)
        let comes = { (address: String, port: UInt16) -> Bool in
            var builder = lab.reply()
            builder.destination = QueueLab.address(address)
            lab.send(builder.tcp(from: port, to: 40000, flags: 0x12), by: lab.server)
            var burst = Burst()
            let end = MonotonicClock.now() + 200_000_000
            while MonotonicClock.now() < end {
                guard lab.drivers[0].receive(into: &burst) > 0 else { continue }
                burst[0].verdict = .drop(.noServer)
                lab.finish(&burst)
                return true
            }
            return false
        }
        #expect(!comes("10.1.0.1", 80))
        var more = ServedTraffic()
        more.locals = ["10.1.0.1", "10.1.0.200"].map(QueueLab.address).reduce(into: []) {
            $0.insert($1)
        }
        try lab.rules.widen(by: more)
        for address in ["10.1.0.1", "10.1.0.200"] {
            #expect(comes(address, 80), "\(address)")
            #expect(!comes(address, 81), "\(address)")
        }
        var exact = QueueLab.served
        exact.locals = more.locals
        try lab.rules.update(exact)
        #expect(comes("10.1.0.1", 80))
        try lab.rules.update(QueueLab.served)
        #expect(!comes("10.1.0.1", 80))
    }

    /// Chains of these names that say something else give way.
    @Test func strangeTablesOfTheNameAreReplaced() throws {
        let network = TestNetwork()
        let inside = try network.addNamespace("d")
        try TestNetwork.run("ip netns exec \(inside) nft add table ip director")
        try TestNetwork.run(
            "ip netns exec \(inside) nft 'add set ip director services4 { type mark; }'")
        let served = served(80)
        try TestNetwork.inside(inside) {
            let commons = NFQueueCommons()
            commons.use(try QueueRange("3"))
            let rules = try QueueRules(commons)
            try rules.update(served)
        }
        let list = try TestNetwork.run("ip netns exec \(inside) nft list chain ip director queue3")
        let rules = list.split(separator: "\n").filter { $0.contains("ueue") && !$0.contains("{") }
        #expect(rules.count == 1, "\(list)")
    }

    /// Both directions of a flow meet one worker, flows are shared out, fragments go to the first.
    @Test func withSeveralQueuesAFlowKeepsToOne() throws {
        let lab = try QueueLab(served: nil)
        let inside = lab.inside
        let (queues, rules) = try TestNetwork.inside(inside) {
            let commons = NFQueueCommons()
            commons.use(try QueueRange("1-2"))
            let queues = try (0..<2).map {
                try NFQueueDriver(interface: "d0", port: 0, worker: $0, commons: commons)
            }
            commons.followForwarding()
            return (queues, RulesBox(try QueueRules(commons)))
        }
        try rules.rules.update(QueueLab.served)
        var counts = [0, 0]
        for isIPv6 in [false, true] {
            for port in UInt16(4000)..<4064 {
                let request = lab.request(isIPv6: isIPv6).tcp(from: port, to: 80, flags: 2)
                lab.send(request, by: lab.client)
                let first = try #require(taker(queues))
                let reply = lab.reply(isIPv6: isIPv6).tcp(from: 80, to: port, flags: 0x12)
                lab.send(reply, by: lab.server)
                let second = try #require(taker(queues))
                #expect(first == second, "port \(port)")
                counts[first] += 1
            }
        }
        #expect(counts.min() ?? 0 > 20, "\(counts)")
        var fragment = lab.request().udp(from: 4001, to: 80)
        for (offset, more) in [(0, 0x20), (4, 0)] {
            fragment[20] = UInt8(more)
            fragment[21] = UInt8(offset)
            fragment.fillHeaderChecksum()
            lab.send(fragment, by: lab.client)
        }
        #expect(taker(queues) == 0)
    }

    /// The queue that got a packet, which is dropped there.
    private func taker(_ queues: [NFQueueDriver]) -> Int? {
        let end = MonotonicClock.now() + 1_000_000_000
        while MonotonicClock.now() < end {
            for (index, queue) in queues.enumerated() {
                var burst = Burst()
                guard queue.receive(into: &burst) > 0 else { continue }
                for position in 0..<burst.count { burst[position].verdict = .drop(.noServer) }
                queue.settle(&burst)
                queue.release()
                return index
            }
        }
        return nil
    }
}
