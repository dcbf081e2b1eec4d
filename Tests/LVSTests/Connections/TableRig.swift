import LVS

/// A table in memory of its own, and the words tests speak about connections in.
@safe
final class TableRig {
    let table: ConnectionTable
    private let memory: UnsafeMutableRawPointer
    var now = Instant(nanoseconds: 3_600_000_000_000)

    init(connections: Int, workers: Int = 1, seed: (UInt64, UInt64) = (17, 23)) {
        let bytes = ConnectionTable.bytes(connections: connections, workers: workers)
        unsafe memory = .allocate(byteCount: bytes, alignment: 4096)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        table = unsafe ConnectionTable(
            memory: memory, connections: connections, workers: workers, seed: seed)
    }

    deinit {
        table.quiescence.deallocate()
        unsafe memory.deallocate()
    }

    static let virtual = IPAddress(v4: 0x0a00_0001)

    /// Key of a packet from the client numbered `client`.
    static func key(_ client: Int, port: UInt16 = 80, udp: Bool = false) -> ConnectionKey {
        ConnectionKey(
            source: IPAddress(v4: 0x0b00_0000 + UInt32(client)), sourcePort: 4000,
            destination: virtual, destinationPort: port, transport: udp ? .udp : .tcp)
    }

    static func spec(
        _ client: Int, server: UInt32 = 1, port: UInt16 = 80,
        method: ForwardingMethod = .masquerading,
        udp: Bool = false
    ) -> ConnectionSpec {
        var spec = ConnectionSpec(
            key: key(client, port: port, udp: udp), real: IPAddress(v4: 0x0a01_0000 + server),
            realPort: 8080, method: method, destination: UInt16(server))
        spec.timeoutSeconds = 60
        return spec
    }

    /// An IPv6 connection of the client numbered `client`.
    static func wideSpec(
        _ client: Int, server: UInt64 = 1, method: ForwardingMethod = .masquerading
    ) -> ConnectionSpec {
        let tuple = ConnectionTuple(
            source: IPAddress(high: 0xfd00_0000_0000_0001, low: UInt64(client)), sourcePort: 4000,
            destination: IPAddress(high: 0xfd00_0000_0000_0001, low: 100 << 32),
            destinationPort: 80, transport: .tcp)
        var spec = ConnectionSpec(
            tuple: tuple, real: IPAddress(high: 0xfd00_0000_0000_0002, low: server),
            realPort: 8080, method: method, destination: UInt16(server))
        spec.timeoutSeconds = 60
        return spec
    }

    /// Inserts; nil unless the connection is new.
    func insert(_ spec: ConnectionSpec, worker: Int = 0) -> Connection? {
        guard case .inserted(let made) = table.insert(spec, worker: worker, now: now) else {
            return nil
        }
        return made
    }

    func find(_ key: ConnectionKey) -> ConnectionTable.Match? { find(ConnectionTuple(key)) }

    func find(_ tuple: ConnectionTuple) -> ConnectionTable.Match? { table.find(tuple, now: now) }

    func advance(seconds: UInt64) { now = now.advanced(bySeconds: seconds) }
}
