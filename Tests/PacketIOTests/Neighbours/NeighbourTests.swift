import LVS
import PacketIO
import Posix
import Testing

/// ```
/// lvs 10.76.1.254, fd76:1::fe ── d0  s0 ── 10.76.1.1, fd76:1::1 server (02:00:00:00:01:01)
/// ```
private final class Segment {
    static let server = Neighbour(port: 0, address: IPAddress(v4: 0x0a4c_0101))
    static let server6 = Neighbour(
        port: 0, address: IPAddress(high: 0xfd76_0001_0000_0000, low: 1))
    static let nobody = Neighbour(port: 0, address: IPAddress(v4: 0x0a4c_0163))
    static let hardware = HardwareAddress(value: 0x0200_0000_0101)

    let lvs: TestNamespace
    let server: TestNamespace
    let surroundings: Surroundings
    private var seconds: UInt64 = 1
    private(set) var known: [Neighbour: HardwareAddress] = [:]
    private(set) var updates: [Surroundings.Update] = []

    init(kernelKeeps: Bool? = nil) throws {
        lvs = try TestNamespace("lvs")
        server = try TestNamespace("server")
        try Self.wire(lvs, server)
        surroundings = try lvs.inside {
            try Surroundings(interfaces: ["d0"], kernelKeepsNeighbours: kernelKeeps)
        }
        try step()
    }

    static func wire(_ lvs: TestNamespace, _ server: TestNamespace) throws {
        try server.connect("s0", to: lvs, "d0")
        try server.run(
            """
            ip link set s0 address 02:00:00:00:01:01; ip addr add 10.76.1.1/24 dev s0;
            ip addr add fd76:1::1/64 dev s0 nodad
            """)
        try lvs.run("ip addr add 10.76.1.254/24 dev d0; ip addr add fd76:1::fe/64 dev d0 nodad")
    }

    /// One update, a second later than the one before.
    func step() throws {
        seconds += 1
        let update = try surroundings.update(now: now)
        for (neighbour, hardware) in update.neighbours { known[neighbour] = hardware }
        updates.append(update)
    }

    var now: Instant { Instant(nanoseconds: seconds * 1_000_000_000) }

    func eventually(_ condition: () throws -> Bool) throws -> Bool {
        try PacketIOTests.eventually {
            try step()
            return try condition()
        }
    }
}

@Suite(
    .serialized,
    .enabled(if: TestNamespace.available, "needs root: makes network namespaces"))
struct NeighbourTests {
    @Test("A wanted neighbour is resolved and kept, in both families")
    func resolves() throws {
        let segment = try Segment()
        segment.surroundings.want([Segment.server, Segment.server6], now: segment.now)
        #expect(
            try segment.eventually {
                segment.known[Segment.server] == Segment.hardware
                    && segment.known[Segment.server6] == Segment.hardware
            })
        #expect(try segment.lvs.run("ip neigh show 10.76.1.1").contains("managed"))
    }

    @Test("Where the kernel does not keep neighbours, the director asks again and again")
    func withoutTheKernelsCare() throws {
        let segment = try Segment(kernelKeeps: false)
        segment.surroundings.want([Segment.server, Segment.nobody], now: segment.now)
        #expect(try segment.eventually { segment.known[Segment.server] == Segment.hardware })
        #expect(try !segment.lvs.run("ip neigh show").contains("managed"))
        try segment.server.run("ip addr add 10.76.1.99/24 dev s0")
        #expect(try segment.eventually { segment.known[Segment.nobody] == Segment.hardware })
        try segment.lvs.run("ip neigh flush dev d0")
        #expect(try segment.eventually { segment.known[Segment.server] == nil })
        #expect(try segment.eventually { segment.known[Segment.server] == Segment.hardware })
    }

    @Test("A neighbour that appears late is found")
    func late() throws {
        let segment = try Segment()
        segment.surroundings.want([Segment.nobody], now: segment.now)
        for _ in 0..<20 { try segment.step() }
        #expect(segment.known[Segment.nobody] == nil)
        try segment.server.run("ip addr add 10.76.1.99/24 dev s0")
        #expect(try segment.eventually { segment.known[Segment.nobody] == Segment.hardware })
    }

    @Test("A neighbour with a new Ethernet address is followed")
    func newHardware() throws {
        let segment = try Segment()
        segment.surroundings.want([Segment.server], now: segment.now)
        #expect(try segment.eventually { segment.known[Segment.server] == Segment.hardware })
        try segment.server.run("ip link set s0 address 02:00:00:00:01:77")
        try segment.server.run("ping -c 1 -W 1 10.76.1.254")
        let new = HardwareAddress(value: 0x0200_0000_0177)
        #expect(try segment.eventually { segment.known[Segment.server] == new })
    }

    @Test("Wanted neighbours come back after a loss of carrier")
    func carrier() throws {
        let segment = try Segment()
        segment.surroundings.want([Segment.server], now: segment.now)
        #expect(try segment.eventually { segment.known[Segment.server] != nil })
        try segment.server.run("ip link set s0 down")
        #expect(try segment.eventually { segment.known[Segment.server] == nil })
        #expect(segment.updates.contains { $0.warnings.contains("interface d0 has no carrier") })
        try segment.server.run("ip link set s0 up")
        #expect(try segment.eventually { segment.known[Segment.server] == Segment.hardware })
    }

    @Test("Wanted neighbours come back after their entries were flushed")
    func flush() throws {
        let segment = try Segment()
        segment.surroundings.want([Segment.server], now: segment.now)
        #expect(try segment.eventually { segment.known[Segment.server] != nil })
        try segment.lvs.run("ip neigh del 10.76.1.1 dev d0")
        #expect(try segment.eventually { segment.known[Segment.server] == Segment.hardware })
        #expect(
            try segment.eventually {
                try segment.lvs.run("ip neigh show 10.76.1.1").contains("managed")
            })
    }

    @Test("An operator's own entry is used and left as it is")
    func permanent() throws {
        let segment = try Segment()
        try segment.lvs.run(
            "ip neigh replace 10.76.1.1 lladdr 02:00:00:00:00:99 dev d0 nud permanent")
        try segment.step()
        segment.surroundings.want([Segment.server], now: segment.now)
        for _ in 0..<30 { try segment.step() }
        #expect(segment.known[Segment.server] == HardwareAddress(value: 0x0200_0000_0099))
        #expect(try segment.lvs.run("ip neigh show 10.76.1.1").contains("PERMANENT"))
    }

    @Test("Released neighbours are the kernel's again")
    func release() throws {
        let segment = try Segment()
        segment.surroundings.want([Segment.server, Segment.server6], now: segment.now)
        #expect(
            try segment.eventually {
                segment.known[Segment.server] != nil && segment.known[Segment.server6] != nil
            })
        segment.surroundings.release([Segment.server])
        #expect(try !segment.lvs.run("ip neigh show 10.76.1.1").contains("managed"))
        segment.surroundings.close()
        #expect(try !segment.lvs.run("ip neigh show").contains("managed"))
    }

    @Test("An interface that goes and comes back keeps its port number")
    func interfaceReturns() throws {
        let segment = try Segment()
        segment.surroundings.want([Segment.server], now: segment.now)
        #expect(try segment.eventually { segment.known[Segment.server] != nil })
        let before = segment.surroundings.interface(of: 0)
        try segment.lvs.run("ip link del d0")
        #expect(try segment.eventually { segment.updates.last?.vanished == [0] })
        #expect(segment.surroundings.interface(of: 0) == nil)
        #expect(segment.known == [:])
        #expect(!segment.surroundings.standingWarnings.isEmpty)
        try Segment.wire(segment.lvs, segment.server)
        #expect(try segment.eventually { segment.updates.last?.appeared == [0] })
        #expect(segment.surroundings.interface(of: 0) != before)
        #expect(segment.updates.last?.ports?.map(\.name) == ["d0"])
        #expect(try segment.eventually { segment.known[Segment.server] == Segment.hardware })
    }
}
