import Control
import LVS

/// A table without a director behind it, with the kernel's checks (ipvs-semantics 10.2).
class MemoryTable: DirectorTable {
    var size: UInt32 = 4096
    var listed: [ListedService] = []
    var timeoutSeconds = TimeoutsRecord(tcpSeconds: 900, tcpFinSeconds: 120, udpSeconds: 300)
    var running: [DaemonRecord] = []
    var texts = [
        "ip_vs_conn":
            "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
    ]
    var pieceBytes = 37
    var settings = ["conntrack": "0", "sync_threshold": "3 50"]

    private static let schedulers: Set<String> = [
        "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh",
        "none",
    ]

    func tableSize() throws(Refusal) -> UInt32 { size }

    /// What became of changes that were begun and not finished.
    private var begun: [Refusal?] = []

    func begin(_ change: TableChange) throws(Refusal) {
        do throws(Refusal) {
            switch change {
            case .addService(let service): try addService(service)
            case .editService(let service): try editService(service)
            case .deleteService(let service): try deleteService(service)
            case .addServer(let server, let service): try addServer(server, to: service)
            case .editServer(let server, let service): try editServer(server, of: service)
            case .deleteServer(let server, let service): try deleteServer(server, of: service)
            case .addLocals(let range, let service): try addLocals(range, to: service)
            case .deleteLocals(let range, let service): try deleteLocals(range, of: service)
            }
            begun.append(nil)
        } catch {
            begun.append(error)
        }
    }

    func finish() throws(Refusal) {
        if let refusal = begun.removeFirst() { throw refusal }
    }

    func addService(_ service: ServiceRecord) throws(Refusal) {
        try check(service)
        guard index(of: service) == nil else { throw Refusal(.exists) }
        listed.insert(ListedService(service: service, servers: []), at: 0)
    }

    func editService(_ service: ServiceRecord) throws(Refusal) {
        try check(service)
        let place = try known(service)
        var service = service
        service.localCount = listed[place].service.localCount
        listed[place].service = service
    }

    func deleteService(_ service: ServiceRecord) throws(Refusal) {
        listed.remove(at: try known(service))
    }

    func flush() throws(Refusal) { listed = [] }

    func zero(_ service: ServiceRecord?) throws(Refusal) {
        if let service { _ = try known(service) }
    }

    func addServer(_ server: DestinationRecord, to service: ServiceRecord) throws(Refusal) {
        let place = try known(service)
        try check(server)
        guard try index(of: server, in: place) == nil else { throw Refusal(.exists) }
        guard server.family == .v4 ? isUnicastV4(server) : isUnicastV6(server) else {
            throw Refusal(.invalid)
        }
        listed[place].servers.insert(server, at: 0)
    }

    func editServer(_ server: DestinationRecord, of service: ServiceRecord) throws(Refusal) {
        let place = try known(service)
        try check(server)
        guard let index = try index(of: server, in: place) else { throw Refusal(.noSuchEntry) }
        listed[place].servers[index] = server
    }

    func deleteServer(_ server: DestinationRecord, of service: ServiceRecord) throws(Refusal) {
        let place = try known(service)
        guard let index = try index(of: server, in: place) else { throw Refusal(.noSuchEntry) }
        listed[place].servers.remove(at: index)
    }

    func addLocals(_ range: LocalRange, to service: ServiceRecord) throws(Refusal) {
        let place = try known(service)
        for address in range.addresses {
            let isThere = listed[place].locals.contains { $0.address == address }
            if isThere { throw Refusal(.exists, address.description) }
            if address.isMulticast { throw Refusal(.invalid, address.description) }
        }
        listed[place].locals += range.addresses.map { LocalRecord(address: $0) }
        listed[place].service.localCount = UInt32(listed[place].locals.count)
    }

    func deleteLocals(_ range: LocalRange, of service: ServiceRecord) throws(Refusal) {
        let place = try known(service)
        for address in range.addresses {
            let isThere = listed[place].locals.contains { $0.address == address }
            if !isThere { throw Refusal(.noSuchEntry, address.description) }
        }
        listed[place].locals.removeAll { range.addresses.contains($0.address) }
        listed[place].service.localCount = UInt32(listed[place].locals.count)
    }

    func locals(of service: ServiceRecord) throws(Refusal) -> [LocalRecord] {
        listed[try known(service)].locals
    }

    func services() throws(Refusal) -> [ServiceRecord] { listed.map(\.service) }

    func service(_ service: ServiceRecord) throws(Refusal) -> ServiceRecord {
        listed[try known(service)].service
    }

    func servers(of service: ServiceRecord) throws(Refusal) -> [DestinationRecord] {
        listed[try known(service)].servers
    }

    func timeouts() throws(Refusal) -> TimeoutsRecord { timeoutSeconds }

    func setTimeouts(_ timeouts: TimeoutsRecord) throws(Refusal) {
        if timeouts.tcpSeconds != 0 { timeoutSeconds.tcpSeconds = timeouts.tcpSeconds }
        if timeouts.tcpFinSeconds != 0 { timeoutSeconds.tcpFinSeconds = timeouts.tcpFinSeconds }
        if timeouts.udpSeconds != 0 { timeoutSeconds.udpSeconds = timeouts.udpSeconds }
    }

    func daemons() throws(Refusal) -> [DaemonRecord] { running }

    func startDaemon(_ daemon: DaemonRecord) throws(Refusal) {
        guard daemon.interface == "lo" else { throw Refusal(.noSuchDevice) }
        guard !running.contains(where: { $0.state == daemon.state }) else {
            throw Refusal(.exists)
        }
        var daemon = daemon
        // What the interface `lo`, with its MTU of 65536, gives.
        let most: UInt16 = daemon.role == .master ? 1472 : 65507
        if daemon.role == .backup {
            daemon.maximumBytes = daemon.maximumBytes.map { max($0, 1024) }
        }
        daemon.maximumBytes = daemon.maximumBytes ?? most
        daemon.group = daemon.group ?? .v4(IPAddress(v4: 0xe000_0051))
        daemon.port = daemon.port ?? 8848
        daemon.timeToLive = daemon.timeToLive ?? 1
        running.append(daemon)
    }

    func stopDaemon(_ daemon: DaemonRecord) throws(Refusal) {
        guard let index = running.firstIndex(where: { $0.state == daemon.state }) else {
            throw Refusal(.noSuchService)
        }
        running.remove(at: index)
    }

    /// Hands texts out in pieces of few bytes, so that lines are cut anywhere.
    func read(_ name: String, piece: (ArraySlice<UInt8>) -> Void) throws(Refusal) {
        guard let text = texts[name] else { throw Refusal(.noSuchEntry) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            piece(rest.prefix(pieceBytes))
            rest = rest.dropFirst(pieceBytes)
        }
    }

    func explanation(of packet: String, forPrograms: Bool) throws(Refusal) -> String {
        guard packet.hasPrefix("tcp ") else { throw Refusal(.invalid, "'\(packet)' is no packet") }
        return forPrograms ? "{\"packet\": \"\(packet)\"}\n" : "\(packet): sent\n"
    }

    func expectPacket(_ command: String, _ filter: String) throws(Refusal) {
        guard filter != "nonsense" else { throw Refusal(.invalid, "nonsense is no filter") }
        changes.append("next \(command) \(filter)")
    }

    func capture(_ command: String, _ request: String) throws(Refusal) {
        guard !request.hasSuffix("nonsense") else {
            throw Refusal(.invalid, "nonsense is no filter")
        }
        changes.append("capture \(command) \(request)")
    }

    func setting(_ name: String) throws(Refusal) -> String {
        guard let value = settings[name] else {
            throw Refusal(.noSuchEntry, "there is no setting '\(name)'")
        }
        return value
    }

    /// What was asked of the marking rules.
    private(set) var changes: [String] = []

    func changeSetting(_ name: String, to value: String) throws(Refusal) {
        _ = try setting(name)
        settings[name] = value
    }

    func saveState() throws(Refusal) { changes.append("save-state") }

    func changeMarks(_ command: String, _ rule: String) throws(Refusal) {
        changes.append("\(command) \(rule)")
    }
}

extension MemoryTable {
    private func index(of service: ServiceRecord) -> Int? {
        listed.firstIndex {
            $0.service.identity == service.identity && $0.service.family == service.family
        }
    }

    private func known(_ service: ServiceRecord) throws(Refusal) -> Int {
        guard let index = index(of: service) else { throw Refusal(.noSuchService) }
        return index
    }

    private func index(of server: DestinationRecord, in place: Int) throws(Refusal) -> Int? {
        listed[place].servers.firstIndex {
            $0.family == server.family && $0.address == server.address && $0.port == server.port
        }
    }

    private func check(_ service: ServiceRecord) throws(Refusal) {
        guard Self.schedulers.contains(service.scheduler), engineIsKnown(service) else {
            throw Refusal(.noSuchEntry)
        }
    }

    private func engineIsKnown(_ service: ServiceRecord) -> Bool {
        service.persistenceEngine == nil || service.persistenceEngine == "sip"
    }

    private func check(_ server: DestinationRecord) throws(Refusal) {
        guard server.weight >= 0, server.lowerThreshold <= server.upperThreshold else {
            throw Refusal(.outOfRange)
        }
    }

    private func isUnicastV4(_ server: DestinationRecord) -> Bool {
        let value = server.address.v4
        return value != 0 && value != .max && value >> 28 != 0xe
    }

    private func isUnicastV6(_ server: DestinationRecord) -> Bool {
        let address = server.address
        let isLinkLocal = address.high >> 54 == 0x3fa
        return address != .anyV6 && address.high >> 56 != 0xff && !isLinkLocal && !address.isV4
    }
}

/// One session over a table, with what it printed.
final class Transcript {
    let table: MemoryTable
    var input: [String] = []
    var output = ""
    var errors = ""

    init(table: MemoryTable = MemoryTable()) { self.table = table }

    /// Carries out one line; the exit status.
    func run(_ words: [String], input: String = "") -> Int32 {
        output = ""
        errors = ""
        self.input = input.split(separator: "\n", omittingEmptySubsequences: false)
            .reversed().map(String.init)
        let table = self.table
        let session = CommandSession(
            program: "ipvsadm", output: { self.output += $0 }, complain: { self.errors += $0 },
            readLine: { self.input.popLast() },
            connect: { () throws(DirectorUnreachable) in table })
        return session.run(words)
    }
}
