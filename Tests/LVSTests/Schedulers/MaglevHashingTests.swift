import LVS
import TestKit
import Testing

@Suite struct MaglevHashingTests {
    /// How many slots each server owns (ipvs-semantics 2.9): one client for each slot is asked.
    @Test(arguments: [
        ("A=3 B=1 C=2", "A=2046 B=682 C=1365"),
        ("A=300 B=1 C=100", "A=3027 B=82 C=984"),
        ("A=0 B=1", "B=4093"),
        ("A=0", ""),
        ("", ""),
    ])
    func serversOwnSlotsByWeight(_ servers: String, _ expected: String) throws {
        let bench = try SchedulerStory.bench("mh", servers)
        let counts = try SchedulerStory.numbers(expected)
        let owners = MaglevHashingTests.clients.compactMap {
            bench.pick(HashVectors.request(client: $0, port: 1))
        }
        #expect(Dictionary(owners.map { ($0, 1) }, uniquingKeysWith: +) == counts)
    }

    /// The first slots of ipvs-semantics C; 10.2.0.11 to 13 are A, B and C.
    @Test(arguments: [
        ("A=1 B=1 C=1", "CBAACAABCCBBBCBA"),
        ("A=3 B=1 C=2", "CAAACAABCCBABCBA"),
    ])
    func firstSlotsAreTheKernels(_ servers: String, _ expected: String) throws {
        let bench = try SchedulerStory.bench("mh", servers)
        let owners = MaglevHashingTests.clients.prefix(16).map {
            bench.pick(HashVectors.request(client: $0, port: 1)) ?? "-"
        }
        #expect(owners.joined() == expected)
    }

    /// Vectors of ipvs-semantics C: address, slot, slot with port 6000.
    @Test(arguments: [
        (0x0a01_0002, 1900, 736), (0x0a01_0064, 1043, 51), (0xac10_0001, 1127, 1615),
        (0xc000_0201, 2891, 2701), (0xcb00_7107, 1705, 1676),
    ])
    func clientHasItsSlot(_ client: UInt32, _ slot: Int, _ withPort: Int) throws {
        let bench = try SchedulerStory.bench("mh", "A=3 B=1 C=2")
        let owner = { (slot: Int) in
            bench.pick(HashVectors.request(client: MaglevHashingTests.clients[slot], port: 1))
        }
        let owners = (owner(slot), owner(withPort))
        #expect(bench.pick(HashVectors.request(client: client, port: 6000)) == owners.0)
        bench.take(SchedulerOptions(flags: .schedulerFlag2))
        #expect(bench.pick(HashVectors.request(client: client, port: 6000)) == owners.1)
    }

    @Test(arguments: [
        (0, 0, 0x9ac4_8af0), (1, 2_654_435_761, 0x16ec_66b2),
        (0x0a01_0002, 2_654_435_761, 0xe594_538a), (0x0a01_0064, 2_654_435_761, 0xc267_a9cd),
        (0xac10_0001, 2_654_435_761, 0xcdf3_0f96), (0xc000_0201, 2_654_435_761, 0x9288_9c88),
        (0xcb00_7107, 2_654_435_761, 0xa86e_2c15),
    ])
    func hashIsSipHashWithOneAndThreeRounds(
        _ value: UInt32, _ key: UInt64, _ expected: UInt32
    ) {
        #expect(SipHash13.hash(value, key: key) == expected)
    }

    @Test func serverPutToWeightZeroKeepsItsSlots() throws {
        let bench = try SchedulerStory.bench("mh", "A=1 B=1")
        let requests = MaglevHashingTests.clients.map { HashVectors.request(client: $0, port: 1) }
        let before = requests.map { bench.pick($0) }
        bench.edit("A", SchedulerStory.server("A", weight: 0))
        #expect(requests.map { bench.pick($0) } == before.map { $0 == "A" ? nil : $0 })
        bench.take(SchedulerOptions(flags: .schedulerFlag1))
        #expect(requests.allSatisfy { bench.pick($0) == "B" })
    }

    @Test func serviceWithMoreServersThanSlotsIsRefused() throws {
        let rig = DirectorRig.twoLegged()
        let key = ServiceKey.address(.tcp, IPAddress(v4: 0x0a01_0064), port: 80)
        try rig.director.add(VirtualService(key: key, scheduler: "rr"))
        for number in 300..<4394 { try rig.director.add(HashVectors.server(number), to: key) }
        #expect(throws: CommandRefusal.self) {
            try rig.director.edit(VirtualService(key: key, scheduler: "mh"))
        }
        #expect(rig.director.service(key)?.service.scheduler == "rr")
        try rig.director.delete(HashVectors.server(300).address, port: 80, of: key)
        try rig.director.edit(VirtualService(key: key, scheduler: "mh"))
    }

    /// For each slot the smallest address that has it.
    private static let clients: [UInt32] = {
        var clients = [UInt32](repeating: 0, count: 4093)
        var (missing, address) = (4093, UInt32(0))
        while missing > 0 {
            address += 1
            let slot = Int(SipHash13.hash(address, key: 2_654_435_761)) % 4093
            guard clients[slot] == 0 else { continue }
            clients[slot] = address
            missing -= 1
        }
        return clients
    }()
}
