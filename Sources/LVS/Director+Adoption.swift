// A table that another process left: its connections go on, and its servers wait in the trash until they
// are configured again, as a deleted server does that is added a short while later (ipvs-semantics 3.3).

extension Director {
    /// Takes over what the memory holds; the last step of the director's making.
    func takeOver(_ adoption: TableAdoption) {
        var adopted = adoption.finish()
        adopted.servers = takeOverServers(of: adoption)
        var ended: [AdoptionFlaw: Int] = [:]
        adopted.completed = adoption.completeReplies { entry in
            drop(entry)
            ended[.noRoom, default: 0] += 1
        }
        if adoption.parts.contains(where: { $0.entries.fullNAT > 0 }) {
            ended[.localPort] = takeOverLocalPorts()
        }
        for (flaw, count) in ended where count > 0 { adopted.ended[flaw, default: 0] += count }
        adopted.connections = table.count
        table.reclaim(configuration.workers)
        self.adopted = adopted
    }

    /// Gives every server that connections name the number and the counts it had; how many there are.
    private func takeOverServers(of adoption: TableAdoption) -> Int {
        var taken: [DestinationIndex] = []
        for number in adoption.known {
            guard let noted = adoption.directory.read(number) else { continue }
            let tally = adoption.tally(number)
            guard tally != ServerTally() else {
                adoption.directory.clear(number)
                continue
            }
            taken.append(number)
            wait(for: noted, number, tally)
        }
        numbers.reserve(taken)
        return taken.count
    }

    /// Puts a server into the trash that nobody has configured yet.
    private func wait(
        for noted: ServerDirectory.Record, _ number: DestinationIndex, _ tally: ServerTally
    ) {
        let server = RealServer(
            address: noted.address, port: noted.port, method: .masquerading, weight: 0)
        cells[number].start(number: number, address: noted.address, port: noted.port)
        cells[number].takeOver(tally)
        for counters in counters { counters.start(number) }
        let record = ServerRecord(
            server: server, number: number, meter: Meter(from: CounterValues()))
        // No service has this generation: statistics begin anew, as with a service made again.
        trash.add(record, service: noted.service, generation: 0, now: now)
        guard tally.translated > 0 else { return }
        // Replies go on to be the director's, whoever is configured when.
        let service = VirtualService(key: noted.service, scheduler: "none")
        countReplies(from: server, of: service, by: 1)
        lingeringReplies.append(
            LingeringReplies(number: number, server: server, service: service))
    }

    /// Takes the local ports of connections with FULLNAT out of their pools; how many connections end,
    /// whose port another one has or that find no pool.
    private func takeOverLocalPorts() -> Int {
        var ended = 0
        table.forEach { connection in
            guard connection.isFullNAT else { return }
            let local = connection.local
            let key = LocalPorts.Key(
                local: local.address, real: connection.real, transport: connection.transport)
            guard cells.ports.add(key), let pool = cells.ports.pool(key), pool.take(local.port)
            else {
                drop(connection)
                ended += 1
                return
            }
            ownedLocals.insert(local.address)
        }
        return ended
    }

    /// Ends a connection that cannot go on; its local port is not its own.
    private func drop(_ connection: Connection) {
        let control = connection.control
        guard table.expire(connection, worker: configuration.workers),
            control.destination != Destination.none
        else { return }
        cells[control.destination].unbind(active: !control.isInactive)
    }
}
