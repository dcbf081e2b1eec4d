import LVS
import TestKit
import Testing

@Suite struct LocalAddressTests {
    private static let web = ServiceKey.address(.tcp, IPAddress(v4: 0x0a01_0064), port: 80)
    private static let web6 = ServiceKey.address(
        .tcp, IPAddress(high: 0x2001_0db8 << 32, low: 0x64), port: 80)

    private static func local(_ last: UInt32) -> IPAddress { IPAddress(v4: 0x0a02_0100 + last) }

    private static func server(_ last: UInt32) -> RealServer {
        RealServer(address: IPAddress(v4: 0x0a02_0000 + last), port: 80, method: .fullNAT)
    }

    private func rig() throws -> DirectorRig {
        let rig = DirectorRig.twoLegged()
        try rig.director.add(VirtualService(key: Self.web, scheduler: "rr"))
        try rig.director.add(VirtualService(key: Self.web6, scheduler: "rr"))
        return rig
    }

    private func addresses(_ rig: DirectorRig) throws -> [IPAddress] {
        try rig.director.locals(of: Self.web).map(\.address)
    }

    @Test func addressesAreAddedAndTakenAllOrNone() throws {
        let rig = try rig()
        let all = [9, 3, 5].map(Self.local)
        try rig.director.addLocals(all, to: Self.web)
        #expect(throws: CommandRefusal.localAddressExists(Self.local(3))) {
            try rig.director.addLocals([Self.local(4), Self.local(3)], to: Self.web)
        }
        #expect(throws: CommandRefusal.noSuchLocalAddress(Self.local(4))) {
            try rig.director.deleteLocals([Self.local(9), Self.local(4)], of: Self.web)
        }
        #expect(try addresses(rig) == all)
        try rig.director.deleteLocals([Self.local(9), Self.local(5)], of: Self.web)
        #expect(try addresses(rig) == [Self.local(3)])
        try rig.director.setLocals([Self.local(5), Self.local(3)], of: Self.web)
        #expect(try addresses(rig) == [Self.local(5), Self.local(3)])
        #expect(rig.director.service(Self.web)?.locals == [Self.local(5), Self.local(3)])
    }

    @Test(arguments: [
        "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "fd00::1", "10.2.1.1",
    ])
    func whatCannotBeALocalAddressIsNamedAndNothingIsAdded(_ word: String) throws {
        let rig = try rig()
        let bad = try #require(IPAddress(parsing: word))
        try rig.director.addLocals([Self.local(9)], to: Self.web)
        do throws(CommandRefusal) {
            // The address that is good by itself stands twice.
            try rig.director.addLocals([Self.local(2), Self.local(1), bad], to: Self.web)
            Issue.record("\(word) was taken")
        } catch {
            switch error {
            case .invalid(let text): #expect(text.hasPrefix("\(bad): "))
            case .localAddressExists(let address): #expect(address == bad)
            default: Issue.record("\(error)")
            }
        }
        #expect(try addresses(rig) == [Self.local(9)])
    }

    @Test func servicesOfIPv6TakeLocalAddressesOfBothFamilies() throws {
        let rig = try rig()
        let wide = IPAddress(high: 0xfd00 << 48, low: 1)
        try rig.director.addLocals([Self.local(1), wide], to: Self.web6)
        #expect(try rig.director.locals(of: Self.web6).map(\.address) == [Self.local(1), wide])
        #expect(throws: CommandRefusal.self) {
            try rig.director.addLocals([.anyV6], to: Self.web6)
        }
    }

    @Test func moreThanThereIsRoomForIsRefusedBeforeAnythingIsMade() throws {
        let rig = try rig()
        for last in 1...9 as ClosedRange<UInt32> {
            try rig.director.add(Self.server(last), to: Self.web)
        }
        let many = (0..<1024).map { IPAddress(v4: 0x0a03_0000 + $0) }
        do throws(CommandRefusal) {
            try rig.director.addLocals(many, to: Self.web)
            Issue.record("9216 pools were made")
        } catch {
            guard case .outOfMemory(let text) = error else { throw error }
            #expect(text.contains("8192") && text.contains("9216"))
        }
        #expect(try addresses(rig).isEmpty)
        try rig.director.addLocals(Array(many.prefix(2)), to: Self.web)
        #expect(try addresses(rig) == Array(many.prefix(2)))
    }

    @Test func connectionsWithoutAPortAreCountedForTheirService() throws {
        let rig = try rig()
        try rig.director.add(Self.server(11), to: Self.web)
        try rig.director.addLocals([Self.local(1)], to: Self.web)
        try rig.director.set(name: "fullnat_lport_max", value: 5001)
        try rig.director.set(name: "fullnat_lport_min", value: 5000)
        let builder = DirectorRig.client(IPAddress(v4: 0xc633_6401))
        let verdicts = (0..<5).map { number in
            rig.send(builder.tcp(from: UInt16(3000 + number), to: 80, flags: 2), on: 0).verdict
        }
        #expect(verdicts.map { $0 == .drop(.noLocalPort) } == [false, false, true, true, true])
        #expect(try rig.director.refusedForPorts(of: Self.web) == 3)
        #expect(try rig.director.refusedForPorts(of: Self.web6) == 0)
        #expect(try rig.director.locals(of: Self.web).map(\.takenPorts) == [2])
        var ports: Set<UInt16> = []
        rig.director.forEachConnection { listing in
            #expect(listing.local?.address == Self.local(1))
            if let local = listing.local { ports.insert(local.port) }
        }
        #expect(ports == [5000, 5001])
    }

    @Test func theRangeOfPortsIsNeverEmpty() throws {
        let rig = try rig()
        let expected = [
            ("fullnat_lport_min", 1023, "1024 to 65535"), ("fullnat_lport_max", 65536, "1024 to"),
            ("fullnat_lport_max", 4999, "fullnat_lport_max: 4999 is below fullnat_lport_min"),
            ("fullnat_lport_min", 5002, "accepted are 1024 to 5001"),
        ]
        try rig.director.set(name: "fullnat_lport_min", value: 5000)
        try rig.director.set(name: "net.ipv4.vs.fullnat_lport_max", value: 5001)
        for (name, value, text) in expected {
            do throws(CommandRefusal) {
                try rig.director.set(name: name, value: value)
                Issue.record("\(name)=\(value) was taken")
            } catch {
                guard case .invalid(let sentence) = error else { throw error }
                #expect(sentence.contains(text), "\(sentence)")
            }
        }
        #expect(rig.director.settings["fullnat_lport_min"] == 5000)
        #expect(rig.director.settings["fullnat_lport_max"] == 5001)
        try rig.director.set(name: "fullnat_lport_min", value: 5001)
    }
}
