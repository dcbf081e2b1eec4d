import LVS
import PacketIO
import Posix
import Testing

/// ```
/// client 10.76.1.1 ── c0  d0 ── 10.76.1.254 lvs (VIP 10.76.9.1, block, door)
/// ```
private struct DoorNetwork {
    let client: TestNamespace
    let lvs: TestNamespace
    let block: IngressBlock
    let door: HostDoorDriver

    init(workers: Int = 1, reversePathFilter: Int = 0) throws {
        client = try TestNamespace("client")
        lvs = try TestNamespace("lvs")
        try client.connect("c0", to: lvs, "d0")
        try client.run("ip addr add 10.76.1.1/24 dev c0; ip route add default via 10.76.1.254")
        try lvs.run(
            """
            ip addr add 10.76.1.254/24 dev d0; ip addr add 10.76.9.1/32 dev lo;
            echo \(reversePathFilter) > /proc/sys/net/ipv4/conf/all/rp_filter;
            echo \(reversePathFilter) > /proc/sys/net/ipv4/conf/default/rp_filter
            """)
        (block, door) = try lvs.inside {
            let index = try #require(NetworkNamespace.interfaceIndex("d0"))
            let block = try IngressBlock(interfaces: [.init(index: index, name: "d0")])
            var served = ServedTraffic()
            served.services = [
                .init(address: IPAddress(v4: 0x0a4c_0901), transport: .tcp, port: 80),
                .init(address: IPAddress(v4: 0x0a4c_0901), transport: .udp, port: 53),
            ]
            try block.update(served)
            return (block, try HostDoor.open(port: 9, workers: workers)[0])
        }
    }

    /// Writes a packet from the client to the virtual address into the door.
    func pass(_ packet: TestPacket) {
        packet.withFrame { door.enqueue($0) }
        door.flush()
    }

    /// A socket that sees all packets of a protocol that reach the client.
    func watch(_ transport: Int32) throws -> TestSocket {
        try client.inside { TestSocket(.raw(transport)) }
    }
}

@Suite(
    .serialized,
    .enabled(if: TestNamespace.available, "needs root: makes network namespaces"))
struct HostDoorTests {
    @Test("A stray ACK through the door gets the host's reset", arguments: [0, 1, 2])
    func strayACK(reversePathFilter: Int) throws {
        let network = try DoorNetwork(reversePathFilter: reversePathFilter)
        let client = try network.watch(6)
        network.pass(.tcp(flags: 0x10))
        let answer = try #require(client.receive())
        #expect(answer[12...15] == [10, 76, 9, 1])
        #expect(answer[20...23] == [0, 80, 0x9c, 0x40], "ports 80 and 40000")
        #expect(answer[33] & 0x04 != 0, "reset")
    }

    @Test("A partial checksum is finished on the way in")
    func partialChecksum() throws {
        let network = try DoorNetwork()
        let client = try network.watch(6)
        network.pass(.tcp(flags: 0x10, partial: true))
        let answer = try #require(client.receive())
        #expect(answer[33] & 0x04 != 0, "reset")
    }

    @Test("A wrong checksum is refused by the host's stack")
    func wrongChecksum() throws {
        let network = try DoorNetwork()
        let client = try network.watch(6)
        var packet = TestPacket.tcp(flags: 0x10)
        packet.bytes[50] ^= 0x55
        network.pass(packet)
        #expect(client.receive() == nil)
    }

    @Test("A datagram through the door to a closed port gets the host's unreachable")
    func datagram() throws {
        let network = try DoorNetwork()
        let client = try network.watch(1)
        network.pass(.udp(length: 20))
        let answer = try #require(client.receive())
        #expect(answer[20...21] == [3, 3])
    }

    @Test("An echo request through the door is answered, behind a VLAN tag too")
    func echo() throws {
        let network = try DoorNetwork()
        let client = try network.watch(1)
        network.pass(.echo())
        #expect(try #require(client.receive())[20] == 0)
        var tagged = TestPacket.echo()
        tagged.bytes.insert(contentsOf: [0x81, 0, 0, 5], at: 12)
        network.pass(tagged)
        #expect(try #require(client.receive())[20] == 0)
        #expect(network.door.statistics.sentFrames == 2)
        #expect(network.door.statistics.sentBytes == 2 * 36)
    }

    @Test("A super-frame passes whole")
    func superFrame() throws {
        let network = try DoorNetwork()
        let listener = try network.lvs.inside { TestSocket(.udp) }
        #expect(listener.bind("10.76.9.1", port: 53))
        network.pass(.udp(length: 4000, segment: 1000))
        #expect(listener.receive()?.count == 1000)
        for _ in 0..<3 { #expect(listener.receive()?.count == 1000) }
    }

    @Test("What is no IP packet is counted, not written")
    func notIP() throws {
        let network = try DoorNetwork()
        var packet = TestPacket.echo()
        packet.bytes[12] = 0x08
        packet.bytes[13] = 0x06
        network.pass(packet)
        packet.bytes = [1, 2, 3]
        network.pass(packet)
        #expect(network.door.statistics.sendFailed == 2)
        #expect(network.door.statistics.sentFrames == 0)
    }

    @Test("What the host sends into the door comes out as frames")
    func readsBack() throws {
        let network = try DoorNetwork()
        try network.lvs.run("ip route add 10.76.77.0/24 dev director-door src 10.76.1.254")
        let sender = try network.lvs.inside { TestSocket(.udp) }
        #expect(sender.send(to: "10.76.77.1", port: 4000))
        var burst = Burst()
        #expect(network.door.receive(into: &burst) == 1)
        let frame = burst[0]
        #expect(frame.ingress == 9)
        #expect(frame.length == 14 + 20 + 8 + 3)
        let bytes = (0..<Int(frame.length)).map {
            unsafe frame.bytes.load(fromByteOffset: $0, as: UInt8.self)
        }
        #expect(bytes[..<14] == [2, 0x4c, 0x56, 0x53, 0, 1, 2, 0x4c, 0x56, 0x53, 0, 1, 8, 0])
        #expect(bytes[30...33] == [10, 76, 77, 1])
        if frame.checksum == .partial {
            #expect(frame.checksumStart == 34)
            #expect(frame.checksumOffset == 6)
        }
        network.door.release()
        #expect(network.door.receive(into: &burst) == 0)
    }

    @Test("More packets than a burst has room for wait for the next")
    func fullBurst() throws {
        let network = try DoorNetwork()
        try network.lvs.run("ip route add 10.76.77.0/24 dev director-door src 10.76.1.254")
        let sender = try network.lvs.inside { TestSocket(.udp) }
        for _ in 0..<40 { #expect(sender.send(to: "10.76.77.1", port: 4000)) }
        var burst = Burst()
        var received = 0
        for _ in 0..<10 {
            received += network.door.receive(into: &burst)
            burst.removeAll()
            network.door.release()
        }
        #expect(received == 40)
        #expect(network.door.statistics.receivedFrames == 40)
    }

    @Test("A second door in the same namespace is refused, and one after the first is not")
    func onlyOne() throws {
        let network = try DoorNetwork(workers: 2)
        #expect(throws: SystemError.self) {
            try network.lvs.inside { try HostDoor.open(port: 9, workers: 1) }
        }
        let lvs = try TestNamespace("again")
        for _ in 0..<2 {
            try lvs.inside { _ = try HostDoor.open(port: 1, workers: 2) }
            let gone = try lvs.inside {
                eventually { NetworkNamespace.interfaceIndex(HostDoor.name) == nil }
            }
            #expect(gone)
        }
    }
}
