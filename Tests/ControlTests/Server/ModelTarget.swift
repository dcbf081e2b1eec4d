import Control
import LVS

/// A director without packets: keeps services and servers and makes the checks of ipvs-semantics
/// 10.2 that belong to the engine.
final class ModelTarget: ControlTarget, DaemonTarget {
    struct Entry: Hashable {
        var service: VirtualService
        var statistics = StatisticsRecord()
        var servers: [RealServer] = []
        var locals: [IPAddress] = []
    }

    /// Everything a command could change, for "a refused command has changed nothing".
    struct State: Hashable {
        var entries: [Entry] = []
        var timeouts = TimeoutsRecord(tcpSeconds: 900, tcpFinSeconds: 120, udpSeconds: 300)
        var settings = ["conn_reuse_mode": "1", "drop_packet": "0"]
    }

    var state = State()
    var connections: [ConnectionRecord] = []
    /// Synchronisation daemons at work, and why none may begin.
    var synchronising: [DaemonRecord] = []
    var refusal: Refusal?
    let tableSize: UInt32 = 4096

    private static let schedulers: Set<String> = [
        "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh",
        "none",
    ]

    private func index(_ key: ServiceKey) throws(CommandRefusal) -> Int {
        guard let index = state.entries.firstIndex(where: { $0.service.key == key }) else {
            throw .noSuchService
        }
        return index
    }

    private func check(_ service: VirtualService) throws(CommandRefusal) {
        guard Self.schedulers.contains(service.scheduler) else {
            throw .schedulerNotFound(service.scheduler)
        }
        guard [nil, "sip"].contains(service.persistenceEngine) else {
            throw .schedulerNotFound(service.persistenceEngine ?? "")
        }
        guard service.key.family == .v4 || (1...128).contains(service.netmask) else {
            throw .invalid("prefix length")
        }
    }

    func add(_ service: VirtualService) throws(CommandRefusal) {
        guard !state.entries.contains(where: { $0.service.key == service.key }) else {
            throw .serviceExists
        }
        try check(service)
        state.entries.insert(Entry(service: service), at: 0)
    }

    func edit(_ service: VirtualService) throws(CommandRefusal) {
        let index = try index(service.key)
        try check(service)
        state.entries[index].service = service
    }

    func delete(_ key: ServiceKey) throws(CommandRefusal) {
        state.entries.remove(at: try index(key))
    }

    func flush() { state.entries = [] }

    private(set) var isBackup = false
    func setBackupDaemon(isRunning: Bool) { isBackup = isRunning }

    private func check(_ server: RealServer) throws(CommandRefusal) {
        guard server.weight >= 0, server.lowerThreshold <= server.upperThreshold else {
            throw .outOfRange
        }
        if case .gue(port: 0, _) = server.tunnel { throw .invalid("GUE needs a port") }
    }

    func add(_ server: RealServer, to key: ServiceKey) throws(CommandRefusal) {
        let index = try index(key)
        try check(server)
        let exists = state.entries[index].servers.contains { $0.hasPlace(of: server) }
        if exists { throw .destinationExists }
        if server.address.isV4 {
            let value = server.address.v4
            if value == 0 || value == .max || value >> 28 == 0xe { throw .invalid("no unicast") }
        } else {
            let high = server.address.high
            let isLinkLocal = high >> 54 == 0xfe80 >> 6
            if server.address == .anyV6 || high >> 56 == 0xff || isLinkLocal {
                throw .invalid("no unicast")
            }
        }
        state.entries[index].servers.insert(server, at: 0)
    }

    func edit(_ server: RealServer, of key: ServiceKey) throws(CommandRefusal) {
        let index = try index(key)
        try check(server)
        let place = state.entries[index].servers.firstIndex { $0.hasPlace(of: server) }
        guard let place else { throw .noSuchDestination }
        state.entries[index].servers[place] = server
    }

    func delete(
        _ address: IPAddress, port: UInt16, of key: ServiceKey
    ) throws(CommandRefusal) {
        let index = try index(key)
        let place = state.entries[index].servers.firstIndex {
            $0.address == address && $0.port == port
        }
        guard let place else { throw .noSuchDestination }
        state.entries[index].servers.remove(at: place)
    }

    func addLocals(_ addresses: [IPAddress], to key: ServiceKey) throws(CommandRefusal) {
        let old = state.entries[try index(key)].locals
        for address in addresses where old.contains(address) {
            throw .localAddressExists(address)
        }
        try setLocals(old + addresses, of: key)
    }

    func deleteLocals(_ addresses: [IPAddress], of key: ServiceKey) throws(CommandRefusal) {
        let old = state.entries[try index(key)].locals
        for address in addresses where !old.contains(address) {
            throw .noSuchLocalAddress(address)
        }
        try setLocals(old.filter { !addresses.contains($0) }, of: key)
    }

    func setLocals(_ addresses: [IPAddress], of key: ServiceKey) throws(CommandRefusal) {
        let index = try index(key)
        for address in addresses where address.isMulticast {
            throw .invalid("\(address) is multicast")
        }
        state.entries[index].locals = addresses
    }

    func locals(of key: ServiceKey) -> [LocalRecord] {
        let entry = state.entries.first { $0.service.key == key }
        return (entry?.locals ?? []).map { LocalRecord(address: $0, takenPorts: 7, refused: 3) }
    }

    func configured(_ address: IPAddress, port: UInt16, of key: ServiceKey) -> RealServer? {
        let entry = state.entries.first { $0.service.key == key }
        return entry?.servers.first { $0.address == address && $0.port == port }
    }

    func zero(_ key: ServiceKey?) throws(CommandRefusal) {
        let chosen = try key.map { key throws(CommandRefusal) in [try index(key)] }
        for index in chosen ?? Array(state.entries.indices) {
            state.entries[index].statistics = StatisticsRecord()
        }
    }

    var timeouts: TimeoutsRecord { state.timeouts }

    func setTimeouts(_ new: TimeoutsRecord) throws(CommandRefusal) {
        let longest = Int32.max / 250
        guard max(new.tcpSeconds, new.tcpFinSeconds, new.udpSeconds) <= longest else {
            throw .invalid("a timeout is too long")
        }
        if new.tcpSeconds != 0 { state.timeouts.tcpSeconds = new.tcpSeconds }
        if new.tcpFinSeconds != 0 { state.timeouts.tcpFinSeconds = new.tcpFinSeconds }
        if new.udpSeconds != 0 { state.timeouts.udpSeconds = new.udpSeconds }
    }

    func services() -> [ServiceRecord] {
        state.entries.map { ServiceRecord($0.service, locals: $0.locals.count, $0.statistics) }
    }

    func service(_ key: ServiceKey) -> ServiceRecord? {
        guard let index = try? index(key) else { return nil }
        return services()[index]
    }

    func configured(_ key: ServiceKey) -> VirtualService? {
        state.entries.first { $0.service.key == key }?.service
    }

    func destinations(of key: ServiceKey) -> [DestinationRecord] {
        guard let index = try? index(key) else { return [] }
        return state.entries[index].servers.map { DestinationRecord($0) }
    }

    var total: StatisticsRecord {
        var total = StatisticsRecord()
        total.connections = 255
        total.outBytes = 0xabcdef
        return total
    }

    func connections(from position: Int, _ body: (ConnectionRecord) -> Void) -> Int? {
        for connection in connections[position...].prefix(100) { body(connection) }
        return position + 100 < connections.count ? position + 100 : nil
    }

    var markRules: [MarkRule] = []

    func setMarkRules(_ rules: [MarkRule]) throws(CommandRefusal) { markRules = rules }

    func settings() -> [(name: String, value: String)] {
        state.settings.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    func set(_ name: String, to value: String) throws(CommandRefusal) {
        guard state.settings[name] != nil else { throw .invalid("no setting \(name)") }
        guard let number = Int(value), (0...3).contains(number) else { throw .invalid("0 to 3") }
        state.settings[name] = value
    }

    func status() -> String { "all is well\n" }
    func explain(_ packet: String, forPrograms: Bool) throws(CommandRefusal) -> String {
        guard packet != "nonsense" else { throw .invalid("nonsense is no packet") }
        return "\(packet)\(forPrograms ? " for programs" : "")\n"
    }

    /// A capture of some client, and what became of it.
    struct Capturing {
        var client: UInt64?
        var request: CaptureRequest?
        var blocks: [[UInt8]] = []
        var isEndless = false
        var given = 0
        var isStopped = false
        var forgotten: [UInt64] = []
    }

    var capturing = Capturing()

    func beginCapture(_ request: CaptureRequest, by client: UInt64) throws(CommandRefusal) {
        guard capturing.client == nil else { throw .invalid("somebody else captures") }
        capturing.client = client
        capturing.request = request
    }

    private func check(_ client: UInt64) throws(CommandRefusal) {
        guard capturing.client == client else { throw .invalid("there is no capture") }
    }

    func captured(by client: UInt64) throws(CommandRefusal) -> () -> [UInt8]? {
        try check(client)
        return { [unowned self] in
            capturing.given += 1
            if capturing.isEndless { return [UInt8](repeating: 1, count: 4000) }
            return capturing.blocks.isEmpty ? nil : capturing.blocks.removeFirst()
        }
    }

    func captureState(of client: UInt64) throws(CommandRefusal) -> CaptureState {
        try check(client)
        return CaptureState(packets: 1, frames: 2, bytes: 3, lost: 4, end: nil)
    }

    func stopCapture(of client: UInt64) throws(CommandRefusal) {
        try check(client)
        capturing.isStopped = true
    }

    func forget(client: UInt64) {
        capturing.forgotten.append(client)
        if capturing.client == client { capturing.client = nil }
    }

    func statusForPrograms() -> JSONValue { .members(["well": .boolean(true)]) }
    func saveState() throws(CommandRefusal) { throw .notSupported("no state is kept here") }

    func startSynchronising(_ daemon: DaemonRecord) throws(Refusal) {
        if let refusal { throw refusal }
        synchronising.append(daemon)
    }

    func stopSynchronising(_ daemon: DaemonRecord) {
        synchronising.removeAll { $0.role == daemon.role }
    }
}

extension RealServer {
    /// Whether the two cannot stand in one service at the same time.
    fileprivate func hasPlace(of other: RealServer) -> Bool {
        address == other.address && port == other.port
    }
}
