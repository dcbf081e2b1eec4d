import LVS
import PacketIO
import Posix
import Testing

/// An AF_XDP driver on one end of a cable and a packet socket, the test's own, on the other end.
final class XDPLab {
    let network = TestNetwork()
    let inside: String
    let outside: String
    let commons: DriverCommons
    let driver: XDPDriver
    let far: AFPacketDriver
    let station: UInt64
    let farStation: UInt64

    /// The driver serves `d0`, or a bridge that it is a port of; bridges know generic mode only.
    init(takesEverything: Bool = true, onBridge: Bool = false) throws {
        let inside = try network.addNamespace("d")
        let outside = try network.addNamespace("c")
        try network.addCable("d0", in: inside, "c0", in: outside)
        let name = onBridge ? "b0" : "d0"
        if onBridge {
            try TestNetwork.run("ip -n \(inside) link add b0 type bridge")
            try TestNetwork.run("ip -n \(inside) link set d0 master b0")
            try TestNetwork.run("ip -n \(inside) link set b0 up")
            // Where netfilter looks at bridged frames it drops those that are no right IPv4.
            let filter = "/proc/sys/net/bridge/bridge-nf-call-iptables"
            try TestNetwork.run(
                "ip netns exec \(inside) sh -c '[ ! -e \(filter) ] || echo 0 > \(filter)'")
        }
        let commons = DriverCommons()
        (driver, station) = try TestNetwork.inside(inside) {
            var options = XDPDriver.Options()
            options.takesEverything = takesEverything
            options.commons = commons
            return (
                try XDPDriver(interface: name, port: 0, options: options),
                try InterfaceDescription(named: name).hardware
            )
        }
        (far, farStation) = try TestNetwork.inside(outside) {
            (
                try AFPacketDriver(interface: "c0", port: 9),
                try InterfaceDescription(named: "c0").hardware
            )
        }
        self.commons = commons
        self.inside = inside
        self.outside = outside
    }

    /// Sends from the far end; `adjust` sets checksum state, segments and tag.
    func arrive(_ bytes: [UInt8], adjust: (inout Frame) -> Void = { _ in }) {
        let held = HeldFrame(bytes, adjust: adjust)
        far.enqueue(held.frame)
        far.flush()
    }

    /// What has reached the far end: bytes and what is known of them.
    func departed() -> [(bytes: [UInt8], frame: Frame)] {
        var burst = Burst()
        guard far.receive(into: &burst) > 0 else { return [] }
        defer { far.release() }
        return (0..<burst.count).map { (FrameBytes.bytes(of: burst[$0]), burst[$0]) }
    }

    func firstDeparted() -> (bytes: [UInt8], frame: Frame)? {
        let end = MonotonicClock.now() + 1_000_000_000
        while MonotonicClock.now() < end {
            if let first = departed().first { return first }
        }
        return nil
    }

    func receive(into burst: inout Burst) -> Bool {
        let end = MonotonicClock.now() + 1_000_000_000
        while driver.receive(into: &burst) == 0 {
            guard MonotonicClock.now() < end else { return false }
            Thread.yield()
        }
        return true
    }

    /// One frame from the driver, sent back with its addresses turned; nil when none came within a
    /// second.
    func bounce() -> (bytes: [UInt8], frame: Frame)? {
        var burst = Burst()
        guard receive(into: &burst) else { return nil }
        let seen = (FrameBytes.bytes(of: burst[0]), burst[0])
        burst[0].verdict = .send(0)
        let addresses = FrameBytes.mac(farStation) + FrameBytes.mac(station)
        unsafe burst[0].bytes.copyMemory(from: addresses, byteCount: 12)
        driver.enqueue(sendsOf: burst)
        driver.flush()
        driver.release()
        return seen
    }
}
