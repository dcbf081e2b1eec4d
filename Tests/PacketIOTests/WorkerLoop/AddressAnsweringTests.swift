import LVS
import PacketIO
import Posix
import Testing

@Suite struct AddressAnsweringTests {
    private static let mine: UInt64 = 0x0200_0000_00bb
    private static let asker: UInt64 = 0x0200_0000_00aa
    private static let vip: [UInt8] = [0xfd, 0x76, 0, 9] + [UInt8](repeating: 0, count: 11) + [1]
    private static let client: [UInt8] =
        [0xfd, 0x76, 0, 1] + [UInt8](repeating: 0, count: 11) + [9]
    private static let nobody = [UInt8](repeating: 0, count: 16)
    private static let group: [UInt8] =
        [0xff, 2] + [UInt8](repeating: 0, count: 9) + [1, 0xff, 0, 0, 1]
    private static let allNodes: [UInt8] = [0xff, 2] + [UInt8](repeating: 0, count: 13) + [1]
    private static let toAllNodes: UInt64 = 0x3333_0000_0001

    /// What leaves, the announcement at start included, when these frames come.
    private func answers(
        for addresses: [IPAddress], to frames: [[UInt8]], vlan: UInt32 = 0
    ) throws -> (sent: [[UInt8]], loop: WorkerLoop) {
        let driver = MemoryDriver(port: 0)
        let answering = try AddressAnswering(addresses: addresses)
        answering.setHardware(HardwareAddress(value: Self.mine), of: 0)
        let loop = try WorkerLoop(
            drivers: [driver], answering: answering, processor: ScriptedProcessor { _ in .pass })
        for frame in frames { driver.deliver(frame) { $0.vlan = vlan } }
        try run(loop)
        let sent = driver.takeSent()
        #expect(sent.dropFirst(addresses.count).allSatisfy { $0.vlan == vlan })
        return (sent.map(\.bytes), loop)
    }

    private func run(_ loop: WorkerLoop) throws {
        try loop.start()
        #expect(eventually { loop.counts.sleeps >= 1 })
        loop.wake()
        #expect(eventually { loop.counts.sleeps >= 2 })
        loop.stop()
    }

    private static let six = IPAddress(high: 0xfd76_0009_0000_0000, low: 1)

    /// A solicitation for the virtual address as a kernel sends it, the checksum right.
    private func solicitation(
        from source: [UInt8] = client, to destination: [UInt8] = group,
        for target: [UInt8] = vip, options: [UInt8] = [1, 1] + FrameBytes.mac(asker),
        hops: UInt8 = 255
    ) -> [UInt8] {
        let message: [UInt8] = [135, 0, 0, 0, 0, 0, 0, 0] + target + options
        return FrameBytes.control6(
            to: 0x3333_ff00_0001, from: Self.asker, source: source, destination: destination,
            hops: hops, message)
    }

    private func advertisement(
        to hardware: UInt64, _ destination: [UInt8], isSolicited: Bool
    ) -> [UInt8] {
        let message: [UInt8] =
            [136, 0, 0, 0, isSolicited ? 0x60 : 0x20, 0, 0, 0] + Self.vip + [2, 1]
            + FrameBytes.mac(Self.mine)
        return FrameBytes.control6(
            to: hardware, from: Self.mine, source: Self.vip, destination: destination, hops: 255,
            message)
    }

    @Test func arpIsAnsweredForNamedAddressesAndNoOther() throws {
        // The last announces the address for himself: that is no question.
        let (sent, loop) = try answers(
            for: [IPAddress(v4: 0x0a00_0001)],
            to: [
                FrameBytes.arpRequest(for: [10, 0, 0, 1], from: Self.asker),
                FrameBytes.arpRequest(for: [10, 0, 0, 2], from: Self.asker),
                FrameBytes.arpRequest(
                    for: [10, 0, 0, 1], from: 0x0200_0000_00cc, address: [10, 0, 0, 1]),
            ], vlan: 0x8100_0005)
        let (mine, asker) = (FrameBytes.mac(Self.mine), FrameBytes.mac(Self.asker))
        let head: [UInt8] = [8, 6, 0, 1, 8, 0, 6, 4, 0]
        let announcement =
            FrameBytes.mac(0xffff_ffff_ffff) + mine + head + [1] + mine + [10, 0, 0, 1]
            + FrameBytes.mac(0) + [10, 0, 0, 1]
        let answer =
            asker + mine + head + [2] + mine + [10, 0, 0, 1] + asker + [10, 0, 0, 9]
        #expect(sent == [announcement, answer])
        #expect(loop.counts.answered == 1)
        #expect(loop.counts.passed == 2)
    }

    @Test func solicitationsAreAnsweredToWhoAsks() throws {
        // Without the option the frame's own sender gets the answer.
        let plain = solicitation(options: [])
        let (sent, loop) = try answers(
            for: [Self.six], to: [solicitation(), plain, solicitation(to: Self.vip)],
            vlan: 0x8100_0005)
        let answer = advertisement(to: Self.asker, Self.client, isSolicited: true)
        let announcement = advertisement(to: Self.toAllNodes, Self.allNodes, isSolicited: false)
        #expect(sent == [announcement, answer, answer, answer])
        #expect(loop.counts.answered == 3 && loop.counts.passed == 0)
    }

    @Test func whoWantsTheAddressHimselfIsToldBeforeEverybody() throws {
        let claim = solicitation(from: Self.nobody, options: [])
        let (sent, _) = try answers(for: [Self.six], to: [claim])
        let defence = advertisement(to: Self.toAllNodes, Self.allNodes, isSolicited: false)
        #expect(sent == [defence, defence])
    }

    /// RFC 4861, section 7.1.1, and what is no question for an address of ours.
    @Test func whatIsNoProperQuestionIsLeftToTheHost() throws {
        var damaged = solicitation()
        damaged[60] ^= 1
        var coded = solicitation()
        coded[55] = 1
        let other = [UInt8](Self.vip.dropLast()) + [2]
        let frames = [
            damaged, coded, solicitation(hops: 64), solicitation(for: other),
            solicitation(from: Self.nobody),
            solicitation(from: Self.nobody, to: Self.vip, options: []),
            solicitation(options: [1, 0, 0, 0, 0, 0, 0, 0]),
            solicitation(options: [1, 2, 0, 0, 0, 0, 0, 0]), solicitation(options: [1, 1, 0]),
            Array(solicitation().prefix(77)), Array(solicitation().prefix(80)),
        ]
        let (sent, loop) = try answers(for: [Self.six], to: frames)
        #expect(sent.count == 1, "only the announcement")
        #expect(loop.counts.passed == UInt64(frames.count) && loop.counts.answered == 0)
    }

    @Test(arguments: [
        IPAddress.anyV4, .anyV6, IPAddress(v4: .max), IPAddress(v4: 0xe000_0001),
        IPAddress(high: 0xff02 << 48, low: 1),
    ])
    func onlyAddressesOfSingleHostsCanBeAnsweredFor(_ address: IPAddress) {
        #expect(throws: AddressAnswering.Refusal.self) {
            try AddressAnswering(addresses: [address])
        }
    }
}

/// ```
/// client fd76:1::1 ── c0  d0 ── fd76:1::fe lvs, which answers for fd76:1::100
/// ```
@Suite(
    .serialized,
    .enabled(if: TestNamespace.available, "needs root: makes network namespaces"))
struct AddressAnsweringNetworkTests {
    @Test("A kernel finds the director by neighbour discovery, and does not take its address")
    func discovery() throws {
        let client = try TestNamespace("client")
        let lvs = try TestNamespace("lvs")
        try client.connect("c0", to: lvs, "d0")
        try client.run("ip addr add fd76:1::1/64 dev c0 nodad")
        try lvs.run("ip addr add fd76:1::fe/64 dev d0 nodad")
        let address = IPAddress(high: 0xfd76_0001_0000_0000, low: 0x100)
        let (driver, index) = try lvs.inside {
            var options = DriverRegistry.Options()
            options.answersAddresses = true
            return (
                try DriverRegistry.open("d0", port: 0, options: options),
                try #require(NetworkNamespace.interfaceIndex("d0"))
            )
        }
        let answering = try AddressAnswering(addresses: [address])
        let hardware = try lvs.run("cat /sys/class/net/d0/address").filter { $0 != "\n" }
        answering.setHardware(
            HardwareAddress(
                value: try #require(UInt64(hardware.filter { $0 != ":" }, radix: 16))), of: 0)
        let groups = SolicitedGroups()
        #expect(try lvs.inside { groups.follow([index], addresses: [address]) }.isEmpty)
        #expect(try lvs.run("ip maddr show dev d0").contains("ff02::1:ff00:100"))
        let loop = try WorkerLoop(
            drivers: [driver], answering: answering, processor: ScriptedProcessor { _ in .pass })
        try loop.start()
        defer { loop.stop() }

        _ = client.status("ping -c 1 -W 1 fd76:1::100")
        let found = try client.run("ip -6 neigh show fd76:1::100")
        #expect(found.contains(hardware), "\(found)")
        try client.run("sysctl -qw net.ipv6.conf.c0.accept_dad=1")
        try client.run("ip addr add fd76:1::100/64 dev c0")
        #expect(
            eventually {
                (try? client.run("ip addr show dev c0"))?.contains("dadfailed") == true
            })
        _ = groups.follow([index], addresses: [])
        #expect(try !lvs.run("ip maddr show dev d0").contains("ff02::1:ff00:100"))
    }
}
