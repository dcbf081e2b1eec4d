import Foundation
import LVS
import PacketIO
import Posix
import Testing

/// Hands frames of port 0 to the far station of port 1 and back, as a bridge with manners would.
private final class Crossing: BurstProcessor {
    let stations: [(own: UInt64, far: UInt64)]

    init(stations: [(own: UInt64, far: UInt64)]) { self.stations = stations }

    func process(_ burst: inout Burst, now: Instant) {
        for index in 0..<burst.count {
            let bytes = unsafe burst[index].bytes
            guard unsafe bytes.loadUnaligned(fromByteOffset: 12, as: UInt16.self) == 0x0008 else {
                continue
            }
            let out = 1 - Int(burst[index].ingress)
            let addresses =
                FrameBytes.mac(stations[out].far) + FrameBytes.mac(stations[out].own)
            unsafe bytes.copyMemory(from: addresses, byteCount: 12)
            burst[index].verdict = .send(PortIndex(out))
        }
    }

    var hasWaiting: Bool { false }
    func wake() {}
    func sleep() {}
}

@Suite(.serialized, .enabled(if: TestNetwork.isPossible, "needs root and ip"))
struct WorkerLoopNetworkTests {
    private func station(_ interface: String, in namespace: String) throws -> UInt64 {
        try TestNetwork.inside(namespace) { try InterfaceDescription(named: interface).hardware }
    }

    /// client 10.9.0.1 --c0 d0-- director --d1 s0-- server 10.9.0.2, frames crossed in user space.
    @Test(
        .enabled(if: Files.exists("/usr/bin/python3"), "needs python3"),
        arguments: ["afpacket", "xdp"],
        ["", "ethtool -K NAME tso off gso off", "ethtool -K NAME tx off"])
    func aTCPStreamCrossesWholeWhateverTheEndsOffload(scheme: String, ends: String) throws {
        let network = TestNetwork()
        let client = try network.addNamespace("c")
        let director = try network.addNamespace("d")
        let server = try network.addNamespace("s")
        try network.addCable("d0", in: director, "c0", in: client)
        try network.addCable("d1", in: director, "s0", in: server)
        let c0 = try station("c0", in: client)
        let d0 = try station("d0", in: director)
        let d1 = try station("d1", in: director)
        let s0 = try station("s0", in: server)
        for (name, space, own, far, mac) in [
            ("c0", client, "10.9.0.1", "10.9.0.2", d0), ("s0", server, "10.9.0.2", "10.9.0.1", d1),
        ] {
            let text = FrameBytes.mac(mac).map { String($0, radix: 16) }.joined(separator: ":")
            try TestNetwork.run("ip -n \(space) addr add \(own)/24 dev \(name)")
            try TestNetwork.run("ip -n \(space) neigh add \(far) lladdr \(text) dev \(name)")
            guard !ends.isEmpty else { continue }
            let command = ends.replacingOccurrences(of: "NAME", with: name)
            try TestNetwork.run("ip netns exec \(space) \(command)")
        }
        let drivers = try TestNetwork.inside(director) {
            var options = DriverRegistry.Options()
            options.interfaces = 2
            let drivers = [
                try DriverRegistry.open("\(scheme):d0", port: 0, options: options),
                try DriverRegistry.open("\(scheme):d1", port: 1, options: options),
            ]
            let server = ServedTraffic.Endpoint(
                address: IPAddress(v4: 0x0a09_0002), transport: .tcp, port: 80)
            var served = ServedTraffic()
            served.services = [server]
            served.servers = [server]
            try options.commons.redirects?.update(served)
            return drivers
        }
        let loop = try WorkerLoop(
            drivers: drivers, processor: Crossing(stations: [(d0, c0), (d1, s0)]))
        try loop.start()
        defer { loop.stop() }

        let bytes = 30_000_000
        let serve = """
            python3 -c 'import socket; l = socket.create_server(("10.9.0.2", 80)); s, _ = l.accept(); \
            s.sendall(bytes(range(250)) * (\(bytes) // 250)); s.close()'
            """
        let process = try TestNetwork.start("ip netns exec \(server) \(serve)")
        defer { process.terminate() }
        let fetch = """
            import hashlib, socket, time
            for i in range(50):
                try:
                    s = socket.create_connection(("10.9.0.2", 80), 5); break
                except OSError: time.sleep(0.1)
            s.settimeout(20)
            h, n = hashlib.sha256(), 0
            while True:
                b = s.recv(1 << 16)
                if not b: break
                h.update(b); n += len(b)
            w = hashlib.sha256(bytes(range(250)) * (\(bytes) // 250))
            print(n, h.digest() == w.digest())
            """
        let output = try TestNetwork.run("ip netns exec \(client) python3 -c '\(fetch)'")
        #expect(output == "\(bytes) True\n")
        #expect(loop.counts.sent == loop.counts.frames)
        #expect(drivers.map(\.statistics.truncated) == [0, 0])
        #expect(drivers.map(\.statistics.sendFailed) == [0, 0])
    }

    /// Two directors and a client on one bridge; the address belongs to the first.
    @Test func ofTwoDirectorsOnlyTheOwnerAnswersForTheAddress() throws {
        let network = TestNetwork()
        let bridge = try network.addNamespace("b")
        try TestNetwork.run("ip -n \(bridge) link add br0 type bridge")
        try TestNetwork.run("ip -n \(bridge) link set br0 up")
        let client = try network.addNamespace("c")
        let first = try network.addNamespace("d1")
        let second = try network.addNamespace("d2")
        for (number, space) in [client, first, second].enumerated() {
            try network.addCable("p\(number)", in: bridge, "e0", in: space)
            try TestNetwork.run("ip -n \(bridge) link set p\(number) master br0")
        }
        // On the directors' hosts the address is not configured, but its network is.
        try TestNetwork.run("ip -n \(first) addr add 10.0.0.11/24 dev e0")
        try TestNetwork.run("ip -n \(second) addr add 10.0.0.12/24 dev e0")

        let far = try TestNetwork.inside(client) { try AFPacketDriver(interface: "e0", port: 0) }
        let asker = try station("e0", in: client)
        var loops: [WorkerLoop] = []
        defer { for loop in loops { loop.stop() } }
        for (space, addresses) in [(first, [IPAddress(v4: 0x0a00_0001)]), (second, [])] {
            let driver = try TestNetwork.inside(space) {
                var options = DriverRegistry.Options()
                options.answersAddresses = true
                return try DriverRegistry.open("e0", port: 0, options: options)
            }
            let answering = try AddressAnswering(addresses: addresses)
            answering.setHardware(
                HardwareAddress(value: try station("e0", in: space)), of: 0)
            let loop = try WorkerLoop(
                drivers: [driver], answering: answering,
                processor: ScriptedProcessor { _ in .pass })
            try loop.start()
            loops.append(loop)
        }
        far.send([HeldFrame(FrameBytes.arpRequest(for: [10, 0, 0, 1], from: asker))])
        var answers: [[UInt8]] = []
        let end = MonotonicClock.now() + 500_000_000
        while MonotonicClock.now() < end {
            var burst = Burst()
            guard far.receive(into: &burst) > 0 else {
                Thread.yield()
                continue
            }
            for index in 0..<burst.count { answers.append(FrameBytes.bytes(of: burst[index])) }
            far.release()
        }
        #expect(answers.count == 1)
        let owner = FrameBytes.mac(try station("e0", in: first))
        #expect(answers.first.map { Array($0[22..<32]) } == owner + [10, 0, 0, 1])
        #expect(loops.map(\.counts.answered) == [1, 0])
    }
}
