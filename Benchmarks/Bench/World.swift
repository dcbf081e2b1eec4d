internal import LVS
internal import Posix

/// A director with one service of NAT or FULLNAT, sixteen servers and a table full of connections.
final class World {
    static let servers = 16
    static let virtual = IPAddress(v4: 0x0a00_0001)
    static let clientGateway = IPAddress(v4: 0xc000_0201)
    static let hardware: (client: HardwareAddress, server: HardwareAddress) = (
        HardwareAddress(value: 0x0200_0000_0001), HardwareAddress(value: 0x0200_0000_0002)
    )

    let connections: Int
    let director: Director
    /// Server that each connection was given.
    private(set) var serverOf: [UInt8]
    /// What each server takes for the client of a connection: with NAT the client itself.
    private(set) var peerOf: [(address: UInt32, port: UInt16)]
    private let method: ForwardingMethod
    private(set) var now = Instant(nanoseconds: 1_000_000_000_000)
    let tableBytes: Int

    /// With a path the table is kept in a file in memory.
    init(
        connections: Int, method: ForwardingMethod = .masquerading, keptAt path: String? = nil
    ) throws {
        self.connections = connections
        self.method = method
        let configuration = World.configuration(connections)
        tableBytes = Director.tableBytes(configuration)
        let memory: TableMemory
        if let path {
            memory = try World.kept(at: path, configuration)
        } else {
            let own = Box(try MappedMemory(bytes: tableBytes))
            memory = unsafe TableMemory(base: own.base, count: tableBytes, owner: own)
        }
        director = Director(configuration, tableMemory: memory, now: now)
        serverOf = Array(repeating: 0, count: connections)
        peerOf = Array(repeating: (0, 0), count: connections)
        try configure()
    }

    static func configuration(_ connections: Int) -> Director.Configuration {
        Director.Configuration(connections: connections, seed: 42)
    }

    /// Memory of a file, new or as another world left it.
    static func kept(
        at path: String, _ configuration: Director.Configuration
    ) throws -> TableMemory {
        let shared = SharedBox(
            try SharedMemory(path: path, bytes: Director.keptTableBytes(configuration)))
        return unsafe TableMemory(
            kept: shared.base, count: shared.count,
            home: TableHome(boot: 1, bootToo: 2, network: 3), owner: shared)
    }

    /// Owners of memory that a director can keep.
    @safe
    private final class Box {
        private let memory: MappedMemory
        init(_ memory: consuming MappedMemory) { self.memory = memory }
        var base: UnsafeMutableRawPointer { unsafe memory.base }
    }

    @safe
    private final class SharedBox {
        private let memory: SharedMemory
        init(_ memory: consuming SharedMemory) { self.memory = memory }
        var base: UnsafeMutableRawPointer { unsafe memory.base }
        var count: Int { memory.count }
    }

    static func server(_ index: Int) -> IPAddress {
        IPAddress(v4: 0x0a01_0001 + UInt32(index))
    }

    /// Local addresses of FULLNAT: each has 64,512 ports towards each server.
    static let locals = (0..<16).map { IPAddress(v4: 0x0a01_8001 + UInt32($0)) }

    static func client(_ index: Int) -> (address: UInt32, port: UInt16) {
        (0x0b00_0000 + UInt32(index >> 4), 2000 + UInt16(index & 15) * 977)
    }

    /// The key of a connection's packets from the client.
    static func key(_ index: Int) -> ConnectionKey {
        let client = client(index)
        return ConnectionKey(
            source: IPAddress(v4: client.address), sourcePort: client.port,
            destination: virtual, destinationPort: 80, transport: .tcp)
    }

    private func configure() throws {
        director.setPorts([
            Port(index: 0, name: "client", hardware: World.hardware.client, mtu: 1500),
            Port(index: 1, name: "server", hardware: World.hardware.server, mtu: 1500),
        ])
        director.setRoutes([
            Route(
                prefix: IPAddress(v4: 0x0b00_0000), prefixLength: 8,
                kind: .forward(port: 0, gateway: World.clientGateway)),
            Route(
                prefix: IPAddress(v4: 0x0a01_0000), prefixLength: 16,
                kind: .forward(port: 1, gateway: nil)),
        ])
        director.setNeighbour(
            Neighbour(port: 0, address: World.clientGateway),
            HardwareAddress(value: 0x0200_0000_0100))
        let key = ServiceKey.address(.tcp, World.virtual, port: 80)
        try director.add(VirtualService(key: key, scheduler: "rr"))
        for index in 0..<World.servers {
            director.setNeighbour(
                Neighbour(port: 1, address: World.server(index)),
                HardwareAddress(value: 0x0200_0000_0200 + UInt64(index)))
            try director.add(
                RealServer(address: World.server(index), port: 8080, method: method),
                to: key)
        }
        if method == .fullNAT { try director.addLocals(World.locals, to: key) }
        _ = director.takeWantedNeighbours()
        director.tick(now)
        director.workers[0].wake()
    }

    /// Time passes; every window lies in another tick, so that each packet finds an entry last seen
    /// in an earlier one: the dearer case.
    func passTime() { now = now.advanced(byMilliseconds: 17) }

    func passTime(nanoseconds: UInt64) {
        now = Instant(nanoseconds: now.nanoseconds + nanoseconds)
    }

    /// Notes the server that the first packet of a connection went to.
    func learn(_ connection: Int, _ frame: Int, _ ring: Ring) {
        serverOf[connection] = ring.server(frame)
        peerOf[connection] = ring.peer(frame)
    }

    /// Lets all connections end: an hour passes.
    func endAll() {
        director.workers[0].rest()
        for _ in 0..<8 {
            now = now.advanced(bySeconds: 450)
            director.tick(now)
        }
        director.workers[0].wake()
        precondition(director.table.count == 0, "every connection has ended")
    }

    /// Opens all connections: SYN, ACK from the client, ACK from the server.
    func open(_ ring: Ring) {
        for flags in [UInt8(2), 16] {
            forEachBatch(ring) { index, frame in
                ring.write(frame, index, .inbound, self, flags: flags)
            } after: { index, frame in
                learn(index, frame, ring)
            }
        }
        forEachBatch(ring) { index, frame in
            ring.write(frame, index, .outbound, self, flags: 16)
        } after: { _, _ in
        }
        precondition(director.table.count == connections, "every connection is in the table")
    }

    private func forEachBatch(
        _ ring: Ring, before: (Int, Int) -> Void, after: (Int, Int) -> Void
    ) {
        var start = 0
        while start < connections {
            let count = min(Ring.frames, connections - start)
            for frame in 0..<count { before(start + frame, frame) }
            ring.fill(count)
            let sent = ring.process(director.workers[0], now: now, count: count)
            precondition(sent == count, "every frame is forwarded")
            for frame in 0..<count { after(start + frame, frame) }
            start += count
        }
    }
}
