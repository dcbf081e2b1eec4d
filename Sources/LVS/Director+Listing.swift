/// A virtual service as listings show it.
package struct ServiceListing: Hashable, Sendable {
    package var service: VirtualService
    package var statistics: Statistics
    /// Newest first, as the kernel lists them.
    package var servers: [ServerListing]
    /// What servers with FULLNAT see clients by, in the order they were added.
    package var locals: [IPAddress] = []
}

/// A real server as listings show it.
package struct ServerListing: Hashable, Sendable {
    package var server: RealServer
    package var active: UInt32
    package var inactive: UInt32
    package var persistent: UInt32
    /// Takes no new connections until enough have ended (ipvs-semantics 7).
    package var isOverloaded: Bool
    package var statistics: Statistics
}

/// A connection as listings show it; ports are host order.
package struct ConnectionListing: Hashable, Sendable {
    package var transport: TransportProtocol
    package var client: IPAddress
    package var clientPort: UInt16
    package var virtual: IPAddress
    package var virtualPort: UInt16
    package var real: IPAddress
    package var realPort: UInt16
    /// Name of the state as listings print it.
    package var state: String
    /// Whole seconds until it ends without a further packet.
    package var remainingSeconds: UInt32
    package var method: ForwardingMethod
    package var isTemplate: Bool
    package var isInactive: Bool
    /// Name of the persistence engine that made the template; nil without one.
    package var engine: String?
    /// What the engine tells the template apart by.
    package var engineData: [UInt8] = []
    /// What the server takes for the client; nil without FULLNAT.
    package var local: LocalEndpoint?
    /// Seconds without a packet after which it ends.
    package var timeoutSeconds: UInt32
    /// Made by what another director told.
    package var isSynchronised: Bool

    /// An entry of the connection table as it is now.
    package init(_ connection: Connection, now: Instant) {
        // Where IPVS puts a template that nobody follows any more (ipvs-semantics 5.4).
        let isInvalid = connection.isInvalidTemplate
        transport = connection.transport
        client = connection.client
        clientPort = connection.clientPort
        virtual = connection.virtual
        virtualPort = isInvalid ? .max : connection.virtualPort
        real = connection.real
        realPort = isInvalid ? .max : connection.realPort
        state = connection.stateName
        remainingSeconds = connection.remainingSeconds(now)
        method = connection.method
        isTemplate = connection.isTemplate
        isInactive = connection.isInactive
        engine = connection.engineData == nil ? nil : PersistenceEngine.sip.name
        engineData = connection.engineData ?? []
        local = connection.isFullNAT ? connection.local : nil
        timeoutSeconds = connection.timeoutSeconds
        isSynchronised = connection.isSynchronised
    }
}

extension Director {
    /// All services in the order they were added, each with its servers.
    package func services() -> [ServiceListing] { records.map(listing) }

    /// One service; nil when there is none with this key.
    package func service(_ key: ServiceKey) -> ServiceListing? {
        record(key).map(listing)
    }

    /// A service as configured, without counting anything; nil when there is none with this key.
    package func configured(_ key: ServiceKey) -> VirtualService? { record(key)?.service }

    /// A real server as configured; nil when the service has none with this address and port.
    package func configured(
        _ address: IPAddress, port: UInt16, of key: ServiceKey
    ) -> RealServer? {
        guard let record = record(key), let position = record.position(address, port) else {
            return nil
        }
        return record.servers[position].server
    }

    /// Counters and rates of everything since the start or the last zeroing.
    package var total: Statistics {
        totalMeter.statistics(totalCounters(), isFrozen: !isEstimating)
    }

    /// Tells up to `count` entries of the table from a position on (0 is the start); returns the
    /// next position, nil at the end.
    ///
    /// Connections that come and go between two calls may be missed, none is told twice.
    package func connections(
        from position: UInt32, count: UInt32, _ body: (ConnectionListing) -> Void
    ) -> UInt32? {
        let limit = table.highWater
        let end = UInt32(min(UInt64(limit), UInt64(position) + UInt64(count)))
        guard position < end else { return nil }
        table.forEach(in: position..<end) { body(ConnectionListing($0, now: now)) }
        return end == limit ? nil : end
    }

    /// Tells every connection.
    package func forEachConnection(_ body: (ConnectionListing) -> Void) {
        table.forEach { body(ConnectionListing($0, now: now)) }
    }

    /// Frames dropped so far, by every reason there is.
    package func dropCounts() -> [(reason: DropReason, frames: UInt64)] {
        DropReason.allCases.map { reason in
            (reason, workers.reduce(0) { $0 + $1.tally.dropped(reason) })
        }
    }

    private func listing(_ record: ServiceRecord) -> ServiceListing {
        ServiceListing(
            service: record.service,
            statistics: record.meter.statistics(
                counters(of: record), isFrozen: !isEstimating),
            servers: record.servers.map { server in
                let cell = cells[server.number]
                let load = cell.current
                return ServerListing(
                    server: server.server, active: UInt32(load.active),
                    inactive: UInt32(load.inactive),
                    persistent: cell.persistent, isOverloaded: load.isOverloaded,
                    statistics: server.meter.statistics(
                        read(server.number), isFrozen: !isEstimating))
            }, locals: record.locals)
    }

    /// What all workers have counted for a destination.
    func read(_ number: DestinationIndex) -> CounterValues {
        counters.reduce(CounterValues()) { $0 + $1.read(number) }
    }

    /// Running counters of a service: its servers' and those of servers that left it.
    func counters(of record: ServiceRecord) -> CounterValues {
        record.servers.reduce(record.left) { $0 + read($1.number) }
    }

    /// Running counters of all services, removed ones included.
    func totalCounters() -> CounterValues {
        records.reduce(removedCounters) { $0 + counters(of: $1) }
    }
}
