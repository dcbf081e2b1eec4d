import LVS

/// A director with services of many kinds, fed with frames whose memory ends where the frame ends, so
/// that the address sanitizer sees every step beyond.
///
/// The same input gives the same result: every input gets a director of its own.
@safe
final class FuzzRig {
    static let headroom = 128
    static let virtual = IPAddress(v4: 0x0a01_0064)

    let director: Director
    private(set) var now = Instant(nanoseconds: 3_600_000_000_000)
    private let tableMemory: UnsafeMutableRawPointer
    private var burst = Burst()

    init() {
        let configuration = Director.Configuration(connections: 64, seed: 1)
        let bytes = Director.tableBytes(configuration)
        unsafe tableMemory = .allocate(byteCount: bytes, alignment: 4096)
        unsafe tableMemory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        director = unsafe Director(
            configuration, tableMemory: TableMemory(base: tableMemory, count: bytes), now: now)
        setUpNetwork()
        setUpServices()
    }

    deinit { unsafe tableMemory.deallocate() }

    // MARK: Set-up

    private func setUpNetwork() {
        director.setPorts([
            Port(
                index: 0, name: "cli", hardware: HardwareAddress(value: 0x0200_0a01_0001), mtu: 1500
            ),
            Port(
                index: 1, name: "srv", hardware: HardwareAddress(value: 0x0200_0a02_0001), mtu: 1280
            ),
        ])
        director.setRoutes([
            Route(
                prefix: .anyV4, prefixLength: 0,
                kind: .forward(port: 0, gateway: IPAddress(v4: 0x0a01_00fe)),
                preferredSource: IPAddress(v4: 0x0a01_0001)),
            Route(
                prefix: IPAddress(v4: 0x0a02_0000), prefixLength: 24,
                kind: .forward(port: 1, gateway: nil),
                preferredSource: IPAddress(v4: 0x0a02_0001)),
        ])
        director.setHostAddresses([
            IPAddress(v4: 0x0a01_0001), IPAddress(v4: 0x0a02_0001), FuzzRig.virtual,
        ])
        director.setNeighbour(
            Neighbour(port: 0, address: IPAddress(v4: 0x0a01_00fe)),
            HardwareAddress(value: 0x0200_0a01_00fe))
        for server in UInt32(11)...14 {
            director.setNeighbour(
                Neighbour(port: 1, address: IPAddress(v4: 0x0a02_0000 + server)),
                HardwareAddress(value: 0x0200_0a02_0000 + UInt64(server)))
        }
    }

    /// Services at the addresses and ports that the recordings use, so that their frames meet them.
    private func setUpServices() {
        let tcp = { (port: UInt16) in ServiceKey.address(.tcp, FuzzRig.virtual, port: port) }
        let udp = { (port: UInt16) in ServiceKey.address(.udp, FuzzRig.virtual, port: port) }
        add(VirtualService(key: tcp(80), scheduler: "wlc"), .masquerading, to: 8080)
        add(VirtualService(key: tcp(443), scheduler: "rr"), .directRouting, to: 443)
        add(VirtualService(key: tcp(8080), scheduler: "sh"), .tunnel, to: 8080)
        add(VirtualService(key: tcp(21), scheduler: "lblcr"), .masquerading, to: 21)
        add(VirtualService(key: udp(53), scheduler: "mh"), .masquerading, to: 5353)
        var onePacket = VirtualService(key: udp(5000), scheduler: "wrr")
        onePacket.flags.insert(.onePacket)
        add(onePacket, .masquerading, to: 5000)
        var persistent = VirtualService(key: tcp(0), scheduler: "lc")
        persistent.flags.insert(.persistent)
        persistent.persistenceTimeoutSeconds = 60
        add(persistent, .tunnel, to: 0)
        add(VirtualService(key: .mark(7, .v4), scheduler: "nq"), .directRouting, to: 0)
        setUpLaterServices()
    }

    /// Kinds of services that a director may refuse.
    private func setUpLaterServices() {
        let sctp = ServiceKey.address(
            TransportProtocol(rawValue: 132), FuzzRig.virtual, port: 80)
        add(VirtualService(key: sctp, scheduler: "rr"), .masquerading, to: 80)
    }

    private func add(_ service: VirtualService, _ method: ForwardingMethod, to port: UInt16) {
        guard (try? director.add(service)) != nil else { return }
        for server in UInt32(11)...13 {
            _ = try? director.add(
                RealServer(
                    address: IPAddress(v4: 0x0a02_0000 + server), port: port, method: method,
                    weight: Int32(server - 10)), to: service.key)
        }
    }

    // MARK: Frames

    /// What a frame of an input comes with.
    struct Arrival {
        var port: PortIndex = 0
        var checksum: ChecksumState = .complete
        var mark: UInt32 = 0
        /// Writable bytes behind the frame.
        var spare = 0
        var segmentSize: UInt16 = 0
    }

    func pass(milliseconds: UInt64) {
        now = now.advanced(byMilliseconds: milliseconds)
        director.tick(now)
    }

    /// Takes frames through the worker in one burst, and looks at what became of them.
    func send(_ frames: [(bytes: [UInt8], arrival: Arrival)]) {
        var memory: [UnsafeMutableRawPointer] = unsafe []
        for (bytes, arrival) in frames.prefix(Burst.capacity) {
            unsafe memory.append(load(bytes, arrival))
        }
        director.workers[0].wake()
        director.workers[0].process(&burst, now: now)
        director.workers[0].rest()
        for index in 0..<burst.count { check(burst[index]) }
        for index in 0..<burst.madeCount { check(burst.madeFrame(index).frame) }
        burst.removeAll()
        for index in unsafe memory.indices { unsafe memory[index].deallocate() }
    }

    private func load(_ bytes: [UInt8], _ arrival: Arrival) -> UnsafeMutableRawPointer {
        let base = UnsafeMutableRawPointer.allocate(
            byteCount: FuzzRig.headroom + bytes.count + arrival.spare, alignment: 16)
        let start = unsafe base + FuzzRig.headroom
        unsafe bytes.withUnsafeBytes { source in
            if let address = source.baseAddress {
                unsafe start.copyMemory(from: address, byteCount: bytes.count)
            }
        }
        var frame = unsafe Frame(
            bytes: start, length: bytes.count, capacity: bytes.count + arrival.spare,
            headroom: FuzzRig.headroom, ingress: arrival.port)
        frame.checksum = arrival.checksum
        frame.mark = arrival.mark
        if arrival.checksum == .partial, bytes.count >= 54 {
            frame.checksumStart = 34
            frame.checksumOffset = bytes[23] == 17 ? 6 : 16
        }
        if arrival.segmentSize != 0, bytes.count >= 54 {
            frame.segmentKind = 1
            frame.segmentSize = arrival.segmentSize
            frame.headerLength = 54
            frame.checksum = .partial
            (frame.checksumStart, frame.checksumOffset) = (34, 16)
        }
        burst.append(frame)
        return unsafe base
    }

    /// What leaves is a whole packet in its memory.
    private func check(_ frame: Frame) {
        precondition(frame.length <= frame.capacity, "a frame is longer than its memory")
        guard frame.verdict.kind == .send else { return }
        precondition(frame.verdict.port <= 1, "a frame leaves by a port that exists")
        precondition(frame.length >= 34, "a frame without a packet leaves")
        guard unsafe frame.bytes.loadUnaligned(fromByteOffset: 12, as: UInt16.self) == 0x0008 else {
            return
        }
        let length = unsafe Int(
            frame.bytes.loadUnaligned(fromByteOffset: 16, as: UInt16.self).byteSwapped)
        precondition(
            length + 14 <= Int(frame.length) || frame.segmentSize != 0,
            "a packet is longer than its frame")
        var sum: UInt32 = 0
        let header = unsafe Int(frame.bytes.load(fromByteOffset: 14, as: UInt8.self) & 15) * 4
        precondition(header >= 20 && 14 + header <= Int(frame.length), "a header is cut off")
        for offset in stride(from: 14, to: 14 + header, by: 2) {
            sum += unsafe UInt32(
                frame.bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
        }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        precondition(sum == 0xffff, "an IPv4 header leaves with a wrong checksum")
    }

    /// Lets everything end, and looks at what is left: counts of servers match the table.
    func finish() {
        var active = 0
        var inactive = 0
        director.forEachConnection { connection in
            guard !connection.isTemplate else { return }
            if connection.isInactive { inactive += 1 } else { active += 1 }
        }
        var counted = (active: 0, inactive: 0)
        for service in director.services() {
            for server in service.servers {
                counted.active += Int(server.active)
                counted.inactive += Int(server.inactive)
            }
        }
        precondition(counted == (active, inactive), "the counts of servers are not the table's")
        for _ in 0..<40 { pass(milliseconds: 30_000) }
        send([])
        precondition(
            director.services().allSatisfy { service in
                service.servers.allSatisfy { $0.active == 0 && $0.inactive == 0 }
            }, "connections are counted that have ended")
    }
}
