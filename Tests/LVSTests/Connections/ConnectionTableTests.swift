import LVS
import Testing

@Suite struct ConnectionTableTests {
    @Test func `A NAT connection is found by both its tuples`() throws {
        let rig = TableRig(connections: 100)
        let spec = TableRig.spec(7)
        let made = try #require(rig.insert(spec))
        let inbound = try #require(rig.find(spec.inboundTuple))
        #expect(inbound.direction == .inbound && inbound.connection.number == made.number)
        let outbound = try #require(rig.find(spec.outboundTuple))
        #expect(outbound.direction == .outbound && outbound.connection.number == made.number)
        #expect(rig.table.count == 1)
        #expect(made.client == spec.client && made.virtual == spec.virtual)
        #expect(made.real == spec.real && made.realPort == 8080 && made.virtualPort == 80)
        #expect(made.isInactive && !made.hasNoOutput && made.destination == 1)
    }

    @Test func `DR and TUN connections have no outbound tuple and expect no output`() throws {
        let rig = TableRig(connections: 100)
        for (client, method) in [(1, ForwardingMethod.directRouting), (2, .tunnel)] {
            let spec = TableRig.spec(client, method: method)
            let made = try #require(rig.insert(spec))
            #expect(made.hasNoOutput && made.method == method)
            #expect(rig.find(spec.outboundTuple) == nil)
        }
    }

    @Test func `TCP and UDP with equal tuples are two connections`() throws {
        let rig = TableRig(connections: 100)
        let tcp = try #require(rig.insert(TableRig.spec(1)))
        let udp = try #require(rig.insert(TableRig.spec(1, udp: true)))
        #expect(rig.find(TableRig.key(1))?.connection.number == tcp.number)
        #expect(rig.find(TableRig.key(1, udp: true))?.connection.number == udp.number)
    }

    @Test func `A second insert of the same tuple gets the first entry`() throws {
        let rig = TableRig(connections: 100)
        let first = try #require(rig.insert(TableRig.spec(1)))
        guard
            case .existing(let found) = rig.table.insert(
                TableRig.spec(1, server: 2), worker: 0, now: rig.now)
        else {
            Issue.record("expected the existing entry")
            return
        }
        #expect(found.number == first.number)
        #expect(rig.table.count == 1)
    }

    @Test func `Replies follow the newest of two connections with one outbound tuple`() throws {
        let rig = TableRig(connections: 100)
        let old = try #require(rig.insert(TableRig.spec(1, port: 80)))
        let new = try #require(rig.insert(TableRig.spec(1, port: 81)))
        let reply = TableRig.spec(1).outboundTuple
        #expect(rig.find(reply)?.connection.number == new.number)
        #expect(rig.find(TableRig.key(1, port: 80))?.connection.number == old.number)
        #expect(rig.table.expire(new, worker: 0))
        #expect(rig.find(reply)?.connection.number == old.number)
    }

    @Test func `Only one caller ends a connection, and it is gone at once`() throws {
        let rig = TableRig(connections: 100)
        let made = try #require(rig.insert(TableRig.spec(1)))
        #expect(rig.table.expire(made, worker: 0))
        #expect(!rig.table.expire(made, worker: 0))
        #expect(rig.find(TableRig.key(1)) == nil)
        #expect(rig.find(TableRig.spec(1).outboundTuple) == nil)
        #expect(rig.table.count == 0)
    }

    @Test func `A timeout ends a connection late by two ticks at most, never early`() throws {
        let rig = TableRig(connections: 100)
        let made = try #require(rig.insert(TableRig.spec(1)))
        let start = rig.now
        rig.now = start.advanced(byMilliseconds: 60_000)
        #expect(rig.find(TableRig.key(1)) != nil)
        #expect(!made.isOverdue(rig.now))
        rig.now = start.advanced(byMilliseconds: 60_040)
        #expect(rig.find(TableRig.key(1)) == nil)
        #expect(made.isOverdue(rig.now))
    }

    @Test func `An overdue connection does not stand in the way of a new one`() throws {
        let rig = TableRig(connections: 100)
        let old = try #require(rig.insert(TableRig.spec(1)))
        rig.advance(seconds: 61)
        let new = try #require(rig.insert(TableRig.spec(1, server: 2)))
        #expect(new.number != old.number)
        #expect(rig.find(TableRig.key(1))?.connection.number == new.number)
    }

    @Test func `The sweep ends what is overdue and hands out each once`() throws {
        let rig = TableRig(connections: 1000)
        for client in 0..<500 { _ = try #require(rig.insert(TableRig.spec(client))) }
        rig.advance(seconds: 30)
        for client in 500..<1000 { _ = try #require(rig.insert(TableRig.spec(client))) }
        rig.advance(seconds: 31)
        var removed: Set<UInt32> = []
        var position: UInt32 = 0
        repeat {
            position = rig.table.sweep(
                from: position, count: 100, worker: 1, now: rig.now
            ) { connection in
                #expect(removed.insert(connection.client.v4).inserted)
            }
        } while position != 0
        #expect(removed.count == 500)
        #expect(rig.table.count == 500)
    }

    @Test func `Entries are used again when every worker has moved on, not before`() throws {
        let rig = TableRig(connections: 64)
        rig.table.quiescence.wake(0)
        var made: [Connection] = []
        for client in 0..<64 { made.append(try #require(rig.insert(TableRig.spec(client)))) }
        #expect(rig.insert(TableRig.spec(99)) == nil)
        for connection in made { #expect(rig.table.expire(connection, worker: 1)) }
        rig.table.reclaim(1)
        rig.table.reclaim(1)
        #expect(rig.insert(TableRig.spec(99)) == nil)
        rig.table.quiescence.pass(0)
        rig.table.reclaim(1)
        // The housekeeper keeps a few blocks; its own inserts show that the entries are free.
        #expect(rig.insert(TableRig.spec(99), worker: 1) != nil)
    }

    @Test func `A full table says so and works on`() throws {
        let rig = TableRig(connections: 128)
        for client in 0..<128 { _ = try #require(rig.insert(TableRig.spec(client))) }
        guard case .full = rig.table.insert(TableRig.spec(500), worker: 0, now: rig.now) else {
            Issue.record("expected a full table")
            return
        }
        for client in 0..<128 { #expect(rig.find(TableRig.key(client)) != nil) }
        #expect(rig.table.count == 128)
    }

    @Test func `A NAT connection takes 88 to 96 bytes`() {
        for connections in [100_000, 1_000_000, 10_000_000] {
            let bytes = ConnectionTable.bytes(connections: connections, workers: 2)
            #expect(Double(bytes) / Double(connections) <= 96)
        }
    }
}
