import LVS
import PacketIO
import Posix
import TestKit

/// A driver on port 0 and whoever sends to it and takes what departs.
class DriverBench {
    let driver: any BurstDriver
    /// The MAC address of the driver's interface, and of the far end.
    private(set) var station: UInt64
    private(set) var farStation: UInt64
    /// Bursts are too much memory to make one for each call.
    private var burst = Burst()

    init(_ driver: any BurstDriver, station: UInt64, farStation: UInt64) {
        self.driver = driver
        self.station = station
        self.farStation = farStation
    }

    /// Makes frames arrive, in order.
    func arrive(_ frames: [TestFrame]) { fatalError("a bench has a far end") }
    /// Everything that left and was not asked for before.
    func departed() -> [Seen] { fatalError("a bench has a far end") }

    /// The cable has other ends now.
    fileprivate func move(station: UInt64, farStation: UInt64) {
        self.station = station
        self.farStation = farStation
    }

    final func arrive(_ frame: TestFrame) { arrive([frame]) }

    final func arrive(number: Int, length: Int = 60) {
        arrive([TestFrame(number: number, to: station, length: length)])
    }

    /// Receives until so many frames are in the burst or five seconds have passed.
    final func receive(_ count: Int, into burst: inout Burst) {
        let end = MonotonicClock.now() + 5_000_000_000
        while burst.count < count, MonotonicClock.now() < end {
            if driver.receive(into: &burst) == 0 { Thread.yield() }
        }
    }

    /// So many frames, or those that came in time; their memory is given back.
    final func receive(_ count: Int, within nanoseconds: UInt64 = 5_000_000_000) -> [Seen] {
        let end = MonotonicClock.now() + nanoseconds
        var all: [Seen] = []
        while all.count < count, MonotonicClock.now() < end {
            guard driver.receive(into: &burst) > 0 else {
                Thread.yield()
                continue
            }
            for index in 0..<burst.count { all.append(Seen(burst[index])) }
            finish(&burst)
        }
        return all
    }

    /// The same, each sent back to the far end with its addresses turned.
    final func bounce(_ count: Int = 1) -> [Seen] {
        let end = MonotonicClock.now() + 5_000_000_000
        let addresses = FrameBytes.mac(farStation) + FrameBytes.mac(station)
        var all: [Seen] = []
        while all.count < count, MonotonicClock.now() < end {
            guard driver.receive(into: &burst) > 0 else {
                Thread.yield()
                continue
            }
            for index in 0..<burst.count {
                all.append(Seen(burst[index]))
                unsafe burst[index].bytes.copyMemory(from: addresses, byteCount: 12)
                burst[index].verdict = .send(driver.port)
            }
            finish(&burst)
        }
        return all
    }

    /// Does with a burst what a worker does when the engine has decided.
    final func finish(_ burst: inout Burst) {
        settle(&burst)
        driver.enqueue(sendsOf: burst)
        driver.flush()
        driver.release()
        burst.removeAll()
    }

    /// Answers a kernel that waits for answers.
    final func settle(_ burst: inout Burst) {
        (driver as? any SettlingDriver)?.settle(&burst)
    }

    /// So many of those that left, or those that did in time.
    final func departed(_ count: Int, within nanoseconds: UInt64 = 5_000_000_000) -> [Seen] {
        let end = MonotonicClock.now() + nanoseconds
        var all: [Seen] = []
        while all.count < count, MonotonicClock.now() < end { all += departed() }
        return all
    }

    /// Sends frames that did not come by a driver.
    final func send(_ frames: [TestFrame]) {
        driver.send(frames.map { $0.held() })
    }
}

/// The driver in memory.
final class MemoryBench: DriverBench {
    let memory = MemoryDriver(port: 0)

    init(isWrapped: Bool) {
        super.init(
            isWrapped ? FaultyDriver(memory) : memory, station: 0x0200_0000_0001,
            farStation: 0x0200_0000_0002)
    }

    override func arrive(_ frames: [TestFrame]) {
        for frame in frames { memory.deliver(frame.bytes) { frame.describe(&$0) } }
    }

    override func departed() -> [Seen] { memory.takeSent().map { Seen($0) } }
}

/// A driver at one end of a cable and a packet socket, the test's own, at the other end.
final class CableBench: DriverBench {
    let network: TestNetwork
    let inside: String
    let outside: String
    /// The served interface: the end of the cable, `d0`, or the bridge that is a port of, `b0`.
    let name: String
    let interface: any InterfaceDriver
    private let place: DriverRow.Place
    private(set) var far: AFPacketDriver
    private var left = Burst()

    init(
        _ place: DriverRow.Place = .cable(mtu: 1500),
        open: @escaping @Sendable (String, PortIndex) throws -> any InterfaceDriver
    ) throws {
        network = TestNetwork()
        self.place = place
        inside = try network.addNamespace("d")
        outside = try network.addNamespace("c")
        if case .bridge = place { name = "b0" } else { name = "d0" }
        try Self.lay(place, network, inside, outside)
        let name = name
        let (driver, station) = try TestNetwork.inside(inside) {
            (try open(name, 0), try InterfaceDescription(named: name).hardware)
        }
        let far = try Self.openFar(outside)
        self.far = far.driver
        interface = driver
        super.init(driver, station: station, farStation: far.station)
    }

    private static func lay(
        _ place: DriverRow.Place, _ network: TestNetwork, _ inside: String, _ outside: String
    ) throws {
        try network.addCable("d0", in: inside, "c0", in: outside)
        switch place {
        case .cable(let mtu) where mtu != 1500:
            try TestNetwork.run("ip -n \(inside) link set d0 mtu \(mtu)")
            try TestNetwork.run("ip -n \(outside) link set c0 mtu \(mtu)")
        case .bridge:
            try TestNetwork.run("ip -n \(inside) link add b0 type bridge")
            try TestNetwork.run("ip -n \(inside) link set d0 master b0")
            try TestNetwork.run("ip -n \(inside) link set b0 up")
            try TestNetwork.waitUntilUp([(inside, "b0")])
            // Where netfilter looks at bridged frames it drops those that are no right IPv4.
            let filter = "/proc/sys/net/bridge/bridge-nf-call-iptables"
            try TestNetwork.run(
                "ip netns exec \(inside) sh -c '[ ! -e \(filter) ] || echo 0 > \(filter)'")
        default: break
        }
    }

    private static func openFar(
        _ outside: String
    ) throws -> (driver: AFPacketDriver, station: UInt64) {
        try TestNetwork.inside(outside) {
            (
                try AFPacketDriver(interface: "c0", port: 9),
                try InterfaceDescription(named: "c0").hardware
            )
        }
    }

    /// Runs `ip` inside and outside with these words.
    func ip(_ words: String) throws { try TestNetwork.run("ip -n \(inside) \(words)") }
    func farIP(_ words: String) throws { try TestNetwork.run("ip -n \(outside) \(words)") }

    /// Sets the served interface up again, and waits until both ends of its cable send.
    func setUp() throws {
        try ip("link set \(name) up")
        try TestNetwork.waitUntilUp([(inside, name), (outside, "c0")])
    }

    func setMTU(_ mtu: Int) throws {
        try ip("link set d0 mtu \(mtu)")
        if case .bridge = place { try ip("link set b0 mtu \(mtu)") }
        try farIP("link set c0 mtu \(mtu)")
    }

    /// Deletes the interface, and the cable with it.
    func delete() throws {
        try ip("link del \(name)")
        if case .bridge = place { try ip("link del d0") }
    }

    /// Makes the interface anew, with a cable to a new far end; `refresh` is the driver's business.
    func makeAnew() throws {
        try Self.lay(place, network, inside, outside)
        let far = try Self.openFar(outside)
        self.far = far.driver
        let name = name
        let station = try TestNetwork.inside(inside) {
            try InterfaceDescription(named: name).hardware
        }
        move(station: station, farStation: far.station)
    }

    func refresh() throws -> Bool {
        let interface = interface
        return try TestNetwork.inside(inside) { try interface.refresh() }
    }

    override func arrive(_ frames: [TestFrame]) {
        far.send(frames.map { $0.held() })
    }

    override func departed() -> [Seen] {
        guard far.receive(into: &left) > 0 else { return [] }
        var all: [Seen] = []
        for index in 0..<left.count { all.append(Seen(left[index])) }
        left.removeAll()
        far.release()
        return all
    }
}
