// Commands about real servers; checks in the kernel's order (ipvs-semantics 10.2).

extension Director {
    /// Adds a real server to a service, in front of the others; one that was deleted a short while
    /// ago finds its connections and counts again (ipvs-semantics 3.3).
    package func add(_ server: RealServer, to key: ServiceKey) throws(CommandRefusal) {
        let record = try find(key)
        try check(server, family: key.family)
        guard record.position(server.address, server.port) == nil else {
            throw .destinationExists
        }
        try checkReachable(server, family: key.family)
        try makePools(for: [server], record.locals, of: key)
        let added: ServerRecord
        if let revived = revive(server, for: record) {
            added = revived
        } else {
            added = try start(server, of: key)
        }
        record.servers.insert(added, at: 0)
        record.object.add(added.number)
        countReplies(from: server, of: record.service, by: 1)
        publishServers()
    }

    /// Changes method, weight and thresholds of a server; existing connections keep their method.
    package func edit(_ server: RealServer, of key: ServiceKey) throws(CommandRefusal) {
        let record = try find(key)
        try check(server, family: key.family)
        guard let position = record.position(server.address, server.port) else {
            throw .noSuchDestination
        }
        try checkSupported(server, family: key.family)
        try makePools(for: [server], record.locals, of: key)
        let number = record.servers[position].number
        let old = record.servers[position].server
        if server.method != old.method || server.tunnel != old.tunnel {
            endReplies(from: record.servers[position], of: record.service)
            countReplies(from: server, of: record.service, by: 1)
        }
        record.servers[position].server = server
        record.object.edit(number) { cells[number].configure(server) }
        publishServers()
    }

    /// Removes a server; its connections stay, and are dropped unless it comes back.
    package func delete(
        _ address: IPAddress, port: UInt16, of key: ServiceKey
    ) throws(CommandRefusal) {
        let record = try find(key)
        guard let position = record.position(address, port) else { throw .noSuchDestination }
        let server = record.servers.remove(at: position)
        trash(server, of: record)
        publishServers()
        expireConnectionsWithoutDestination()
    }

    /// Takes a server, already out of its record, from the workers and keeps it for a revival.
    func trash(_ server: ServerRecord, of record: ServiceRecord) {
        endReplies(from: server, of: record.service)
        cells[server.number].setAvailable(false)
        record.object.remove(server.number)
        record.left = record.left + read(server.number)
        trash.add(
            server, service: record.service.key, generation: record.object.generation, now: now)
    }

    /// A deleted server with its number and counts; statistics go on only in the same service.
    private func revive(_ server: RealServer, for record: ServiceRecord) -> ServerRecord? {
        guard
            let entry = trash.revive(
                server.address, port: server.port, service: record.service.key)
        else { return nil }
        var revived = entry.record
        revived.server = server
        let counters = read(revived.number)
        record.left = record.left - counters
        // The kernel's zero point is the last estimate, not the moment.
        if entry.generation != record.object.generation { revived.meter.restart() }
        prepare(revived)
        return revived
    }

    /// A server nobody remembers, with a number of its own.
    private func start(
        _ server: RealServer, of service: ServiceKey
    ) throws(CommandRefusal) -> ServerRecord {
        guard let number = numbers.take() else {
            throw .outOfMemory("a director has at most \(DestinationCells.capacity) servers")
        }
        directory?.write(
            number,
            ServerDirectory.Record(
                service: service, address: server.address, port: server.port))
        cells[number].start(number: number, address: server.address, port: server.port)
        for counters in counters { counters.start(number) }
        let record = ServerRecord(
            server: server, number: number, meter: Meter(from: CounterValues()))
        prepare(record)
        return record
    }

    private func prepare(_ record: ServerRecord) {
        let cell = cells[record.number]
        cell.configure(record.server)
        refreshNextHop(of: record.number)
        cell.setAvailable(true)
    }

    /// Checks that come before the server is looked for.
    private func check(
        _ server: RealServer, family: AddressFamily
    ) throws(CommandRefusal) {
        if server.address.family != family, server.method != .tunnel {
            guard server.method == .fullNAT, family == .v6 else {
                throw .invalid(
                    "service and server of different families need the tunnel method, or FULLNAT "
                        + "where the service is of IPv6 and the server of IPv4")
            }
        }
        guard server.weight >= 0, server.lowerThreshold <= server.upperThreshold else {
            throw .outOfRange
        }
        if case .gue(port: 0, _) = server.tunnel {
            throw .invalid("a GUE tunnel needs a port")
        }
    }

    /// Checks of a new server's address, then of what the director can do.
    private func checkReachable(
        _ server: RealServer, family: AddressFamily
    ) throws(CommandRefusal) {
        if server.address.family == .v4 {
            let value = server.address.v4
            if value == 0 || value == .max || value >> 28 == 0xe {
                throw .invalid("the address of a real server must be a unicast one")
            }
        } else if !server.address.isGlobalUnicast, !hostAddresses.contains(server.address) {
            throw .invalid("the address of a real server must be a unicast one, not link-local")
        }
        try checkSupported(server, family: family)
    }

    private func checkSupported(
        _ server: RealServer, family: AddressFamily
    ) throws(CommandRefusal) {
        guard server.method != .bypass else {
            throw .notSupported("bypass for a real server; cache_bypass=1 chooses it by itself")
        }
    }
}
