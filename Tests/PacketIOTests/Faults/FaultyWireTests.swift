import LVS
import PacketIO
import TestKit
import Testing

/// A director whose wires do harm: what leaves is right or was harmed on its way out, and nothing traps,
/// hangs or is lost in the director.
@Suite struct FaultyWireTests {
    /// Rounds of a talk; enough in a debug build for every fault to happen in both directions.
    #if DEBUG
        private static let rounds: UInt16 = 20
    #else
        private static let rounds: UInt16 = 60
    #endif
    private static let own = [0x0200_0a01_0001, 0x0200_0a02_0001].map { HardwareAddress(value: $0) }
    private static let client = IPAddress(v4: 0x0a01_0009)
    private static let virtual = IPAddress(v4: 0x0a01_0064)
    private static let server = IPAddress(v4: 0x0a02_0011)
    private static let hardware = HardwareAddress(value: 0x0200_0000_0009)

    /// A director with clients at port 0 and a server at port 1.
    private func rig() throws -> DirectorRig {
        let rig = DirectorRig()
        rig.director.setPorts(
            Self.own.enumerated().map { number, hardware in
                Port(index: PortIndex(number), name: "eth\(number)", hardware: hardware, mtu: 1500)
            })
        rig.director.setRoutes(
            [UInt32(0x0a01_0000), 0x0a02_0000].enumerated().map { number, prefix in
                Route(
                    prefix: IPAddress(v4: prefix), prefixLength: 24,
                    kind: .forward(port: PortIndex(number), gateway: nil),
                    preferredSource: IPAddress(v4: prefix | 1))
            })
        for (port, address) in [(0, Self.client), (1, Self.server)] {
            rig.director.setNeighbour(
                Neighbour(port: PortIndex(port), address: address), Self.hardware)
        }
        let key = ServiceKey.address(.tcp, Self.virtual, port: 80)
        try rig.director.add(VirtualService(key: key, scheduler: "rr"))
        try rig.director.add(
            RealServer(address: Self.server, port: 8080, method: .masquerading, weight: 1),
            to: key)
        return rig
    }

    /// Takes turns over both drivers, as a worker's loop does, until nothing more comes.
    private func turn(_ rig: DirectorRig, _ drivers: [FaultyDriver]) {
        let worker = rig.director.workers[0]
        var burst = Burst()
        worker.wake()
        for _ in 0..<12 {
            for driver in drivers {
                _ = driver.receive(into: &burst)
                worker.process(&burst, now: rig.clock.now)
                for egress in drivers {
                    egress.enqueue(sendsOf: burst)
                    egress.flush()
                }
                burst.removeAll()
                driver.release()
            }
        }
        worker.rest()
    }

    /// Requests of as many clients as there are rounds, each answered by what the server was asked for.
    private func talk(
        _ rig: DirectorRig, _ wires: [MemoryDriver], _ drivers: [FaultyDriver], rounds: UInt16
    ) -> (requests: [MemoryDriver.Sent], replies: [MemoryDriver.Sent]) {
        var requests: [MemoryDriver.Sent] = []
        var replies: [MemoryDriver.Sent] = []
        for round in 0..<rounds {
            let client = PacketBuilder(
                from: Self.client, at: Self.hardware, to: Self.virtual, at: Self.own[0])
            for flags in [UInt8(2), 16, 24, 17] {
                wires[0].deliver(
                    client.tcp(from: 1000 + round, to: 80, flags: flags, payload: [1, 2, 3]))
            }
            let server = PacketBuilder(
                from: Self.server, at: Self.hardware, to: Self.client, at: Self.own[1])
            for flags in [UInt8(18), 16, 17] {
                wires[1].deliver(
                    server.tcp(from: 8080, to: 1000 + round, flags: flags, payload: [4, 5]))
            }
            turn(rig, drivers)
            requests += wires[1].takeSent()
            replies += wires[0].takeSent()
        }
        return (requests, replies)
    }

    @Test func wiresWithoutFaultsCarryEverythingOnce() throws {
        let rig = try rig()
        let wires = [MemoryDriver(port: 0), MemoryDriver(port: 1)]
        let drivers = wires.map { FaultyDriver($0) }
        let (requests, replies) = talk(rig, wires, drivers, rounds: 20)
        #expect(requests.count == 80)
        #expect(replies.count == 60)
        #expect(drivers.map(\.harmed) == [0, 0])
    }

    @Test(arguments: 1...12, [UInt64(1), 2, 3])
    func everyNthFrameIsHarmedOnItsWayIn(number: Int, seed: UInt64) throws {
        let rig = try rig()
        let wires = [MemoryDriver(port: 0), MemoryDriver(port: 1)]
        let drivers = wires.map {
            FaultyDriver($0, receiving: .init(every: number), seed: seed)
        }
        let (requests, replies) = talk(rig, wires, drivers, rounds: Self.rounds)
        #expect(drivers.allSatisfy { $0.harmed > 0 })
        for sent in requests + replies {
            // The director passes on what is whole, so what leaves is whole and right.
            #expect(TestFrame.isRight(sent.bytes), "\(sent.bytes)")
        }
        for sent in requests {
            #expect(Array(sent.bytes[30..<34]) == Self.server.wireBytes.suffix(4))
        }
        if number > 2 { #expect(!requests.isEmpty && !replies.isEmpty) }
        #expect(!rig.director.workers[0].hasParkedFrames)
    }

    @Test(arguments: 1...12)
    func everyNthFrameIsHarmedOnItsWayOut(number: Int) throws {
        let rig = try rig()
        let wires = [MemoryDriver(port: 0), MemoryDriver(port: 1)]
        var faults = FaultyDriver.Faults(every: number)
        faults.cut = 0
        let drivers = wires.map { FaultyDriver($0, sending: faults, seed: 7) }
        let (requests, replies) = talk(rig, wires, drivers, rounds: Self.rounds)
        for sent in requests + replies {
            #expect(TestFrame.isRight(sent.bytes), "\(sent.bytes)")
        }
        #expect(drivers.allSatisfy { $0.harmed > 0 })
        if number == 1 {
            #expect(requests.isEmpty && replies.isEmpty)
        } else {
            #expect(drivers.contains { $0.statistics.sendFailed > 0 })
        }
    }

    /// Nothing vanishes in the director and nothing is sent twice: what came twice leaves twice.
    @Test(arguments: 1...12)
    func whatIsDoubledLeavesAsOftenAsItCame(number: Int) throws {
        let rig = try rig()
        let wires = [MemoryDriver(port: 0), MemoryDriver(port: 1)]
        var faults = FaultyDriver.Faults()
        faults.doubled = number
        let drivers = wires.map { FaultyDriver($0, receiving: faults, seed: 3) }
        let (requests, replies) = talk(rig, wires, drivers, rounds: 20)
        #expect(requests.count == 80 + drivers[0].harmed)
        #expect(replies.count == 60 + drivers[1].harmed)
    }

    @Test func theSameSeedDoesTheSameHarm() throws {
        let runs = try (0..<2).map { _ in
            let rig = try rig()
            let wires = [MemoryDriver(port: 0), MemoryDriver(port: 1)]
            let drivers = wires.map {
                FaultyDriver(
                    $0, receiving: .init(every: 5), sending: .init(every: 7), seed: 42)
            }
            let (requests, replies) = talk(rig, wires, drivers, rounds: 30)
            return requests.map(\.bytes) + replies.map(\.bytes)
        }
        #expect(runs[0] == runs[1])
        #expect(!runs[0].isEmpty)
    }
}
