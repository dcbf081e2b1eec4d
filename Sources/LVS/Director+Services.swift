// Commands about virtual services. A refused command has changed nothing: all checks come first, in
// the kernel's order (ipvs-semantics 10.2).

extension Director {
    /// Adds a virtual service.
    package func add(_ service: VirtualService) throws(CommandRefusal) {
        guard record(service.key) == nil else { throw .serviceExists }
        try check(service)
        generation += 1
        let object = Service(key: service.key, generation: generation, cells: cells)
        object.configure(service)
        object.use(service.scheduler, options: options(service))
        append(ServiceRecord(service: stored(service), object: object))
        publishSoon()
    }

    /// Changes scheduler, flags, timeout, mask and engine of a service; the same scheduler keeps its
    /// state (ipvs-semantics 2.1).
    package func edit(_ service: VirtualService) throws(CommandRefusal) {
        let record = try find(service.key)
        try check(service)
        if record.service.scheduler != service.scheduler {
            let most = SchedulerRegistry.mostServers(service.scheduler) ?? .max
            guard record.servers.count <= most else {
                throw .invalid(
                    "\(service.scheduler) takes at most \(most) servers, "
                        + "the service has \(record.servers.count)")
            }
            record.object.use(service.scheduler, options: options(service))
        } else {
            record.object.take(options(service))
        }
        change(record, to: stored(service))
    }

    /// Takes a checked service over; what is served, and where replies come from, may change with it.
    private func change(_ record: ServiceRecord, to service: VirtualService) {
        let old = record.service
        record.service = service
        record.object.configure(service)
        if old.persistenceEngine != service.persistenceEngine { isTableStale = true }
        guard old.flags.contains(.persistent) != service.flags.contains(.persistent) else {
            if isTableStale { publishSoon() }
            return
        }
        for server in record.servers {
            endReplies(from: server, of: old)
            countReplies(from: server.server, of: service, by: 1)
        }
        publishSoon()
    }

    /// Removes a service and its servers; their connections stay.
    package func delete(_ key: ServiceKey) throws(CommandRefusal) {
        guard let record = takeRecord(key) else { throw .noSuchService }
        remove(record)
        publishSoon()
        expireConnectionsWithoutDestination()
    }

    /// Removes all services.
    package func flush() {
        for record in takeRecords() { remove(record) }
        publish()
        expireConnectionsWithoutDestination()
    }

    /// Makes the present counters of a service and its servers, or of everything (nil), the zero
    /// point (ipvs-semantics 8.1).
    package func zero(_ key: ServiceKey?) throws(CommandRefusal) {
        if let key {
            zero(try find(key))
            return
        }
        for record in records { zero(record) }
        totalMeter.zero(at: totalCounters(), isFrozen: !isEstimating)
    }

    private func zero(_ record: ServiceRecord) {
        for index in record.servers.indices {
            let counters = read(record.servers[index].number)
            record.servers[index].meter.zero(at: counters, isFrozen: !isEstimating)
        }
        record.meter.zero(at: counters(of: record), isFrozen: !isEstimating)
    }

    /// The record of a service, for commands that need it.
    func find(_ key: ServiceKey) throws(CommandRefusal) -> ServiceRecord {
        guard let record = record(key) else { throw .noSuchService }
        return record
    }

    /// What the scheduler of a service is told besides its servers.
    func options(_ service: VirtualService) -> SchedulerOptions {
        SchedulerOptions(flags: service.flags, settings: settings)
    }

    private func remove(_ record: ServiceRecord) {
        for server in record.servers { trash(server, of: record) }
        record.servers = []
        removedCounters = removedCounters + record.left
    }

    /// Listings show the flag that says "in the table" (ipvs-semantics 10.1).
    private func stored(_ service: VirtualService) -> VirtualService {
        var service = service
        service.flags.insert(.hashed)
        return service
    }

    /// Checks shared by adding and editing.
    private func check(_ service: VirtualService) throws(CommandRefusal) {
        if service.scheduler != "none",
            SchedulerRegistry.make(service.scheduler, options: SchedulerOptions()) == nil
        {
            throw .schedulerNotFound(service.scheduler)
        }
        if let engine = service.persistenceEngine {
            guard PersistenceEngine(name: engine) != nil else {
                throw .schedulerNotFound(engine)
            }
        }
        if service.key.family == .v6, !(1...128).contains(service.netmask) {
            throw .invalid("an IPv6 prefix length is 1 to 128, not \(service.netmask)")
        }
        if case .address(let transport, _, _) = service.key, transport != .tcp,
            service.fullNAT != .none
        {
            throw .invalid(
                "TOA, the PROXY protocol, sequence numbers and timestamps are of TCP services, or "
                    + "of services by firewall mark")
        }
        switch service.key {
        case .mark, .address(.tcp, _, _), .address(.udp, _, _), .address(.sctp, _, _): break
        case .address(let transport, _, _):
            throw .notSupported(
                "services of IP protocol \(transport.rawValue), only TCP, UDP and SCTP")
        }
    }
}
