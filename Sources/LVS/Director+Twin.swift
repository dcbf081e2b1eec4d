/// A small director that decides about packets of one flow as another one does at this moment: what it
/// is asked changes nothing in the other.
///
/// Its worker is the caller's. It knows the services, servers and their loads, the schedulers' state,
/// settings, marks, routes, neighbours and path MTUs, and of the connections those of the flow; the limit
/// on ICMP errors begins anew, and so do random choices (twos, and the numbers that replace a client's).
@safe
package final class Twin {
    /// Connections that its table has room for.
    private static let connections = 1024

    package let director: Director

    /// Memory of the twin's table, which its director keeps.
    @safe
    private final class Memory {
        let base: UnsafeMutableRawPointer

        init(bytes: Int) {
            unsafe base = .allocate(byteCount: bytes, alignment: 4096)
            unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        }

        deinit { unsafe base.deallocate() }
    }

    fileprivate init(now: Instant) {
        let configuration = Director.Configuration(
            connections: Twin.connections, workers: 1, seed: now.nanoseconds)
        let bytes = Director.tableBytes(configuration)
        let memory = Memory(bytes: bytes)
        director = unsafe Director(
            configuration,
            tableMemory: TableMemory(base: memory.base, count: bytes, owner: memory), now: now)
    }
}

extension Director {
    /// A twin for packets of a flow, as they come in; housekeeper.
    ///
    /// Takes as long as there are services, servers and neighbours.
    package func twin(
        for transport: TransportProtocol, from source: IPAddress, port sourcePort: UInt16,
        to destination: IPAddress, port destinationPort: UInt16
    ) -> Twin {
        let twin = Twin(now: now)
        let tuple = ConnectionTuple(
            source: source, sourcePort: sourcePort, destination: destination,
            destinationPort: destinationPort, transport: transport)
        twin.director.takeSurroundings(of: self)
        for record in records { twin.director.take(record, of: self, for: tuple) }
        for entry in trash.entries { twin.director.take(entry.record, of: self) }
        twin.director.replyEndpoints = replyEndpoints
        twin.director.tunnelEndpoints = tunnelEndpoints
        twin.director.lingeringReplies = lingeringReplies
        twin.director.publish()
        // The housekeeper looks through the table, and nothing is used again meanwhile.
        quiescence.wake(configuration.workers)
        defer { quiescence.sleep(configuration.workers) }
        twin.director.takeConnections(of: self, for: tuple)
        return twin
    }

    /// Settings, marks, addresses, routes and neighbours.
    private func takeSurroundings(of other: Director) {
        timeouts = other.timeouts
        settings = other.settings
        live.take(all: other.live)
        hasBackupDaemon = other.hasBackupDaemon
        hostAddresses = other.hostAddresses
        ownedLocals = other.ownedLocals
        door = other.door
        markRules = other.markRules
        followedMarks = other.followedMarks
        framesCarryMarks = other.framesCarryMarks
        ports = other.ports
        nextHops.take(all: other.nextHops)
        workers[0].parts.commons.takePathMTUs(of: other.workers[0].parts.commons)
    }

    /// A service with its servers; those of FULLNAT get the ports they have left where the flow may come
    /// to the service.
    private func take(_ record: ServiceRecord, of other: Director, for tuple: ConnectionTuple) {
        let object = Service(
            key: record.service.key, generation: record.object.generation, cells: cells)
        object.configure(record.service)
        let copy = ServiceRecord(service: record.service, object: object)
        copy.locals = record.locals
        copy.servers = record.servers
        for server in record.servers { take(server, of: other) }
        object.take(stateOf: record.object)
        append(copy)
        guard record.mayTake(tuple) else { return }
        for server in record.servers where server.server.method == .fullNAT {
            let real = server.server.address
            for local in record.locals where local.family == real.family {
                cells.ports.copy(
                    LocalPorts.Key(
                        local: local, real: real,
                        transport: TransportProtocol(rawValue: tuple.transport)),
                    of: other.cells.ports)
            }
        }
    }

    private func take(_ server: ServerRecord, of other: Director) {
        let number = server.number
        let old = other.cells[number]
        cells[number].start(number: number, address: old.address, port: old.port)
        cells[number].take(server.server, old)
        for counters in counters { counters.start(number) }
        refreshNextHop(of: number)
    }

    /// The connections and templates that packets of a flow can meet, of either direction.
    private func takeConnections(of other: Director, for tuple: ConnectionTuple) {
        let key = other.table.key(tuple)
        if let match = other.table.find(tuple, key, tick: nil) {
            _ = table.copy(match.connection, of: other.table, now: now)
        }
        if let waiting = other.table.findUnknownPort(tuple, now: now) {
            _ = table.copy(waiting, of: other.table, now: now)
        }
        for record in records where record.mayTake(tuple) {
            guard let persistence = record.object.persistence, record.object.engine == nil else {
                continue
            }
            let wanted = Admission.template(of: tuple, record.object, persistence).inboundTuple
            if let found = other.table.find(wanted, other.table.key(wanted), tick: nil) {
                _ = table.copy(found.connection, of: other.table, now: now)
            }
        }
    }
}

extension ServiceRecord {
    /// Whether a packet of a flow may come to the service, whatever its mark.
    fileprivate func mayTake(_ tuple: ConnectionTuple) -> Bool {
        switch service.key {
        case .address(let transport, let address, _):
            transport.rawValue == tuple.transport && address == tuple.destination
        case .mark(_, let family): family == tuple.destination.family
        }
    }
}
