import LVS
import TestKit
import Testing

/// What a director finds that starts after another was killed.
@Suite struct AdoptionTests {
    private static let key = ServiceKey.address(.tcp, TableRig.virtual, port: 80)
    private static let wideKey = ServiceKey.address(
        .tcp, IPAddress(high: 0xfd00_0000_0000_0001, low: 100 << 32), port: 80)

    private static func server(_ last: UInt32, _ method: ForwardingMethod = .masquerading)
        -> RealServer
    {
        RealServer(address: IPAddress(v4: 0x0a01_0000 + last), port: 8080, method: method)
    }

    private static func wideServer(_ last: UInt64) -> RealServer {
        RealServer(
            address: IPAddress(high: 0xfd00_0000_0000_0002, low: last), port: 8080,
            method: .masquerading)
    }

    /// Services with their servers, numbered from 0 in the order of adding: of IPv4 ending in 0 and 1, of
    /// IPv6 ending in 2.
    private static func configure(_ director: Director) throws {
        try director.add(VirtualService(key: key, scheduler: "lc"))
        try director.add(server(0), to: key)
        try director.add(server(1, .directRouting), to: key)
        try director.add(VirtualService(key: wideKey, scheduler: "rr"))
        try director.add(wideServer(2), to: wideKey)
    }

    private static func rig(connections: Int = 256, workers: Int = 1) throws -> KeptRig {
        let rig = KeptRig(connections: connections, workers: workers)
        try configure(rig.director)
        return rig
    }

    @discardableResult
    private static func insert(_ spec: ConnectionSpec, _ rig: KeptRig) throws -> Connection {
        guard
            case .inserted(let made) = rig.director.table.insert(spec, worker: 0, now: rig.now)
        else { throw Full() }
        return made
    }

    private struct Full: Error {}

    private static func template(_ client: Int) -> ConnectionSpec {
        var spec = TableRig.spec(client, server: 0)
        spec.isTemplate = true
        spec.isInactive = false
        spec.clientPort = 0
        spec.timeoutSeconds = 300
        return spec
    }

    @Test func `Connections are found by both tuples, with state, time and counts`() throws {
        let rig = try Self.rig()
        var specs: [ConnectionSpec] = []
        for client in 0..<40 {
            specs.append(TableRig.spec(client, server: 0))
            specs.append(TableRig.wideSpec(client, server: 2))
            specs.append(TableRig.spec(100 + client, server: 1, method: .directRouting))
        }
        for spec in specs { try Self.insert(spec, rig) }
        let first = try #require(
            rig.director.table.find(specs[0].inboundTuple, now: rig.now)?.connection)
        var control = first.control
        control.state = TCPState.established.rawValue
        control.isInactive = false
        #expect(first.exchange(first.control, for: control))
        first.restart(timeoutSeconds: 900, now: rig.now)

        let later = rig.now.advanced(bySeconds: 30)
        let next = try KeptRig(after: rig, now: later)
        let table = next.director.table
        #expect(table.disorder() == [])
        #expect(next.director.adopted?.connections == specs.count)
        #expect(next.director.adopted?.servers == 3)
        #expect(next.director.adopted?.ended == [:])
        for spec in specs {
            let found = try #require(table.find(spec.inboundTuple, now: later))
            #expect(found.connection.real == spec.real && found.connection.method == spec.method)
            #expect(found.connection.client == spec.client)
            if spec.method == .masquerading {
                let reply = try #require(table.find(spec.outboundTuple, now: later))
                #expect(reply.connection.number == found.connection.number)
            }
        }
        let known = try #require(table.find(specs[0].inboundTuple, now: later)?.connection)
        #expect(known.state == TCPState.established.rawValue && !known.isInactive)
        #expect(known.remainingSeconds(later) == 870 || known.remainingSeconds(later) == 869)

        try Self.configure(next.director)
        let servers = try #require(next.director.service(Self.key)?.servers)
        // Newest first.
        #expect(servers.map(\.active) == [0, 1] && servers.map(\.inactive) == [40, 39])
    }

    @Test func `A server that comes back has its number, another one a number of its own`() throws {
        let rig = try Self.rig()
        let made = try Self.insert(TableRig.spec(1, server: 1, method: .directRouting), rig)
        let next = try KeptRig(after: rig)
        try next.director.add(VirtualService(key: Self.key, scheduler: "rr"))
        try next.director.add(Self.server(9), to: Self.key)
        try next.director.add(Self.server(1, .directRouting), to: Self.key)
        let servers = try #require(next.director.service(Self.key)?.servers)
        #expect(servers.map(\.inactive) == [1, 0])
        let found = try #require(
            next.director.table.find(TableRig.spec(1).inboundTuple, now: rig.now))
        #expect(found.connection.destination == made.destination)
    }

    @Test func `Times go on, and what is overdue by then ends`() throws {
        let rig = try Self.rig()
        try Self.insert(TableRig.spec(1, server: 0), rig)
        let next = try KeptRig(after: rig, now: rig.now.advanced(bySeconds: 61))
        #expect(next.director.table.find(TableRig.spec(1).inboundTuple, now: next.now) == nil)
        next.director.tick(next.now)
        #expect(next.director.table.count == 0)
        #expect(next.director.table.disorder() == [])
    }

    @Test func `A time that has not come yet is taken for now`() throws {
        let rig = try Self.rig()
        let made = try Self.insert(TableRig.spec(1, server: 0), rig)
        made.restart(timeoutSeconds: 60, now: rig.now.advanced(bySeconds: 1_000_000))
        let next = try KeptRig(after: rig)
        let found = try #require(
            next.director.table.find(TableRig.spec(1).inboundTuple, now: rig.now))
        #expect(found.connection.remainingSeconds(rig.now) == 60)
    }

    @Test(arguments: [1, 3]) func `The number of workers may change`(workers: Int) throws {
        let rig = try Self.rig(workers: 2)
        for client in 0..<100 { try Self.insert(TableRig.spec(client, server: 0), rig) }
        let next = try KeptRig(after: rig, workers: workers, parts: 3)
        #expect(next.director.table.count == 100)
        #expect(next.director.table.disorder() == [])
        for client in 100..<256 {
            let spec = TableRig.spec(client, server: 0)
            guard
                case .inserted = next.director.table.insert(
                    spec, worker: workers - 1, now: rig.now)
            else { break }
        }
        #expect(next.director.table.disorder() == [])
    }

    @Test func `Templates keep what hangs on them, and lose what does not`() throws {
        let rig = try Self.rig()
        let template = try Self.insert(Self.template(1), rig)
        let table = rig.director.table
        for client in 2..<5 {
            var spec = TableRig.spec(client, server: 0)
            #expect(table.hold(template))
            spec.controller = template.number
            try Self.insert(spec, rig)
        }
        // Holds of a worker that was killed before it used them.
        #expect(table.hold(template) && table.hold(template))
        let next = try KeptRig(after: rig)
        #expect(next.director.table.disorder() == [])
        #expect(next.director.table.connection(template.number).holders == 3)
        table.invalidate(template)
        let later = try KeptRig(after: rig)
        #expect(later.director.table.connection(template.number).isInvalidTemplate)
        #expect(later.director.table.disorder() == [])
    }

    @Test func `Local ports are taken again, and local addresses owned`() throws {
        let rig = KeptRig()
        let local = IPAddress(v4: 0x0a01_00c8)
        func configure(_ director: Director) throws {
            try director.add(VirtualService(key: Self.key, scheduler: "rr"))
            try director.addLocals([local], to: Self.key)
            try director.add(Self.server(0, .fullNAT), to: Self.key)
        }
        try configure(rig.director)
        for port in UInt16(5000)..<5020 {
            var spec = TableRig.spec(Int(port), server: 0)
            spec.local = LocalEndpoint(address: local, port: port)
            try Self.insert(spec, rig)
        }
        let next = try KeptRig(after: rig)
        #expect(next.director.ownedLocals == [local])
        #expect(next.director.table.disorder() == [])
        try configure(next.director)
        #expect(try next.director.locals(of: Self.key).map(\.takenPorts) == [20])
        // Of two with one port only one can be right.
        var twin = TableRig.spec(7, server: 0)
        twin.local = LocalEndpoint(address: local, port: 5000)
        try Self.insert(twin, rig)
        let later = try KeptRig(after: rig)
        #expect(later.director.table.count == 20)
        #expect(later.director.adopted?.ended == [.localPort: 1])
        #expect(later.director.table.disorder() == [])
    }

    @Test func `A full table goes on to be full, and is used again as it empties`() throws {
        let rig = try Self.rig(connections: 130)
        for client in 0..<130 { try Self.insert(TableRig.spec(client, server: 0), rig) }
        let next = try KeptRig(after: rig)
        let table = next.director.table
        #expect(table.count == 130 && table.disorder() == [])
        guard case .full = table.insert(TableRig.spec(500, server: 0), worker: 0, now: rig.now)
        else {
            Issue.record("a full table took one more")
            return
        }
        for client in 0..<130 {
            let found = table.find(TableRig.spec(client).inboundTuple, now: rig.now)
            #expect(table.expire(try #require(found).connection, worker: 0))
        }
        // An epoch begins, and is over at once where nobody else is awake.
        table.reclaim(0)
        table.reclaim(0)
        for client in 500..<630 {
            guard
                case .inserted = table.insert(
                    TableRig.spec(client, server: 0), worker: 0, now: rig.now)
            else {
                Issue.record("no room for \(client)")
                return
            }
        }
        #expect(table.disorder() == [])
    }

    @Test func `A table that cannot be used is named, and nothing is changed in it`() throws {
        let rig = try Self.rig()
        try Self.insert(TableRig.spec(1, server: 0), rig)
        let start = ServerDirectory.bytes
        func refusal(
            connections: Int? = nil, home: TableHome = KeptRig.home,
            change: (inout [UInt8]) -> Void = { _ in }
        ) -> TableRefusal? {
            do throws(TableRefusal) {
                _ = try KeptRig(after: rig, connections: connections, home: home, change: change)
                return nil
            } catch {
                return error
            }
        }
        let before = rig.contents
        #expect(refusal() == nil)
        #expect(refusal(connections: 300) == .otherSize(connections: 256))
        #expect(refusal(home: TableHome(boot: 5, bootToo: 9, network: 7)) == .otherBoot)
        #expect(refusal(home: TableHome(boot: 5, bootToo: 6, network: 8)) == .otherNetwork)
        #expect(refusal { $0[start] ^= 1 } == .foreign)
        #expect(refusal { $0[start + 14] ^= 1 } == .otherLayout)
        #expect(
            refusal { bytes in
                for index in start..<start + 8 { bytes[index] = 0 }
            } == .empty)
        #expect(rig.contents == before)
    }

    @Test(arguments: 1...60) func `Any damage leaves a table in order`(seed: UInt64) throws {
        let rig = try Self.rig()
        let template = try Self.insert(Self.template(1), rig)
        for client in 2..<40 {
            try Self.insert(TableRig.wideSpec(client, server: 2), rig)
            var spec = TableRig.spec(client, server: 0)
            #expect(rig.director.table.hold(template))
            spec.controller = template.number
            try Self.insert(spec, rig)
        }
        var random = SeededGenerator(seed: seed)
        let parts = 1 + Int(seed % 3)
        let next: KeptRig
        do throws(TableRefusal) {
            next = try KeptRig(after: rig, parts: parts) { bytes in
                // The table behind its header, most of all where something stands; at times the directory.
                for _ in 0..<1 + Int(seed) * 4 {
                    let start =
                        random.next() % 8 == 0 ? 0 : ServerDirectory.bytes + 64
                    let end = start == 0 ? 256 : bytes.count
                    let place = start + Int(random.next() % UInt64(end - start))
                    bytes[place] = UInt8(truncatingIfNeeded: random.next())
                }
            }
        } catch {
            Issue.record("refused: \(error.words)")
            return
        }
        #expect(next.director.table.disorder() == [])
        next.director.tick(rig.now.advanced(bySeconds: 1))
        for client in 50..<90 {
            _ = next.director.table.insert(
                TableRig.spec(client, server: 0), worker: 0, now: next.now)
        }
        #expect(next.director.table.disorder() == [])
    }
}
