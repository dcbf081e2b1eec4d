import LVS
import TestKit
import Testing

/// A twin does what its director would do, and leaves that as it is.
@Suite struct TwinTests {
    private static let virtual = IPAddress(v4: 0x0a01_0064)

    /// A director with connections of 12 clients, of which the last has closed.
    private func rig(_ service: String) throws -> DirectorRig {
        let rig = DirectorRig.twoLegged()
        var lines = ["-A -t 10.1.0.100:80 \(service)"]
        let method = service.contains("sed") ? "-g" : "-m"
        for (server, weight) in [(11, 3), (12, 1), (13, 5)] {
            lines.append("-a -t 10.1.0.100:80 -r 10.2.0.\(server):80 \(method) -w \(weight)")
        }
        for line in lines {
            try RuleLine.run(line.split(separator: " ").map(String.init), on: rig.director)
        }
        for client in UInt32(1)...12 {
            let builder = DirectorRig.client(IPAddress(v4: 0xc633_6400 + client))
            _ = rig.send(builder.tcp(from: 4000, to: 80, flags: 2), on: 0)
            rig.advance(milliseconds: 250)
        }
        return rig
    }

    private func twin(of rig: DirectorRig, _ client: IPAddress, _ port: UInt16) -> Twin {
        rig.director.twin(
            for: .tcp, from: client, port: port, to: TwinTests.virtual, port: 80)
    }

    /// Bytes that leave, verdict and steps without what depends on when the twin was made.
    private func tell(_ director: Director, _ frame: [UInt8], now: Instant) -> Story? {
        director.workers[0].story(of: frame, on: 0, now: now)
    }

    @Test(arguments: [
        "-s rr", "-s wrr", "-s lc", "-s wlc", "-s sed", "-s nq", "-s dh", "-s sh", "-s mh",
        "-s lblc",
        "-s lblcr", "-s fo", "-s ovf", "-s wlc -p 300", "-s rr -p 60 -M 255.255.255.0",
    ])
    func `A new connection goes where it would go, and a second time the same way`(
        service: String
    ) throws {
        let rig = try rig(service)
        // Servers of ovf have as much as they take.
        let verdict = service.contains("ovf") ? Verdict.drop(.noServer) : .send(1)
        for client in UInt32(20)...21 {
            let address = IPAddress(v4: 0xc633_6400 + client)
            let frame = DirectorRig.client(address).tcp(from: 4000, to: 80, flags: 2)
            let before = (rig.director.services(), rig.director.table.count)
            let first = tell(twin(of: rig, address, 4000).director, frame, now: rig.clock.now)
            let second = tell(twin(of: rig, address, 4000).director, frame, now: rig.clock.now)
            #expect(rig.director.services() == before.0)
            #expect(rig.director.table.count == before.1)
            let real = tell(rig.director, frame, now: rig.clock.now)
            #expect(first?.left == real?.left && second?.left == real?.left)
            #expect(first?.verdict == verdict && real?.verdict == verdict)
            #expect(first?.steps.count == real?.steps.count)
        }
    }

    @Test(arguments: [UInt8(16), 17, 4])
    func `A packet of a live connection moves the twin's copy only`(flags: UInt8) throws {
        let rig = try rig("-s rr")
        let client = IPAddress(v4: 0xc633_6403)
        let frame = DirectorRig.client(client).tcp(from: 4000, to: 80, flags: flags)
        let before = listings(rig.director)
        let told = tell(twin(of: rig, client, 4000).director, frame, now: rig.clock.now)
        #expect(listings(rig.director) == before)
        let real = tell(rig.director, frame, now: rig.clock.now)
        #expect(told?.left == real?.left)
        #expect(advance(told) == advance(real))
        #expect(lookUp(told) == lookUp(real))
        #expect(listings(rig.director) != before)
    }

    @Test func `A template leads where it leads, with the time it has left`() throws {
        let rig = try rig("-s rr -p 300")
        rig.advance(milliseconds: 100_000)
        let client = IPAddress(v4: 0xc633_6405)
        let frame = DirectorRig.client(client).tcp(from: 5000, to: 80, flags: 2)
        let told = tell(twin(of: rig, client, 5000).director, frame, now: rig.clock.now)
        let real = tell(rig.director, frame, now: rig.clock.now)
        #expect(told?.left == real?.left)
        #expect(template(told) == template(real))
        #expect(found(told)?.outcome == .followed)
        #expect((found(told)?.found?.remainingSeconds ?? 300) < 205)
    }

    @Test func `With FULLNAT the client gets the local port that it would get`() throws {
        let rig = DirectorRig.twoLegged()
        for line in [
            "-A -t 10.1.0.100:80 -s rr", "-a -t 10.1.0.100:80 -r 10.2.0.11:80 --fullnat",
            "-P -t 10.1.0.100:80 -z 10.2.0.201", "-P -t 10.1.0.100:80 -z 10.2.0.202",
        ] {
            try RuleLine.run(line.split(separator: " ").map(String.init), on: rig.director)
        }
        for client in UInt32(1)...4 {
            let address = IPAddress(v4: 0xc633_6400 + client)
            // All come from one port, which each local address has once.
            let frame = DirectorRig.client(address).tcp(from: 4000, to: 80, flags: 2)
            let told = tell(twin(of: rig, address, 4000).director, frame, now: rig.clock.now)
            let real = tell(rig.director, frame, now: rig.clock.now)
            #expect(real?.verdict == .send(1))
            #expect(told?.left == real?.left)
        }
    }

    @Test func `Settings that drop a new connection drop it at the twin as well`() throws {
        let rig = try rig("-s rr")
        try rig.director.set(name: "drop_packet", value: 3)
        try rig.director.set(name: "am_droprate", value: 1)
        rig.advance(milliseconds: 1000)
        let client = IPAddress(v4: 0xc633_6430)
        let frame = DirectorRig.client(client).tcp(from: 4000, to: 80, flags: 2)
        let told = tell(twin(of: rig, client, 4000).director, frame, now: rig.clock.now)
        #expect(told?.verdict.reason == .defence)
    }

    private func listings(_ director: Director) -> [ConnectionListing] {
        var all: [ConnectionListing] = []
        director.forEachConnection { all.append($0) }
        return all
    }

    private func advance(_ story: Story?) -> [String] {
        (story?.steps ?? []).compactMap { step in
            guard case .advanced(let advance) = step else { return nil }
            return "\(advance)"
        }
    }

    private func lookUp(_ story: Story?) -> ConnectionListing? {
        for case .lookedUp(let look) in story?.steps ?? [] { return look.found }
        return nil
    }

    private func found(_ story: Story?) -> TemplateLookUp? {
        for case .template(let look) in story?.steps ?? [] { return look }
        return nil
    }

    private func template(_ story: Story?) -> [String] {
        (story?.steps ?? []).compactMap { step in
            guard case .template(let look) = step else { return nil }
            return "\(look)"
        }
    }
}
