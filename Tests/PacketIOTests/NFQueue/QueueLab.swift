import LVS
import PacketIO
import Posix
import TestKit
import Testing

/// A director's host between a client's network and a server's, both taken by one queue; client and
/// server are packet sockets of the test's own.
///
/// ```
///  c0 10.0.0.9 ── d0 10.0.0.1, VIP 10.0.0.100   d1 10.1.0.1 ── s0 10.1.0.9
/// ```
/// The same over IPv6, 2001:db8:0::/64 and 2001:db8:1::/64, with the same last numbers.
final class QueueLab {
    let network = TestNetwork()
    let inside: String
    let commons = DriverCommons()
    let drivers: [NFQueueDriver]
    let rules: QueueRules
    let client: AFPacketDriver
    let server: AFPacketDriver
    let clientStation: UInt64
    let serverStation: UInt64
    /// Where the client and the server send to.
    let stations: [UInt64]
    var queues: NFQueueCommons { commons.queues }

    static func address(_ text: String) -> IPAddress {
        guard let address = IPAddress(parsing: text) else { preconditionFailure(text) }
        return address
    }

    static let vip = address("10.0.0.100")
    static let vip6 = address("2001:db8::100")
    static let serverAddress = address("10.1.0.9")
    static let serverAddress6 = address("2001:db8:1::9")
    static let clientAddress = address("10.0.0.9")
    static let clientAddress6 = address("2001:db8::9")

    /// What the rules lead to the queue: TCP and UDP port 80 of both virtual addresses, and replies.
    static var served: ServedTraffic {
        var served = ServedTraffic()
        for transport in [TransportProtocol.tcp, .udp] {
            for vip in [vip, vip6] {
                served.services.insert(.init(address: vip, transport: transport, port: 80))
            }
            for server in [serverAddress, serverAddress6] {
                served.servers.insert(.init(address: server, transport: transport, port: 80))
            }
        }
        served.hostAddresses = [address("10.0.0.1"), vip, address("10.1.0.1"), vip6]
        return served
    }

    init(forwards: Bool = true, served: ServedTraffic? = QueueLab.served) throws {
        let inside = try network.addNamespace("d")
        let outside = try network.addNamespace("c")
        let far = try network.addNamespace("s")
        try network.addCable("d0", in: inside, "c0", in: outside)
        try network.addCable("d1", in: inside, "s0", in: far)
        (client, clientStation) = try Self.open("c0", in: outside)
        (server, serverStation) = try Self.open("s0", in: far)
        let macs = [clientStation, serverStation].map { station in
            FrameBytes.mac(station).map { String($0, radix: 16) }.joined(separator: ":")
        }
        let forwarding = forwards ? 1 : 0
        try TestNetwork.run(
            """
            ip netns exec \(inside) sh -ec '
            sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.d0.disable_ipv6=0
            sysctl -qw net.ipv6.conf.d1.disable_ipv6=0 net.ipv4.ip_forward=\(forwarding)
            sysctl -qw net.ipv6.conf.all.forwarding=\(forwarding)
            ip addr add 10.0.0.1/24 dev d0; ip addr add 10.0.0.100/32 dev d0
            ip addr add 10.1.0.1/24 dev d1
            ip addr add 2001:db8::1/64 dev d0 nodad; ip addr add 2001:db8::100/128 dev d0 nodad
            ip addr add 2001:db8:1::1/64 dev d1 nodad
            for a in 10.0.0.9 2001:db8::9; do ip neigh add $a lladdr \(macs[0]) dev d0; done
            for a in 10.1.0.9 2001:db8:1::9; do ip neigh add $a lladdr \(macs[1]) dev d1; done'
            """)
        let commons = commons
        let opened = try TestNetwork.inside(inside) {
            commons.queues.use(try QueueRange("0"))
            let drivers = try ["d0", "d1"].enumerated().map { number, name in
                try NFQueueDriver(
                    interface: name, port: PortIndex(number), worker: 0, commons: commons.queues)
            }
            let stations = try ["d0", "d1"].map { try InterfaceDescription(named: $0).hardware }
            commons.queues.followForwarding()
            return (drivers, stations, RulesBox(rules: try QueueRules(commons.queues)))
        }
        (drivers, stations) = (opened.0, opened.1)
        rules = opened.2.rules
        self.inside = inside
        if let served { try rules.update(served) }
    }

    private struct RulesBox: @unchecked Sendable { var rules: QueueRules }

    private static func open(
        _ name: String, in namespace: String
    ) throws -> (AFPacketDriver, UInt64) {
        try TestNetwork.inside(namespace) {
            (
                try AFPacketDriver(interface: name, port: 9),
                try InterfaceDescription(named: name).hardware
            )
        }
    }

    @discardableResult
    func run(_ command: String) throws -> String {
        try TestNetwork.run("ip netns exec \(inside) \(command)")
    }

    /// A packet from the client to the virtual address.
    func request(isIPv6: Bool = false) -> PacketBuilder {
        PacketBuilder(
            from: isIPv6 ? Self.clientAddress6 : Self.clientAddress,
            at: HardwareAddress(value: clientStation), to: isIPv6 ? Self.vip6 : Self.vip,
            at: HardwareAddress(value: stations[0]))
    }

    /// A packet from the server to the client.
    func reply(isIPv6: Bool = false) -> PacketBuilder {
        PacketBuilder(
            from: isIPv6 ? Self.serverAddress6 : Self.serverAddress,
            at: HardwareAddress(value: serverStation),
            to: isIPv6 ? Self.clientAddress6 : Self.clientAddress,
            at: HardwareAddress(value: stations[1]))
    }

    func send(_ bytes: [UInt8], by far: AFPacketDriver, _ adjust: (inout Frame) -> Void = { _ in })
    {
        far.send([HeldFrame(bytes, adjust: adjust)])
    }

    /// Waits for packets of the queue.
    func receive(_ count: Int = 1, into burst: inout Burst) -> Bool {
        let end = MonotonicClock.now() + 1_000_000_000
        while burst.count < count {
            guard MonotonicClock.now() < end else { return false }
            if drivers[0].receive(into: &burst) == 0 { Thread.yield() }
        }
        return true
    }

    /// The same, where the test cannot go on without.
    func take(into burst: inout Burst) throws {
        guard receive(into: &burst) else {
            throw TestNetwork.CommandFailure(text: "no packet came to the queue")
        }
    }

    /// Does with a burst what the worker does with it.
    func finish(_ burst: inout Burst) {
        drivers[0].settle(&burst)
        for driver in drivers {
            driver.enqueue(sendsOf: burst)
            driver.flush()
        }
        drivers[0].release()
        burst.removeAll()
    }

    /// What arrived at a far end and passes a test, until there are `count` or time is up.
    func arrived(
        _ count: Int, at far: AFPacketDriver, within nanoseconds: UInt64 = 1_000_000_000,
        _ isWanted: ([UInt8]) -> Bool = { _ in true }
    ) -> [(bytes: [UInt8], frame: Frame)] {
        var all: [(bytes: [UInt8], frame: Frame)] = []
        var burst = Burst()
        let end = MonotonicClock.now() + nanoseconds
        while all.count < count, MonotonicClock.now() < end {
            guard far.receive(into: &burst) > 0 else {
                Thread.yield()
                continue
            }
            for index in 0..<burst.count {
                let bytes = FrameBytes.bytes(of: burst[index])
                // Neighbour discovery of the host is none of the test's business.
                if [6, 17].contains(bytes.transport().number), isWanted(bytes) {
                    all.append((bytes, burst[index]))
                }
            }
            burst.removeAll()
            far.release()
        }
        return all
    }
}

extension Burst {
    /// Rewrites a packet as NAT would: an address, one hop less, and the checksums as they were kept.
    mutating func translate(
        _ index: Int, to destination: IPAddress? = nil, from source: IPAddress? = nil
    ) {
        var bytes = FrameBytes.bytes(of: self[index])
        let isIPv6 = bytes.isIPv6
        for (address, offset) in [(source, isIPv6 ? 22 : 26), (destination, isIPv6 ? 38 : 30)] {
            guard let address else { continue }
            bytes.replaceSubrange(offset..<offset + (isIPv6 ? 16 : 4), with: address.wireBytes)
        }
        bytes[isIPv6 ? 21 : 22] -= 1
        if !isIPv6 { bytes.fillHeaderChecksum() }
        let (start, number) = bytes.transport()
        let field = start + (number == 6 ? 16 : 6)
        if self[index].checksum == .partial {
            bytes.set(field, be16: bytes.pseudoHeaderSum())
        } else {
            bytes.fillTransportChecksum(at: field)
        }
        unsafe self[index].bytes.copyMemory(from: bytes, byteCount: bytes.count)
    }
}
