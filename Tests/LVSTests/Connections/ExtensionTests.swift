import LVS
import Testing

@Suite struct ExtensionTests {
    @Test func `An IPv6 connection keeps its addresses whole and is found by both its tuples`()
        throws
    {
        let rig = TableRig(connections: 100)
        var spec = TableRig.wideSpec(7)
        spec.mark = 99
        let made = try #require(rig.insert(spec))
        #expect(made.client == spec.client && made.virtual == spec.virtual)
        #expect(made.real == spec.real && made.realPort == 8080 && made.virtualPort == 80)
        #expect(made.transport == .tcp && made.mark == 99 && made.method == .masquerading)
        let inbound = try #require(rig.find(spec.inboundTuple))
        #expect(inbound.direction == .inbound && inbound.connection.number == made.number)
        let outbound = try #require(rig.find(spec.outboundTuple))
        #expect(outbound.direction == .outbound && outbound.connection.number == made.number)
        #expect(rig.find(TableRig.wideSpec(8).inboundTuple) == nil)
        #expect(rig.table.count == 1)
    }

    @Test(arguments: [true, false])
    func `A tunnel to a server of the other family keeps all addresses`(_ isWide: Bool) throws {
        let rig = TableRig(connections: 100)
        var spec =
            isWide ? TableRig.wideSpec(1, method: .tunnel) : TableRig.spec(1, method: .tunnel)
        spec.real = isWide ? IPAddress(v4: 0x0a01_0001) : IPAddress(high: 0xfd << 56, low: 5)
        let made = try #require(rig.insert(spec))
        #expect(made.client == spec.client && made.virtual == spec.virtual)
        #expect(made.real == spec.real && made.realPort == 8080 && made.clientPort == 4000)
        #expect(rig.find(spec.inboundTuple)?.connection.number == made.number)
        #expect(rig.find(spec.outboundTuple) == nil)
    }

    @Test func `Addresses that share a digest are told apart`() throws {
        // With this seed the products of the digest are 0: all addresses share it.
        let spec = TableRig.wideSpec(1)
        let seed = (UInt64(0), UInt64(0))
        var pair = [spec, spec]
        for index in pair.indices {
            pair[index].client = IPAddress(high: 0, low: UInt64(index) + 1)
            pair[index].virtual = IPAddress(high: 0x9e37_79b9_7f4a_7c15, low: 5)
        }
        #expect(
            ConnectionKey(pair[0].inboundTuple, seed: seed)
                == ConnectionKey(pair[1].inboundTuple, seed: seed))
        let rig = TableRig(connections: 100, seed: seed)
        let first = try #require(rig.insert(pair[0]))
        #expect(rig.find(pair[1].inboundTuple) == nil)
        let second = try #require(rig.insert(pair[1]))
        #expect(rig.find(pair[0].inboundTuple)?.connection.number == first.number)
        #expect(rig.find(pair[1].inboundTuple)?.connection.number == second.number)
        #expect(rig.find(pair[0].outboundTuple)?.connection.number == first.number)
        #expect(rig.find(pair[1].outboundTuple)?.connection.number == second.number)
    }

    @Test func `IPv6 templates are found under tuples that no packet has`() throws {
        let rig = TableRig(connections: 100)
        let connection = TableRig.wideSpec(1)
        var template = connection
        template.isTemplate = true
        template.clientPort = 0
        let made = try #require(rig.insert(template))
        #expect(made.isTemplate && made.transport == .tcp && made.virtual == template.virtual)
        #expect(rig.find(template.outboundTuple) == nil)
        #expect(rig.find(connection.inboundTuple) == nil)
        let found = rig.table.findTemplate(template.inboundTuple, now: rig.now)
        #expect(found?.number == made.number)
    }

    @Test func `Helpers get zeroed lines of their own, with IPv4 connections as well`() throws {
        let rig = TableRig(connections: 100)
        for number in 1...2 {
            var spec = number == 1 ? TableRig.spec(1) : TableRig.wideSpec(1)
            spec.extraLines = 2
            spec.mark = 7
            let made = try #require(rig.insert(spec))
            for line in 0..<2 {
                let payload = unsafe try #require(made.extraLine(line))
                for offset in 0..<Connection.lineBytes {
                    #expect(unsafe payload.load(fromByteOffset: offset, as: UInt8.self) == 0)
                    unsafe payload.storeBytes(
                        of: 0xff, toByteOffset: offset, as: UInt8.self)
                }
            }
            #expect(unsafe made.extraLine(2) == nil)
            #expect(made.client == spec.client && made.virtual == spec.virtual)
            #expect(made.real == spec.real && made.mark == 7)
            #expect(rig.find(spec.inboundTuple)?.connection.number == made.number)
            #expect(rig.find(spec.outboundTuple)?.connection.number == made.number)
        }
        #expect(unsafe try #require(rig.insert(TableRig.spec(2))).extraLine(0) == nil)
    }

    @Test func `Lines count for the capacity, and come back with their connection`() throws {
        let rig = TableRig(connections: 64)
        for round in 0..<5 {
            var made: [Connection] = []
            while let connection = rig.insert(TableRig.wideSpec(made.count)) {
                made.append(connection)
            }
            #expect(made.count == 32, "round \(round)")
            // The table is full, but for nothing: a failed insert has taken no line.
            #expect(rig.insert(TableRig.spec(1)) == nil)
            var listed = 0
            rig.table.forEach { connection in
                listed += 1
                #expect(connection.client.high == 0xfd00_0000_0000_0001)
            }
            #expect(listed == 32)
            for connection in made { #expect(rig.table.expire(connection, worker: 0)) }
            // Twice: the first begins an epoch, the second has seen it pass.
            for _ in 0..<2 {
                rig.table.quiescence.pass(0)
                rig.table.reclaim(0)
            }
        }
    }

    @Test func `The sweep ends IPv6 connections and takes no line for one`() throws {
        let rig = TableRig(connections: 100)
        for client in 0..<10 { #expect(rig.insert(TableRig.wideSpec(client)) != nil) }
        rig.advance(seconds: 61)
        var ended = 0
        _ = rig.table.sweep(from: 0, count: 100, worker: 1, now: rig.now) { _ in ended += 1 }
        #expect(ended == 10 && rig.table.count == 0)
        #expect(rig.find(TableRig.wideSpec(3).inboundTuple) == nil)
    }

    @Test func `Replies follow the newest of two IPv6 connections with one outbound tuple`() throws
    {
        let rig = TableRig(connections: 100)
        let old = try #require(rig.insert(TableRig.wideSpec(1)))
        var other = TableRig.wideSpec(1)
        other.virtualPort = 81
        let new = try #require(rig.insert(other))
        #expect(rig.find(other.outboundTuple)?.connection.number == new.number)
        #expect(rig.table.expire(new, worker: 0))
        #expect(rig.find(other.outboundTuple)?.connection.number == old.number)
    }
}

@Suite struct ClientRecordTests {
    /// How many entries of a table connections with FULLNAT take that ask for something.
    private func entries(
        isWide: Bool = false, port: UInt16 = 80, _ change: (inout FullNATOptions) -> Void
    ) throws -> Int {
        let rig = TableRig(connections: 100)
        var options = FullNATOptions.none
        change(&options)
        var count = 0
        while true {
            var spec = isWide ? TableRig.wideSpec(count) : TableRig.spec(count)
            spec.virtualPort = port
            spec.local = LocalEndpoint(
                address: isWide
                    ? IPAddress(high: 0xfd << 56, low: 9) : IPAddress(v4: 0x0a02_0064),
                port: 4000 + UInt16(count))
            spec.bindHelper()
            spec.bind(options)
            guard let made = rig.insert(spec) else { return 100 / max(count, 1) }
            #expect(made.client == spec.client && made.virtual == spec.virtual)
            #expect(made.real == spec.real && made.local == spec.local)
            #expect(made.method == .masquerading)
            #expect(rig.find(spec.inboundTuple)?.connection.number == made.number)
            #expect(rig.find(spec.outboundTuple)?.direction == .outbound)
            count += 1
        }
    }

    @Test(arguments: FullNATOptions.ClientAddress.allCases)
    func `Telling the server of an IPv4 client takes no memory`(
        address: FullNATOptions.ClientAddress
    ) throws {
        #expect(try entries { $0.clientAddress = address } == 1)
    }

    @Test func `New numbers take a line, a helper another, and addresses of IPv6 two`() throws {
        #expect(try entries { $0.startsSequenceAnew = true } == 2)
        #expect(try entries(port: 21) { $0.startsSequenceAnew = true } == 3)
        #expect(try entries(port: 21) { $0.clientAddress = .toa } == 2)
        #expect(try entries(isWide: true) { _ in } == 3)
        #expect(try entries(isWide: true) { $0.clientAddress = .toa } == 4)
    }
}
