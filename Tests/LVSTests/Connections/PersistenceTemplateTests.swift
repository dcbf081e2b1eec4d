import LVS
import Testing

/// Templates as entries of the table (ipvs-semantics 5).
@Suite struct PersistenceTemplateTests {
    private static func template(_ client: Int, seconds: UInt32 = 10) -> ConnectionSpec {
        var spec = TableRig.spec(client)
        spec.isTemplate = true
        spec.clientPort = 0
        spec.timeoutSeconds = seconds
        return spec
    }

    private func find(_ client: Int, in rig: TableRig) -> Connection? {
        rig.table.findTemplate(
            PersistenceTemplateTests.template(client).inboundTuple, now: rig.now)
    }

    @Test func `Packets find no template, and a template no connection`() throws {
        let rig = TableRig(connections: 100)
        var connection = TableRig.spec(1)
        connection.clientPort = 0
        #expect(find(1, in: rig) == nil)
        let made = try #require(rig.insert(connection))
        #expect(find(1, in: rig) == nil)
        let template = try #require(rig.insert(PersistenceTemplateTests.template(1)))
        #expect(find(1, in: rig)?.number == template.number)
        #expect(rig.find(connection.inboundTuple)?.connection.number == made.number)
        #expect(template.transport == .tcp && template.isTemplate)
        #expect(rig.table.expire(made, worker: 0))
        #expect(rig.find(connection.outboundTuple) == nil)
    }

    @Test func `A template nobody holds ends in its time`() throws {
        let rig = TableRig(connections: 100)
        _ = try #require(rig.insert(PersistenceTemplateTests.template(1)))
        rig.advance(seconds: 11)
        #expect(find(1, in: rig) == nil)
        _ = rig.table.sweep(from: 0, count: 100, worker: 1, now: rig.now) { _ in }
        #expect(rig.table.count == 0)
    }

    @Test func `A held template lives on by the minute, found or swept`() throws {
        for isSwept in [false, true] {
            let rig = TableRig(connections: 100)
            let template = try #require(rig.insert(PersistenceTemplateTests.template(1)))
            #expect(rig.table.hold(template))
            var child = TableRig.spec(1)
            child.controller = template.number
            let connection = try #require(rig.insert(child))
            rig.advance(seconds: 11)
            if isSwept {
                _ = rig.table.sweep(from: 0, count: 100, worker: 1, now: rig.now) { _ in }
            }
            #expect(find(1, in: rig)?.timeoutSeconds == 60)
            #expect(!rig.table.expireUnheld(template, worker: 0))
            #expect(rig.table.expire(connection, worker: 0))
            #expect(template.holders == 0)
            rig.advance(seconds: 61)
            #expect(find(1, in: rig) == nil)
        }
    }

    @Test func `A template that is about to end cannot be held`() throws {
        let rig = TableRig(connections: 100)
        let template = try #require(rig.insert(PersistenceTemplateTests.template(1)))
        #expect(rig.table.expireUnheld(template, worker: 0))
        #expect(!rig.table.hold(template))
    }

    @Test func `An invalid template stays until its time and makes room for another`() throws {
        let rig = TableRig(connections: 100)
        let first = try #require(rig.insert(PersistenceTemplateTests.template(1)))
        rig.table.invalidate(first)
        #expect(find(1, in: rig) == nil && first.isLive && first.isInvalidTemplate)
        let second = try #require(rig.insert(PersistenceTemplateTests.template(1)))
        #expect(find(1, in: rig)?.number == second.number)
        rig.advance(seconds: 11)
        _ = rig.table.sweep(from: 0, count: 100, worker: 1, now: rig.now) { _ in }
        #expect(rig.table.count == 0)
    }

    @Test func `A connection that is not made gives its hold back`() throws {
        let rig = TableRig(connections: 2)
        let template = try #require(rig.insert(PersistenceTemplateTests.template(1)))
        var child = TableRig.spec(1)
        child.controller = template.number
        for (client, holders) in [(1, 1 as UInt32), (1, 1), (2, 1)] {
            child.client = TableRig.spec(client).client
            #expect(rig.table.hold(template))
            _ = rig.table.insert(child, worker: 0, now: rig.now)
            #expect(template.holders == holders)
        }
    }

    @Test func `Two threads that hold, release and end templates lose no count`() async {
        let rig = TableRig(connections: 4096, workers: 2)
        let table = rig.table
        let now = rig.now
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<2 {
                group.addTask {
                    table.quiescence.wake(worker)
                    for turn in 0..<30_000 {
                        let client = (turn &* 7) % 13
                        let spec = PersistenceTemplateTests.template(client)
                        let template: Connection? =
                            switch table.insert(spec, worker: worker, now: now) {
                            case .inserted(let made), .existing(let made): made
                            case .full: nil
                            }
                        if let template, table.hold(template) {
                            var child = TableRig.spec(client * 2 + worker)
                            child.controller = template.number
                            switch table.insert(child, worker: worker, now: now) {
                            case .inserted(let made):
                                if turn & 1 == 0 { _ = table.expire(made, worker: worker) }
                            case .existing(let made): _ = table.expire(made, worker: worker)
                            case .full: break
                            }
                            if turn & 3 == worker {
                                _ = table.expireUnheld(template, worker: worker)
                            }
                        }
                        table.quiescence.pass(worker)
                        if turn & 63 == 0 { table.reclaim(worker) }
                    }
                    table.quiescence.sleep(worker)
                }
            }
        }
        table.forEach { if !$0.isTemplate { _ = table.expire($0, worker: 2) } }
        table.forEach { template in
            #expect(template.holders == 0)
            #expect(table.expireUnheld(template, worker: 2))
        }
        #expect(table.count == 0 && table.overflowCount == 0)
    }
}
