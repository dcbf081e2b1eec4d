import LVS
import PacketIO
import TestKit
import Testing

/// One interface shared by the packet sockets of two workers.
@Suite(.enabled(if: TestNetwork.isPossible, "needs root"))
struct FanoutGroupTests {
    /// Two namespaces and a cable; the drivers of two workers on the inner end `d0`.
    private final class SharedCable {
        let network = TestNetwork()
        let inside: String
        let outside: String
        let shared: ServedInterface
        private var far: AFPacketDriver
        private var station: HardwareAddress

        init() throws {
            let (inside, outside) = (
                try network.addNamespace("in"), try network.addNamespace("out")
            )
            (self.inside, self.outside) = (inside, outside)
            try network.addCable("d0", in: inside, "c0", in: outside)
            shared = try TestNetwork.inside(inside) {
                var options = DriverRegistry.Options()
                options.workers = 2
                return Held(interface: try ServedInterface("d0", port: 0, options: options))
            }.interface
            (far, station) = try Self.farEnd("c0", outside, inside)
        }

        private struct Held: @unchecked Sendable { var interface: ServedInterface }

        private static func farEnd(
            _ name: String, _ outside: String, _ inside: String
        ) throws -> (AFPacketDriver, HardwareAddress) {
            let far = try TestNetwork.inside(outside) {
                try AFPacketDriver(interface: name, port: 9)
            }
            let hardware = try TestNetwork.inside(inside) {
                try InterfaceDescription(named: "d0").hardware
            }
            return (far, HardwareAddress(value: hardware))
        }

        /// Deletes `d0` and makes it anew.
        func replace() throws {
            try TestNetwork.run("ip -n \(inside) link del d0")
            try network.addCable("d0", in: inside, "c1", in: outside)
            (far, station) = try Self.farEnd("c1", outside, inside)
        }

        func refresh() throws -> Bool {
            let held = Held(interface: shared)
            return try TestNetwork.inside(inside) { try held.interface.refresh() }
        }

        /// Sends a datagram of each flow; which worker got it, -1 for none, and 99 for both.
        func workers(ofFlows flows: Int) throws -> [Int] {
            var result = [Int](repeating: -1, count: flows)
            for flow in 0..<flows {
                let builder = PacketBuilder(
                    from: IPAddress(v4: 0xc633_6407), at: HardwareAddress(value: 0x0200_0000_00fe),
                    to: IPAddress(v4: 0x0a00_0064), at: station)
                far.send([HeldFrame(builder.udp(from: UInt16(5000 + 2 * flow), to: 53))])
            }
            var burst = Burst()
            for (worker, driver) in shared.drivers.enumerated() {
                var quiet = 0
                while quiet < 20 {
                    guard driver.receive(into: &burst) > 0 else {
                        quiet += 1
                        continue
                    }
                    quiet = 0
                    for index in 0..<burst.count {
                        let bytes = FrameBytes.bytes(of: burst[index])
                        guard bytes.be16(12) == 0x0800, bytes[23] == 17 else { continue }
                        let flow = (Int(bytes.be16(34)) - 5000) / 2
                        result[flow] = result[flow] == -1 ? worker : 99
                    }
                    burst.removeAll()
                    driver.release()
                }
            }
            return result
        }
    }

    @Test func everyFrameComesToOneWorkerAndAFlowAlwaysToTheSame() throws {
        let cable = try SharedCable()
        let first = try cable.workers(ofFlows: 60)
        #expect(Set(first) == [0, 1])
        #expect(min(first.count { $0 == 0 }, first.count { $0 == 1 }) > 10)
        #expect(try cable.workers(ofFlows: 60) == first)
        #expect(cable.shared.statistics.receivedFrames >= 120)
    }

    @Test func aFlowKeepsItsWorkerWhenTheInterfaceGoesDownAndUp() throws {
        let cable = try SharedCable()
        let first = try cable.workers(ofFlows: 60)
        try TestNetwork.run("ip -n \(cable.inside) link set d0 down")
        try TestNetwork.run("ip -n \(cable.inside) link set d0 up")
        try TestNetwork.waitUntilUp([(cable.inside, "d0"), (cable.outside, "c0")])
        for driver in cable.shared.drivers { driver.descriptorFailed() }
        #expect(try cable.workers(ofFlows: 60) == first)
    }

    @Test func aFlowKeepsItsWorkerWhenTheInterfaceIsMadeAnew() throws {
        let cable = try SharedCable()
        let first = try cable.workers(ofFlows: 60)
        for _ in 0..<2 {
            try cable.replace()
            #expect(cable.shared.isDetached)
            #expect(try cable.refresh())
            #expect(!cable.shared.isDetached)
            #expect(try cable.workers(ofFlows: 60) == first)
            // The drivers let go of the old sockets.
            #expect(try !cable.refresh())
        }
    }
}
