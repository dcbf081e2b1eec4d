import LVS
import TestKit
import Testing

@Suite struct TablePropertyTests {
    @Test(arguments: [UInt64(1), 2, 3, 4])
    func `The table agrees with a dictionary under random operations`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let rig = TableRig(connections: 512)
        var model: [ConnectionKey: Connection] = [:]
        for step in 0..<20_000 {
            let client = Int(random.next() % 700)
            let key = TableRig.key(client)
            switch random.next() % 4 {
            case 0, 1:
                let result = rig.table.insert(
                    TableRig.spec(client, server: UInt32(client % 3)), worker: 0, now: rig.now)
                switch result {
                case .inserted(let made):
                    #expect(model[key] == nil, "step \(step), seed \(seed)")
                    model[key] = made
                case .existing(let found):
                    #expect(model[key]?.number == found.number, "step \(step), seed \(seed)")
                case .full:
                    #expect(model.count == 512, "step \(step), seed \(seed)")
                }
            case 2:
                if let known = model.removeValue(forKey: key) {
                    #expect(rig.table.expire(known, worker: 0), "step \(step), seed \(seed)")
                    rig.table.reclaim(0)
                    rig.table.reclaim(0)
                }
            default:
                let found = rig.find(key).map { $0.connection.number }
                let known = model[key].map { $0.number }
                #expect(found == known, "step \(step), seed \(seed)")
            }
        }
        #expect(rig.table.count == model.count)
        for (key, connection) in model {
            #expect(rig.find(key)?.connection.number == connection.number)
            #expect(rig.find(connection.key(.outbound))?.connection.number == connection.number)
        }
    }

    @Test func `A table filled to the brim loses no key`() {
        let rig = TableRig(connections: 20_000)
        for client in 0..<20_000 { #expect(rig.insert(TableRig.spec(client)) != nil) }
        for client in 0..<20_000 {
            #expect(rig.find(TableRig.key(client)) != nil)
            #expect(rig.find(TableRig.spec(client).outboundTuple) != nil)
        }
    }
}
