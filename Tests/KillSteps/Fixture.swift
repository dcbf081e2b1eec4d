internal import CSteps
internal import LVS

/// A director whose table lies in memory that a child process shares.
@safe
final class Fixture {
    static let now = Instant(nanoseconds: 3_600_000_000_000)
    static let home = TableHome(boot: 1, bootToo: 2, network: 3)
    static let virtual = IPAddress(v4: 0x0a00_0001)
    static let wideVirtual = IPAddress(high: 0xfd00_0000_0000_0001, low: 100)
    static let local = IPAddress(v4: 0x0a01_00c8)
    static let key = ServiceKey.address(.tcp, virtual, port: 80)
    static let ftpKey = ServiceKey.address(.tcp, virtual, port: 21)
    static let wideKey = ServiceKey.address(.tcp, wideVirtual, port: 80)

    let director: Director
    let configuration: Director.Configuration
    let bytes: Int
    private let memory: UnsafeMutableRawPointer
    private let isShared: Bool

    var table: ConnectionTable { director.table }

    /// An empty table; nil where the machine has no memory.
    init?(connections: Int = 64) {
        configuration = Director.Configuration(connections: connections, workers: 1, seed: 7)
        bytes = Director.keptTableBytes(configuration)
        guard let memory = unsafe steps_memory(bytes) else { return nil }
        unsafe self.memory = memory
        isShared = true
        director = unsafe Director(
            configuration,
            tableMemory: TableMemory(kept: memory, count: bytes, home: Fixture.home),
            now: Fixture.now)
    }

    /// What a new process makes of memory that another left.
    init(adopting image: Image, of other: Fixture) throws(TableRefusal) {
        configuration = other.configuration
        bytes = other.bytes
        unsafe memory = .allocate(byteCount: bytes, alignment: 4096)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        unsafe memory.copyMemory(from: image.servers, byteCount: Fixture.serverBytes)
        unsafe (memory + ServerDirectory.bytes).copyMemory(
            from: image.table, byteCount: bytes - ServerDirectory.bytes)
        isShared = false
        let kept = unsafe TableMemory(kept: memory, count: bytes, home: Fixture.home)
        let adoption = try TableAdoption(
            kept, connections: configuration.connections, workers: 1, now: Fixture.now)
        adoption.run()
        director = Director(
            configuration, tableMemory: kept, now: Fixture.now, adopting: adoption)
    }

    deinit { if !isShared { unsafe memory.deallocate() } }

    /// The bytes that operations change.
    struct Image {
        /// What the first numbers mean, and the table.
        var servers: [UInt8]
        var table: [UInt8]
    }

    private static let serverBytes = 4096

    /// An image of the memory as it is now.
    var image: Image {
        var image = Image(
            servers: Array(repeating: 0, count: Fixture.serverBytes),
            table: Array(repeating: 0, count: bytes - ServerDirectory.bytes))
        _ = follow(&image)
        return image
    }

    /// Brings an image up to date; whether there was any difference.
    func follow(_ image: inout Image) -> Bool {
        let servers = unsafe steps_follow(memory, &image.servers, image.servers.count)
        let table = unsafe steps_follow(
            memory + ServerDirectory.bytes, &image.table, image.table.count)
        return servers + table > 0
    }

    /// Services and servers: of IPv4 numbers 0 (NAT), 1 (DR), 2 (FULLNAT), of FTP 3, of IPv6 4.
    static func configure(_ director: Director) throws(CommandRefusal) {
        try director.add(VirtualService(key: key, scheduler: "rr"))
        try director.addLocals([local], to: key)
        try director.add(server(0, .masquerading), to: key)
        try director.add(server(1, .directRouting), to: key)
        try director.add(server(2, .fullNAT), to: key)
        try director.add(VirtualService(key: ftpKey, scheduler: "rr"))
        try director.add(server(3, .masquerading), to: ftpKey)
        try director.add(VirtualService(key: wideKey, scheduler: "rr"))
        try director.add(
            RealServer(address: wideReal, port: 8080, method: .masquerading), to: wideKey)
    }

    static let wideReal = IPAddress(high: 0xfd00_0000_0000_0002, low: 4)

    static func real(_ number: UInt32) -> IPAddress { IPAddress(v4: 0x0a01_0010 + number) }

    private static func server(_ number: UInt32, _ method: ForwardingMethod) -> RealServer {
        RealServer(address: real(number), port: 8080, method: method)
    }

    // MARK: Connections

    static func spec(
        _ client: UInt32, server: UInt16 = 0, method: ForwardingMethod = .masquerading,
        port: UInt16 = 80
    ) -> ConnectionSpec {
        let tuple = ConnectionTuple(
            source: IPAddress(v4: 0x0b00_0000 + client), sourcePort: 4000, destination: virtual,
            destinationPort: port, transport: .tcp)
        var spec = ConnectionSpec(
            tuple: tuple, real: real(UInt32(server)), realPort: 8080, method: method,
            destination: server)
        spec.timeoutSeconds = 60
        return spec
    }

    static func wide(_ client: UInt64) -> ConnectionSpec {
        let tuple = ConnectionTuple(
            source: IPAddress(high: 0xfd00_0000_0000_0003, low: client), sourcePort: 4000,
            destination: wideVirtual, destinationPort: 80, transport: .tcp)
        var spec = ConnectionSpec(
            tuple: tuple, real: wideReal, realPort: 8080, method: .masquerading, destination: 4)
        spec.timeoutSeconds = 60
        return spec
    }

    static func fullNAT(_ client: UInt32, _ port: UInt16, anew: Bool = false) -> ConnectionSpec {
        var spec = spec(client, server: 2)
        spec.local = LocalEndpoint(address: local, port: port)
        var options = FullNATOptions.none
        options.clientAddress = .proxyV2
        options.startsSequenceAnew = anew
        spec.bind(options)
        return spec
    }

    static func template(_ client: UInt32) -> ConnectionSpec {
        var spec = spec(client)
        spec.isTemplate = true
        spec.isInactive = false
        spec.clientPort = 0
        spec.timeoutSeconds = 300
        return spec
    }

    static func ftp(_ client: UInt32) -> ConnectionSpec {
        var spec = spec(client, server: 3, port: 21)
        spec.bindHelper()
        return spec
    }

    /// A data connection that waits for its client's port, controlled by this one.
    static func expected(_ client: UInt32, by control: Connection) -> ConnectionSpec {
        var spec = spec(client, server: 3, port: 30_000)
        spec.clientPort = 0
        spec.hasUnknownPort = true
        spec.controller = control.number
        return spec
    }

    @discardableResult
    func insert(_ spec: ConnectionSpec) -> Connection? {
        guard case .inserted(let made) = table.insert(spec, worker: 0, now: Fixture.now) else {
            return nil
        }
        return made
    }

    /// Connections of every kind that no operation touches.
    func fill() {
        for client in UInt32(100)..<106 {
            insert(Fixture.spec(client))
            insert(Fixture.spec(client + 20, server: 1, method: .directRouting))
        }
        insert(Fixture.wide(100))
        insert(Fixture.fullNAT(140, 6000))
        insert(Fixture.fullNAT(141, 6001, anew: true))
        if let template = insert(Fixture.template(150)), table.hold(template) {
            var spec = Fixture.spec(151)
            spec.controller = template.number
            insert(spec)
        }
        if let control = insert(Fixture.ftp(160)), table.hold(control) {
            insert(Fixture.expected(160, by: control))
        }
    }
}
