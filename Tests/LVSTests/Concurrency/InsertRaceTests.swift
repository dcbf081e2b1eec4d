import LVS
import Testing

@Suite struct InsertRaceTests {
    @Test func `Of two threads that insert the same keys exactly one wins each`() async {
        let keys = 20_000
        let rig = TableRig(connections: 3 * keys, workers: 2)
        let table = rig.table
        let now = rig.now
        let wins = await withTaskGroup(of: [UInt32: UInt32].self) { group in
            for worker in 0..<2 {
                group.addTask {
                    table.quiescence.wake(worker)
                    var won: [UInt32: UInt32] = [:]
                    for client in 0..<keys {
                        let result = table.insert(
                            TableRig.spec(client), worker: worker, now: now)
                        if case .inserted(let made) = result {
                            won[UInt32(client)] = made.number
                        }
                        table.quiescence.pass(worker)
                    }
                    table.quiescence.sleep(worker)
                    return won
                }
            }
            var all: [[UInt32: UInt32]] = []
            for await won in group { all.append(won) }
            return all
        }
        #expect(wins[0].count + wins[1].count == keys)
        #expect(Set(wins[0].keys).isDisjoint(with: wins[1].keys))
        #expect(table.count == keys)
        for client in 0..<keys {
            let number = rig.find(TableRig.key(client))?.connection.number
            #expect(number == wins[0][UInt32(client)] ?? wins[1][UInt32(client)])
        }
    }

    @Test func `Threads that insert and end the same keys leave an empty, whole table`() async {
        let rig = TableRig(connections: 4096, workers: 2)
        let table = rig.table
        let now = rig.now
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<2 {
                group.addTask {
                    table.quiescence.wake(worker)
                    for turn in 0..<60_000 {
                        let client = (turn &* 7) % 97
                        switch table.insert(TableRig.spec(client), worker: worker, now: now) {
                        case .inserted(let made), .existing(let made):
                            if turn & 3 != worker { _ = table.expire(made, worker: worker) }
                        case .full: break
                        }
                        table.quiescence.pass(worker)
                        if turn & 63 == 0 { table.reclaim(worker) }
                    }
                    table.quiescence.sleep(worker)
                }
            }
        }
        table.forEach { connection in _ = table.expire(connection, worker: 2) }
        #expect(table.count == 0)
        // A worker that the machine held for a while has kept the other's removed entries waiting, all of
        // the table if need be: what both removed becomes free first (one call ends the epoch that waits,
        // the next one that of the rest).
        for owner in [0, 1, 0, 1] { table.reclaim(owner) }
        for client in 0..<97 {
            #expect(rig.find(TableRig.key(client)) == nil)
            #expect(rig.insert(TableRig.spec(client), worker: 2) != nil)
        }
        #expect(table.count == 97)
        #expect(table.overflowCount == 0)
    }

    @Test func `A worker that stands still keeps removed entries waiting, and none is lost`() {
        let rig = TableRig(connections: 4096, workers: 2)
        let table = rig.table
        table.quiescence.wake(0)
        table.quiescence.wake(1)
        var removed = 0
        while let made = rig.insert(TableRig.spec(removed), worker: 0) {
            #expect(table.expire(made, worker: 0))
            removed += 1
            table.quiescence.pass(0)
        }
        #expect(removed == 4096, "as long as worker 1 does not pass, nothing comes back")
        table.quiescence.sleep(0)
        table.quiescence.sleep(1)
        #expect(rig.insert(TableRig.spec(0), worker: 2) == nil, "they are worker 0's to free")
        for owner in [0, 0] { table.reclaim(owner) }
        for client in 0..<1000 {
            #expect(rig.insert(TableRig.spec(client), worker: 2) != nil, "connection \(client)")
        }
    }
}
