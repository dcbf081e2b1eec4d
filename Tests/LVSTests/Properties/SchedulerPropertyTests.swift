import LVS
import TestKit
import Testing

/// Schedulers against models that are slow and plain: random histories of servers that come, change
/// and go, and of connections.
@Suite struct SchedulerPropertyTests {
    @Test(arguments: [
        "lc", "wlc", "sed", "nq", "dh", "sh", "fo", "ovf", "lblc", "lblcr", "rr",
    ])
    func schedulerAgreesWithAPlainModel(_ scheduler: String) throws {
        for seed in UInt64(1)...40 {
            let bench = try SchedulerBench(scheduler)
            var model = PlainScheduler(name: scheduler)
            var random = SeededGenerator(seed: seed)
            for step in 0..<400 {
                let id = String(UnicodeScalar(UInt8(65 + random.next() % 6)))
                let weight = Int32(random.next() % 5)
                switch random.next() % 12 {
                case 0 where model.isThere(id):
                    bench.delete(id)
                    model.delete(id)
                case 0,
                    1 where !model.isThere(id):
                    bench.add(id, SchedulerStory.server(id, weight: weight))
                    model.add(id, weight: Int(weight))
                case 2 where model.isThere(id):
                    bench.edit(id, SchedulerStory.server(id, weight: weight))
                    model.edit(id, weight: Int(weight))
                case 3, 4:
                    guard model.active[id, default: 0] > 0 else { continue }
                    bench.destination(id)?.becameInactive()
                    bench.destination(id)?.unbind(active: false)
                    model.active[id, default: 0] -= 1
                default:
                    let request = HashVectors.request(
                        client: UInt32(truncatingIfNeeded: random.next()),
                        virtual: 0x0a08_0000 + UInt32(random.next() % 4), port: 1)
                    let picked = bench.pick(request)
                    let expected = model.pick(request)
                    #expect(picked == expected, "seed \(seed), step \(step)")
                    guard let expected, picked == expected else { return }
                    bench.destination(expected)?.bind()
                    bench.destination(expected)?.becameActive()
                    model.active[expected, default: 0] += 1
                }
            }
        }
    }
}

/// What ipvs-semantics 2 says, word for word, with names for servers and no thought of speed; every
/// connection is active, no server is ever full, and time stands still.
private struct PlainScheduler {
    let name: String
    /// Newest first.
    var list: [String] = []
    var weights: [String: Int] = [:]
    var active: [String: Int] = [:]
    /// What lblc and lblcr know of an address; lblc's sets have one member.
    var known: [IPAddress: [String]] = [:]
    /// Those that rr has still to ask before it begins again: the last one chosen and its followers.
    var last: String?

    func isThere(_ id: String) -> Bool { list.contains(id) }

    mutating func add(_ id: String, weight: Int) {
        list.insert(id, at: 0)
        weights[id] = weight
    }

    mutating func edit(_ id: String, weight: Int) { weights[id] = weight }

    mutating func delete(_ id: String) {
        guard let at = list.firstIndex(of: id) else { return }
        if last == id { last = at > 0 ? list[at - 1] : nil }
        list.remove(at: at)
    }

    mutating func pick(_ request: ScheduleRequest) -> String? {
        let able = list.filter { weight($0) > 0 }
        switch name {
        case "rr":
            let start = last.flatMap { list.firstIndex(of: $0) }.map { $0 + 1 } ?? 0
            let order = list[start...] + list[..<start]
            last = order.first { weight($0) > 0 } ?? last
            return order.contains { weight($0) > 0 } ? last : nil
        case "lc": return first(able) { load($0) < load($1) }
        case "wlc": return least(able, load)
        case "sed": return least(able) { load($0) + 1 }
        case "nq": return able.first { load($0) == 0 } ?? least(able) { load($0) + 1 }
        case "fo": return first(able) { weight($0) > weight($1) }
        case "ovf":
            return first(able.filter { load($0) <= weight($0) }) { weight($0) > weight($1) }
        case "dh": return hashed(list, request.virtual)
        case "sh":
            return hashed(
                list.flatMap { Array(repeating: $0, count: max(weight($0), 1)) }, request.client)
        default: return local(request.virtual, able)
        }
    }

    private mutating func local(_ address: IPAddress, _ able: [String]) -> String? {
        let set = known[address] ?? []
        let there = set.filter { isThere($0) && weight($0) > 0 }
        if let member = least(there, load) {
            let hasRoom = list.contains { 2 * load($0) < weight($0) }
            if load(member) <= weight(member) || !hasRoom { return member }
        }
        guard let other = least(able, load) else { return nil }
        if name == "lblc" {
            known[address] = [other]
        } else if !set.contains(other) {
            known[address] = [other] + set
        }
        return other
    }

    private func weight(_ id: String) -> Int { weights[id, default: 0] }
    private func load(_ id: String) -> Int { active[id, default: 0] }

    private func least(_ ids: [String], _ load: (String) -> Int) -> String? {
        first(ids) { load($0) * weight($1) < load($1) * weight($0) }
    }

    /// The first that no other one comes before.
    private func first(_ ids: [String], _ before: (String, String) -> Bool) -> String? {
        ids.first { id in !ids.contains { before($0, id) } }
    }

    private func hashed(_ owners: [String], _ address: IPAddress) -> String? {
        guard !owners.isEmpty else { return nil }
        let bucket = UInt64(address.v4) * 0x61c8_8647 % (1 << 32) / (1 << 24)
        let owner = owners[Int(bucket) % owners.count]
        return weight(owner) > 0 ? owner : nil
    }
}
