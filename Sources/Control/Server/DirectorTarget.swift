package import LVS

/// The engine behind the control socket: passes commands on and turns listings into records.
package final class DirectorTarget: ControlTarget {
    private let director: Director

    package init(_ director: Director) { self.director = director }

    package func add(_ service: VirtualService) throws(CommandRefusal) {
        try director.add(service)
    }

    package func edit(_ service: VirtualService) throws(CommandRefusal) {
        try director.edit(service)
    }

    package func delete(_ key: ServiceKey) throws(CommandRefusal) { try director.delete(key) }

    package func flush() { director.flush() }

    package func add(_ server: RealServer, to key: ServiceKey) throws(CommandRefusal) {
        try director.add(server, to: key)
    }

    package func edit(_ server: RealServer, of key: ServiceKey) throws(CommandRefusal) {
        try director.edit(server, of: key)
    }

    package func delete(
        _ address: IPAddress, port: UInt16, of key: ServiceKey
    ) throws(CommandRefusal) {
        try director.delete(address, port: port, of: key)
    }

    package func addLocals(
        _ addresses: [IPAddress], to key: ServiceKey
    ) throws(CommandRefusal) {
        try director.addLocals(addresses, to: key)
    }

    package func deleteLocals(
        _ addresses: [IPAddress], of key: ServiceKey
    ) throws(CommandRefusal) {
        try director.deleteLocals(addresses, of: key)
    }

    package func setLocals(
        _ addresses: [IPAddress], of key: ServiceKey
    ) throws(CommandRefusal) {
        try director.setLocals(addresses, of: key)
    }

    package func configured(
        _ address: IPAddress, port: UInt16, of key: ServiceKey
    ) -> RealServer? {
        director.configured(address, port: port, of: key)
    }

    package func locals(of key: ServiceKey) -> [LocalRecord] {
        do throws(CommandRefusal) {
            let refused = try director.refusedForPorts(of: key)
            return try director.locals(of: key).map {
                LocalRecord(
                    address: $0.address, takenPorts: UInt64($0.takenPorts), refused: refused)
            }
        } catch {
            return []
        }
    }

    package func zero(_ key: ServiceKey?) throws(CommandRefusal) { try director.zero(key) }

    package var timeouts: TimeoutsRecord {
        let timeouts = director.timeouts
        return TimeoutsRecord(
            tcpSeconds: Int32(clamping: timeouts.tcp),
            tcpFinSeconds: Int32(clamping: timeouts.tcpFin),
            udpSeconds: Int32(clamping: timeouts.udp))
    }

    package func setTimeouts(_ timeouts: TimeoutsRecord) throws(CommandRefusal) {
        try director.setTimeouts(
            Timeouts(
                tcp: UInt32(clamping: timeouts.tcpSeconds),
                tcpFin: UInt32(clamping: timeouts.tcpFinSeconds),
                udp: UInt32(clamping: timeouts.udpSeconds)))
    }

    package var tableSize: UInt32 { director.configuration.listedTableSize }

    package func services() -> [ServiceRecord] {
        director.services().map { ServiceRecord($0) }
    }

    package func service(_ key: ServiceKey) -> ServiceRecord? {
        director.service(key).map { ServiceRecord($0) }
    }

    package func configured(_ key: ServiceKey) -> VirtualService? { director.configured(key) }

    package func destinations(of key: ServiceKey) -> [DestinationRecord] {
        (director.service(key)?.servers ?? []).map { DestinationRecord($0) }
    }

    package var total: StatisticsRecord { StatisticsRecord(director.total) }

    package func connections(
        from position: Int, _ body: (ConnectionRecord) -> Void
    ) -> Int? {
        guard let start = UInt32(exactly: position) else { return nil }
        return director.connections(from: start, count: 4096) { listing in
            body(ConnectionRecord(listing))
        }.map { Int($0) }
    }

    package var markRules: [MarkRule] { director.markRules }

    package func setMarkRules(_ rules: [MarkRule]) throws(CommandRefusal) {
        try director.setMarkRules(rules)
    }

    package func settings() -> [(name: String, value: String)] {
        director.settings.values
    }

    package func set(_ name: String, to value: String) throws(CommandRefusal) {
        try director.set(name: name, text: value)
    }

    package func setBackupDaemon(isRunning: Bool) {
        director.setBackupDaemon(isRunning: isRunning)
    }
}

extension StatisticsRecord {
    init(_ statistics: Statistics) {
        self.init()
        connections = statistics.counters.connections
        inPackets = statistics.counters.inPackets
        outPackets = statistics.counters.outPackets
        inBytes = statistics.counters.inBytes
        outBytes = statistics.counters.outBytes
        connectionsPerSecond = statistics.connectionsPerSecond
        inPacketsPerSecond = statistics.inPacketsPerSecond
        outPacketsPerSecond = statistics.outPacketsPerSecond
        inBytesPerSecond = statistics.inBytesPerSecond
        outBytesPerSecond = statistics.outBytesPerSecond
    }
}

extension ServiceRecord {
    init(_ listing: ServiceListing) {
        self.init(
            listing.service, locals: listing.locals.count, StatisticsRecord(listing.statistics))
    }
}

extension DestinationRecord {
    init(_ listing: ServerListing) {
        self.init(listing.server)
        activeConnections = listing.active
        inactiveConnections = listing.inactive
        persistentConnections = listing.persistent
        statistics = StatisticsRecord(listing.statistics)
    }
}

extension ConnectionRecord {
    init(_ listing: LVS.ConnectionListing) {
        self.init(
            transport: listing.transport.rawValue, client: listing.client,
            clientPort: listing.clientPort, virtual: listing.virtual,
            virtualPort: listing.virtualPort, real: listing.real, realPort: listing.realPort,
            state: listing.state, expiresSeconds: UInt64(listing.remainingSeconds),
            engine: listing.engine.map {
                $0 + " " + String(decoding: listing.engineData, as: UTF8.self)
            }, local: listing.local)
        isSynchronised = listing.isSynchronised
    }
}
