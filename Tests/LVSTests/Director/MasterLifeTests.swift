import LVS
import TestKit
import Testing

/// A master over time: entries that are used again, several workers, a full queue, an end and a beginning.
@Suite struct MasterLifeTests {
    /// Connections that are told of as closed until each entry of a small table has been used, and many again;
    /// the numbers of these entries.
    private static func useAll(_ rig: MasterRig) throws -> Set<UInt32> {
        var used: Set<UInt32> = []
        var count = 0
        for _ in 0..<8 {
            for port in UInt16(1001)...1300 {
                for flags in [UInt8(2), 16, 4] { rig.client(flags, from: port) }
                count += 1
                let states = rig.states()
                try #require(states == [.close], "connection \(count)")
            }
            used.formUnion(rig.numbers)
            rig.rig.advance(milliseconds: 11_000)
        }
        try #require(rig.numbers.isEmpty && used.count < count, "entries are used again")
        return used
    }

    @Test func `An entry that is another connection's now is told anew`() throws {
        let rig = try MasterRig(
            MasterRig.web, ["sync_threshold": "0 0"], connections: 1024)
        _ = try Self.useAll(rig)
    }

    @Test func `So is one that an ICMP error has opened`() throws {
        let rig = try MasterRig(
            ["-A -t 10.1.0.100:80 -s rr", "-a -t 10.1.0.100:80 -r 10.2.0.11:80 -g"],
            ["schedule_icmp": "1", "sync_threshold": "0 0"], connections: 1024)
        let used = try Self.useAll(rig)
        // 198.51.100.9 cannot take what 10.1.0.100:80 has sent to its port 6801.
        let error = try #require(
            [UInt8](
                hexadecimal: "02000a01000102000a0100fe080045000038100240004001f621c63364090a010064"
                    + "0303e21a000000004500003c300040004006d61a0a010064c633640900501a9100000001"))
        #expect(rig.rig.send(error, on: 0).verdict == .send(1))
        try #require(rig.numbers.count == 1 && used.isSuperset(of: rig.numbers))
        #expect(rig.told().isEmpty)
        let builder = DirectorRig.client(IPAddress(v4: 0xc633_6409))
        for flags in [UInt8(2), 16, 4] {
            let frame = builder.tcp(from: 6801, to: 80, flags: flags)
            #expect(rig.rig.send(frame, on: 0).verdict == .send(1))
        }
        #expect(rig.states() == [.close])
    }

    @Test func `Packets that several workers have are counted together`() throws {
        let rig = try MasterRig(workers: 2)
        #expect(rig.tellings(until: 110) == [3, 53, 103])
        rig.client(17, worker: 1)
        let states = rig.states()
        rig.client(16, worker: 0)
        rig.client(16, worker: 1)
        #expect(states.count == 1 && rig.told().isEmpty, "a state is told once, by one of them")
    }

    @Test func `Each worker has a queue of its own, and the housekeeper one`() throws {
        let rig = try MasterRig(MasterRig.persistentWeb, ["sync_threshold": "0 1"], workers: 2)
        rig.client(2, worker: 0)
        rig.client(16, worker: 1)
        rig.rig.advance(milliseconds: 70_000)
        let counts = rig.director.syncQueues.map { queue in
            var count = 0
            while queue.take() != nil { count += 1 }
            return count
        }
        #expect(counts == [1, 2, 1])
    }

    @Test func `What a full queue has no room for is counted, and nothing else happens`() throws {
        let rig = try MasterRig(
            ["-A -u 10.1.0.100:53 -s rr", "-a -u 10.1.0.100:53 -r 10.2.0.11:53 -m"],
            ["sync_threshold": "0 1"])
        let frame = DirectorRig.client(MasterRig.client).udp(from: 4000, to: 53)
        let bursts = Int(SyncQueue.capacity) / 64 + 2
        for _ in 0..<bursts {
            let outcomes = rig.rig.send(Array(repeating: frame, count: 64), on: 0)
            #expect(outcomes.allSatisfy { $0.verdict == .send(1) })
        }
        #expect(rig.lost == 128)
        #expect(rig.told().count == Int(SyncQueue.capacity))
        rig.datagram()
        #expect(rig.told().count == 1 && rig.lost == 128)
    }

    @Test func `A master that ends tells nothing more, and one that begins tells all again`()
        throws
    {
        let rig = try MasterRig(MasterRig.web, ["sync_threshold": "2 0"])
        rig.open()
        #expect(rig.states() == [.established])
        rig.client(4)
        #expect(rig.states() == [.close])
        rig.director.setMasterDaemon(isRunning: false)
        rig.client(4)
        #expect(rig.told().isEmpty)
        rig.director.setMasterDaemon(isRunning: true)
        rig.client(4)
        #expect(rig.states() == [.close], "the state was told by the earlier master")
        rig.director.setMasterDaemon(isRunning: true)
        rig.client(4)
        #expect(rig.told().isEmpty, "a second start is none")
    }

    @Test func `What waited when a master ended can be dropped`() throws {
        let rig = try MasterRig(MasterRig.web, ["sync_threshold": "0 1"])
        rig.open()
        rig.director.setMasterDaemon(isRunning: false)
        for queue in rig.director.syncQueues { queue.drop() }
        #expect(rig.told().isEmpty)
        rig.director.setMasterDaemon(isRunning: true)
        rig.client(16)
        #expect(rig.told().count == 1)
    }

    @Test func `Settings count from the next packet on`() throws {
        let rig = try MasterRig()
        #expect(rig.tellings(until: 10) == [3])
        try rig.director.set(name: "sync_threshold", text: "0 1")
        rig.client(16)
        #expect(rig.told().count == 1)
        try rig.director.set(name: "sync_threshold", text: "13 0")
        for _ in 12...20 { rig.client(16) }
        #expect(rig.told().count == 1)
    }

    @Test func `Told connections are told on, as such`() throws {
        let rig = try MasterRig(MasterRig.web, ["sync_threshold": "0 1"])
        var told = SynchronisationTests.told(to: 11)
        told.timeoutSeconds = 700
        SynchronisationTests.take(told, rig.rig, .made)
        #expect(rig.told().isEmpty, "who has told knows")
        rig.client(16)
        #expect(rig.told().map(\.isSynchronised) == [true])
    }
}
