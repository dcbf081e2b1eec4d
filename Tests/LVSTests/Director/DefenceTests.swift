import LVS
import TestKit
import Testing

@Suite struct DefenceTests {
    private static let virtual = IPAddress(v4: 0x0a01_0064)
    private static let tcp = ServiceKey.address(.tcp, virtual, port: 80)

    private func rig(_ service: VirtualService, connections: Int = 8192) throws -> DirectorRig {
        let rig = DirectorRig.twoLegged(connections: connections)
        try rig.director.add(service)
        let port: UInt16 = if case .address(_, _, let port) = service.key { port } else { 0 }
        try rig.director.add(
            RealServer(address: IPAddress(v4: 0x0a02_000b), port: port, method: .masquerading),
            to: service.key)
        return rig
    }

    private func open(_ rig: DirectorRig, _ count: Int, flags: UInt8 = 2) {
        for number in 0..<count {
            let client = DirectorRig.client(IPAddress(v4: 0xc633_0000 + UInt32(number)))
            _ = rig.send(client.tcp(from: 4000, to: 80, flags: flags), on: 0)
        }
    }

    private func count(_ rig: DirectorRig) -> Int {
        var count = 0
        rig.director.forEachConnection { _ in count += 1 }
        return count
    }

    @Test func `drop_entry ends three in a hundred half open connections a second`() throws {
        let rig = try rig(VirtualService(key: DefenceTests.tcp, scheduler: "rr"))
        open(rig, 2000)
        try rig.director.set(name: "drop_entry", value: 3)
        rig.advance(milliseconds: 10_000)
        let left = count(rig)
        #expect((1350...1550).contains(left), "2000 became \(left) in ten seconds")
        let server = try #require(rig.director.service(DefenceTests.tcp)?.servers.first)
        #expect(Int(server.active) == left, "\(server.active) active, \(left) listed")
    }

    @Test func `drop_entry spares established connections that were busy within a minute`() throws {
        let rig = try rig(VirtualService(key: DefenceTests.tcp, scheduler: "rr"))
        open(rig, 500)
        open(rig, 500, flags: 16)
        try rig.director.set(name: "drop_entry", value: 3)
        rig.advance(milliseconds: 58_000)
        #expect(count(rig) == 500)
        rig.advance(milliseconds: 60_000)
        let left = count(rig)
        // Every second one that is looked at goes: two packets came on each.
        #expect((20...450).contains(left), "500 became \(left)")
    }

    @Test func `drop_entry spares connections of more than eight packets`() throws {
        let rig = try rig(VirtualService(key: DefenceTests.tcp, scheduler: "rr"))
        open(rig, 200)
        for _ in 0..<9 { open(rig, 200, flags: 16) }
        try rig.director.set(name: "drop_entry", value: 3)
        rig.advance(milliseconds: 200_000)
        #expect(count(rig) == 200)
    }

    @Test func `A template goes with the last half open connection that held it`() throws {
        var service = VirtualService(key: DefenceTests.tcp, scheduler: "rr")
        service.flags.insert(.persistent)
        service.persistenceTimeoutSeconds = 3000
        let rig = try rig(service)
        open(rig, 300)
        #expect(count(rig) == 600)
        try rig.director.set(name: "drop_entry", value: 3)
        rig.advance(milliseconds: 20_000)
        var templates = 0
        var others = 0
        rig.director.forEachConnection { listing in
            if listing.isTemplate { templates += 1 } else { others += 1 }
        }
        #expect(templates == others, "\(templates) templates of \(others) connections")
        #expect((100...220).contains(others), "300 became \(others)")
    }

    @Test func `Established connections keep their template from drop_entry`() throws {
        var service = VirtualService(key: DefenceTests.tcp, scheduler: "rr")
        service.flags.insert(.persistent)
        service.persistenceTimeoutSeconds = 3000
        let rig = try rig(service)
        open(rig, 100)
        open(rig, 100, flags: 16)
        open(rig, 100, flags: 4)
        rig.advance(milliseconds: 12_000)
        try rig.director.set(name: "drop_entry", value: 3)
        rig.advance(milliseconds: 200_000)
        #expect(count(rig) == 100)
    }

    @Test(arguments: ["drop_entry", "drop_packet", "secure_tcp"])
    func `An automatic defence shows whether it is on`(name: String) throws {
        let rig = try rig(VirtualService(key: DefenceTests.tcp, scheduler: "rr"))
        rig.director.setFreePages(5000)
        try rig.director.set(name: name, value: 2)
        #expect(rig.director.settings[name] == 1)
        rig.director.setFreePages(1000)
        #expect(rig.director.settings[name] == 1)
        rig.advance(milliseconds: 1000)
        #expect(rig.director.settings[name] == 2)
        try rig.director.set(name: "amemthresh", value: 900)
        rig.advance(milliseconds: 1000)
        #expect(rig.director.settings[name] == 1)
    }

    @Test(arguments: ["drop_entry", "drop_packet", "secure_tcp"])
    func `An automatic defence is on while less than a sixteenth of the table is free`(
        name: String
    ) throws {
        let rig = try rig(VirtualService(key: DefenceTests.tcp, scheduler: "rr"), connections: 1024)
        rig.director.setFreePages(100_000)
        try rig.director.set(name: name, value: 1)
        open(rig, 900)
        rig.advance(milliseconds: 1000)
        #expect(rig.director.settings[name] == 1)
        open(rig, 1000)
        rig.advance(milliseconds: 1000)
        #expect(rig.director.settings[name] == 2)
        // Half-open connections are gone after a minute.
        rig.advance(milliseconds: 65_000)
        #expect(rig.director.settings[name] == 1)
    }

    @Test func `A full table makes room by drop_entry and tells how much`() throws {
        let rig = try rig(VirtualService(key: DefenceTests.tcp, scheduler: "rr"), connections: 1024)
        rig.director.setFreePages(100_000)
        try rig.director.set(name: "drop_entry", value: 1)
        open(rig, 1500)
        #expect(rig.director.endedByDefence == 0)
        let full = count(rig)
        rig.advance(milliseconds: 2000)
        let left = count(rig)
        #expect(left < full, "\(full) connections before, \(left) after two seconds")
        #expect(Int(rig.director.endedByDefence) == full - left)
    }

    @Test func `drop_packet takes more the less room the table has`() throws {
        let rig = try rig(VirtualService(key: DefenceTests.tcp, scheduler: "rr"), connections: 1024)
        rig.director.setFreePages(100_000)
        try rig.director.set(name: "drop_packet", value: 1)
        // 64 should be left and 32 are: every second packet goes.
        open(rig, 992)
        rig.advance(milliseconds: 1000)
        let client = DirectorRig.client(IPAddress(v4: 0xc633_6401))
        let drops = (0..<8).map { number in
            rig.send(client.tcp(from: 3000 + number, to: 80, flags: 2), on: 0).verdict
                == .drop(.defence)
        }
        #expect(drops == [false, true, false, true, false, true, false, true])
    }

    @Test func `drop_packet takes more the less memory there is`() throws {
        let rig = try rig(VirtualService(key: DefenceTests.tcp, scheduler: "rr"))
        func drops(_ from: UInt16) -> [Bool] {
            let client = DirectorRig.client(IPAddress(v4: 0xc633_6401))
            return (0..<8).map { number in
                rig.send(client.tcp(from: from + number, to: 80, flags: 2), on: 0).verdict
                    == .drop(.defence)
            }
        }
        // 1024 / (1024 - 768) is 4; the count begins anew each second.
        rig.director.setFreePages(768)
        try rig.director.set(name: "drop_packet", value: 1)
        let third = [false, false, false, true]
        #expect(drops(3000) == third + third)
        rig.director.setFreePages(512)
        rig.advance(milliseconds: 1000)
        #expect(drops(3100) == [false, true, false, true, false, true, false, true])
        rig.director.setFreePages(2000)
        rig.advance(milliseconds: 1000)
        #expect(drops(3200) == [Bool](repeating: false, count: 8))
    }

    @Test func `secure_tcp follows memory in mode 1`() throws {
        let rig = try rig(VirtualService(key: DefenceTests.tcp, scheduler: "rr"))
        try rig.director.set(name: "secure_tcp", value: 1)
        let client = DirectorRig.client(IPAddress(v4: 0xc633_6401))
        func state(_ port: UInt16) -> String? {
            _ = rig.send(client.tcp(from: port, to: 80, flags: 2), on: 0)
            _ = rig.send(client.tcp(from: port, to: 80, flags: 16), on: 0)
            var found: String?
            rig.director.forEachConnection { if $0.clientPort == port { found = $0.state } }
            return found
        }
        #expect(state(3000) == "ESTABLISHED")
        rig.director.setFreePages(0)
        rig.advance(milliseconds: 1000)
        #expect(state(3001) == "SYN_RECV")
        rig.director.setFreePages(100_000)
        rig.advance(milliseconds: 1000)
        #expect(state(3002) == "ESTABLISHED")
    }

    @Test func `A backup leaves requests to the host and translates replies`() throws {
        let rig = try rig(VirtualService(key: DefenceTests.tcp, scheduler: "rr"))
        let address = IPAddress(v4: 0xc633_6401)
        let client = DirectorRig.client(address)
        _ = rig.send(client.tcp(from: 3000, to: 80, flags: 2), on: 0)
        try rig.director.set(name: "backup_only", value: 1)
        #expect(rig.send(client.tcp(from: 3000, to: 80, flags: 16), on: 0).verdict.kind == .send)
        rig.director.setBackupDaemon(isRunning: true)
        let request = rig.send(client.tcp(from: 3000, to: 80, flags: 16), on: 0)
        #expect(request.verdict == .passThroughDoor)
        let opener = rig.send(client.tcp(from: 3001, to: 80, flags: 2), on: 0)
        #expect(opener.verdict == .passThroughDoor)
        #expect(count(rig) == 1)
        var reply = client
        reply.source = IPAddress(v4: 0x0a02_000b)
        reply.destination = address
        #expect(rig.send(reply.tcp(from: 80, to: 3000, flags: 18), on: 1).verdict.kind == .send)
        rig.director.setBackupDaemon(isRunning: false)
        #expect(rig.send(client.tcp(from: 3001, to: 80, flags: 2), on: 0).verdict.kind == .send)
    }
}
