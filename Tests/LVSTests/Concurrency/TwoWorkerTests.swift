import LVS
import Synchronization
import TestKit
import Testing

/// Two workers on threads of their own over one director, whose services change meanwhile.
@Suite struct TwoWorkerTests {
    private static let virtual = IPAddress(v4: 0x0a01_0064)
    private static let flows = 200
    private static let rounds = 40

    /// What the threads of one test tell each other.
    private final class Progress: Sendable {
        /// Flows whose first packet has gone through, and the server each went to.
        let opened = Atomic<Int>(0)
        let servers = Mutex<[IPAddress]>([])
        let isOver = Atomic<Bool>(false)
    }

    private static func server(_ number: UInt32, weight: Int32 = 1, port: UInt16) -> RealServer {
        var server = RealServer(
            address: IPAddress(v4: 0x0a02_000b + number), port: port, method: .masquerading)
        server.weight = weight
        return server
    }

    private static func rig(
        _ transport: TransportProtocol, _ port: UInt16, servers: UInt16
    ) throws -> (DirectorRig, ServiceKey) {
        let rig = DirectorRig.twoLegged(workers: 2)
        let key = ServiceKey.address(transport, virtual, port: port)
        try rig.director.add(VirtualService(key: key, scheduler: "wrr"))
        for number in UInt32(0)..<2 {
            try rig.director.add(server(number, port: servers), to: key)
        }
        return (rig, key)
    }

    private static func client(_ flow: Int) -> (address: IPAddress, port: UInt16) {
        (IPAddress(v4: 0xc633_6401 + UInt32(flow % 50)), UInt16(2000 + flow))
    }

    /// Why a frame is not the one that leaves for an address and port from another; nil when it is.
    private static func fault(
        _ frame: [UInt8]?, from source: (IPAddress, UInt16), to destination: (IPAddress, UInt16)
    ) -> String? {
        guard let frame else { return "nothing was sent" }
        let found = (
            IPAddress(v4: frame.be32(26)), frame.be16(34), IPAddress(v4: frame.be32(30)),
            frame.be16(36)
        )
        guard found == (source.0, source.1, destination.0, destination.1) else {
            return "\(found) instead of \(source) to \(destination)"
        }
        let sum = frame.onesSum(34..<frame.count, from: UInt32(frame.pseudoHeaderSum()))
        return sum == 0xffff ? nil : "a wrong checksum from \(source) to \(destination)"
    }

    @Test func `Two threads translate both directions while services change`() async throws {
        let (rig, key) = try Self.rig(.tcp, 80, servers: 8080)
        let (director, now) = (rig.director, rig.clock.now)
        let progress = Progress()
        async let requests = Self.requests(director, now, progress)
        async let replies = Self.replies(director, now, progress)
        async let edits = Self.edits(director, key, now, progress)
        let faults = await requests + replies
        progress.isOver.store(true, ordering: .releasing)
        #expect(faults.isEmpty, "\(faults.prefix(5))")
        let refused = await edits
        #expect(refused.isEmpty, "\(refused.prefix(5))")
        director.tick(now)
        #expect(director.table.count == Self.flows)
        let listed = try #require(director.services().first).servers
        #expect(listed.reduce(0) { $0 + Int($1.active) } == Self.flows)
        #expect(listed.reduce(0) { $0 + Int($1.inactive) } == 0)
    }

    /// The clients' packets, by worker 0.
    private static func requests(
        _ director: Director, _ now: Instant, _ progress: Progress
    ) async -> [String] {
        let lane = FrameLane()
        var faults: [String] = []
        for round in 0...rounds {
            for flow in 0..<flows {
                let client = client(flow)
                let frame = DirectorRig.client(client.address).tcp(
                    from: client.port, to: 80, flags: round == 0 ? 2 : 16)
                let sent = lane.send([frame], on: 0, by: director.workers[0], now: now)[0].sent
                let target = sent.first.map { IPAddress(v4: $0.bytes.be32(30)) } ?? .anyV4
                if round == 0 {
                    progress.servers.withLock { $0.append(target) }
                    progress.opened.store(flow + 1, ordering: .releasing)
                }
                let server = progress.servers.withLock { $0[flow] }
                let fault = fault(sent.first?.bytes, from: client, to: (server, 8080))
                if let fault { faults.append("round \(round): \(fault)") }
            }
            await Task.yield()
        }
        return faults
    }

    /// The servers' packets, by worker 1, each flow as soon as it is open.
    private static func replies(
        _ director: Director, _ now: Instant, _ progress: Progress
    ) async -> [String] {
        let lane = FrameLane()
        var faults: [String] = []
        for round in 0..<rounds {
            for flow in 0..<flows {
                while progress.opened.load(ordering: .acquiring) <= flow { await Task.yield() }
                let client = client(flow)
                let server = progress.servers.withLock { $0[flow] }
                let frame = DirectorRig.server(server, to: client.address).tcp(
                    from: 8080, to: client.port, flags: round == 0 ? 18 : 16)
                let sent = lane.send([frame], on: 1, by: director.workers[1], now: now)[0].sent
                let fault = fault(sent.first?.bytes, from: (virtual, 80), to: client)
                if let fault { faults.append("round \(round): \(fault)") }
            }
            await Task.yield()
        }
        return faults
    }

    /// Weights and a third server that comes and goes, other services and routes, until the end.
    private static func edits(
        _ director: Director, _ key: ServiceKey, _ now: Instant, _ progress: Progress
    ) async -> [String] {
        var refused: [String] = []
        var turn: Int32 = 0
        while !progress.isOver.load(ordering: .acquiring) {
            turn += 1
            let other = ServiceKey.address(.udp, virtual, port: UInt16(1000 + turn % 50))
            do {
                try director.edit(
                    server(UInt32(turn % 2), weight: 1 + turn % 3, port: 8080), of: key)
                try director.add(server(7, weight: 0, port: 9090), to: key)
                try director.delete(server(7, port: 9090).address, port: 9090, of: key)
                try director.add(VirtualService(key: other, scheduler: "rr"))
                try director.delete(other)
            } catch {
                refused.append("\(error)")
            }
            director.tick(now)
            await Task.yield()
        }
        return refused
    }

    @Test func `Fragments of one datagram may come to both threads`() async throws {
        let (rig, _) = try Self.rig(.udp, 53, servers: 53)
        let (director, now) = (rig.director, rig.clock.now)
        async let first = Self.halves(0, director, now)
        async let second = Self.halves(1, director, now)
        let (sent, late) = await (first, second)
        // Each datagram leaves as the two fragments it came in, by whoever had the second.
        #expect(sent + late == 2 * Self.flows)
        #expect(director.dropCounts().allSatisfy { $0.frames == 0 }, "\(director.dropCounts())")
    }

    /// One half of every datagram, by the worker of that number; how many frames left.
    private static func halves(
        _ number: Int, _ director: Director, _ now: Instant
    ) async -> Int {
        let lane = FrameLane()
        var sent = 0
        for flow in 0..<flows {
            let client = client(flow)
            var builder = DirectorRig.client(client.address)
            builder.identification = UInt16(flow + 1)
            builder.hasDontFragment = false
            let whole = builder.udp(
                from: client.port, to: 53, payload: [UInt8](repeating: 7, count: 1592))
            let payload = Array(whole[34...])
            let half = number == 0 ? payload[..<800] : payload[800...]
            var fragment = builder.frame(transport: 17, checksumAt: nil, Array(half))
            fragment.set(20, be16: number == 0 ? 0x2000 : 100)
            fragment.fillHeaderChecksum()
            sent +=
                lane.send([fragment], on: 0, by: director.workers[number], now: now)[0].sent
                .count
            await Task.yield()
        }
        return sent
    }
}
