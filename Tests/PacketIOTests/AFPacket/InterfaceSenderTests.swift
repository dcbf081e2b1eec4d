import Foundation
import LVS
import PacketIO
import Posix
import Testing

/// A capture's way onto a wire: frames that arrive as they were sent, all of them.
@Suite(.enabled(if: TestNetwork.isPossible, "needs root"))
struct InterfaceSenderTests {
    /// Frames of 60 bytes to a broadcast address, each with its number in it.
    private static func send(
        _ count: Int, by sender: InterfaceSender, length: Int = 60
    ) -> DriverStatistics {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 128 * 128, alignment: 64)
        defer { unsafe memory.deallocate() }
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0xff, count: 128 * 128)
        for number in 0..<count {
            let start = unsafe memory + number % 128 * 128 + 64
            unsafe start.storeBytes(of: 0xb588, toByteOffset: 12, as: UInt16.self)
            unsafe start.storeBytes(of: UInt32(number), toByteOffset: 14, as: UInt32.self)
            sender.enqueue(
                unsafe Frame(
                    bytes: start, length: length, capacity: 64, headroom: 64, ingress: 0))
            if number % 128 == 127 { sender.flush() }
        }
        sender.flush()
        return sender.statistics
    }

    @Test func `Every frame arrives, however fast they are sent`() throws {
        let network = TestNetwork()
        let (near, far) = (try network.addNamespace("a"), try network.addNamespace("b"))
        try network.addCable("s0", in: near, "r0", in: far)
        let count = 20_000
        let before = try Self.received("r0", in: far)
        let statistics = try TestNetwork.inside(near) {
            let sender = try InterfaceSender(interface: "s0")
            #expect(sender.mtu == 1500 && sender.name == "s0")
            return Self.send(count, by: sender)
        }
        #expect(statistics.sentFrames == UInt64(count) && statistics.sendFailed == 0)
        #expect(statistics.sentBytes == UInt64(count * 60))
        // A veth hands frames over where they are sent; nothing else talks there.
        #expect(try Self.received("r0", in: far) - before == count)
    }

    @Test func `Frames that no interface takes are counted`() throws {
        let network = TestNetwork()
        let (near, far) = (try network.addNamespace("a"), try network.addNamespace("b"))
        try network.addCable("s0", in: near, "r0", in: far)
        let statistics = try TestNetwork.inside(near) {
            let sender = try InterfaceSender(interface: "s0")
            #expect(Self.send(5, by: sender, length: 13).sendFailed == 5)
            try TestNetwork.run("ip -n \(near) link del s0")
            return Self.send(600, by: sender)
        }
        #expect(statistics.sentFrames == 0 && statistics.sendFailed == 605)
    }

    @Test func `An interface that is not there is refused`() throws {
        let network = TestNetwork()
        let near = try network.addNamespace("a")
        let code = try TestNetwork.inside(near) { () -> DriverError.Code? in
            do throws(DriverError) {
                _ = try InterfaceSender(interface: "nothere0")
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code == .noSuchInterface)
    }

    private static func received(_ interface: String, in namespace: String) throws -> Int {
        let text = try TestNetwork.run(
            "ip netns exec \(namespace) cat /sys/class/net/\(interface)/statistics/rx_packets")
        return try #require(Int(text.trimmingCharacters(in: .whitespacesAndNewlines)))
    }
}
