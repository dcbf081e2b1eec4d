extension Director {
    /// The interfaces that are served, by their number.
    package func setPorts(_ ports: [Port]) {
        nextHops.setPorts(ports)
        refreshNextHops()
        guard ports != self.ports else { return }
        self.ports = ports
        // Marking rules name interfaces.
        if !markRules.isEmpty || !followedMarks.isEmpty { publish() }
    }

    /// The kernel's routes, all of them.
    package func setRoutes(_ routes: [Route]) {
        nextHops.setRoutes(routes)
        refreshNextHops()
    }

    /// Who answers for an address on a segment; nil while nobody does.
    package func setNeighbour(_ neighbour: Neighbour, _ hardware: HardwareAddress?) {
        nextHops.setNeighbour(neighbour, hardware)
    }

    /// Neighbours somebody has begun to need since the last call: the caller has them resolved.
    package func takeWantedNeighbours() -> [Neighbour] { nextHops.takeWanted() }

    /// Needed neighbours whose hardware address is unknown.
    package func unresolvedNextHops() -> [Neighbour] { nextHops.unresolved() }

    /// How packets to a server leave, for warnings about those that leave by an interface that is
    /// not served; nil without a route.
    package func serverRoute(_ address: IPAddress) -> Route.Kind? {
        nextHops.route(to: address)?.kind
    }

    /// Resolves the next hop of every server anew, after routes or ports have changed.
    private func refreshNextHops() {
        for record in records {
            for server in record.servers { refreshNextHop(of: server.number) }
        }
        for entry in trash.entries { refreshNextHop(of: entry.record.number) }
    }

    func refreshNextHop(of number: DestinationIndex) {
        cells[number].setNextHop(nextHops.table.resolve(cells[number].address))
    }

    /// The host's own addresses: replies to them are the host's.
    package func setHostAddresses(_ addresses: Set<IPAddress>) {
        guard addresses != hostAddresses else { return }
        hostAddresses = addresses
        publish()
    }

    /// The port by which packets of the host's own servers come; nil without a host door.
    package func setDoor(_ port: PortIndex?) {
        guard port != door else { return }
        door = port
        publish()
    }

    /// What the ingress block must contain.
    package var served: ServedTraffic {
        var served = ServedTraffic()
        served.services = records.reduce(into: marked.services) { all, record in
            guard case .address = record.service.key else { return }
            all.formUnion(requests(of: record.service).services)
        }
        served.blocks = marked.blocks
        served.marks = marked.marks
        served.servers = Set(replyEndpoints.keys)
        served.tunnels = Set(tunnelEndpoints.keys)
        served.hostAddresses = hostAddresses
        served.locals = ownedLocals
        return served
    }

    /// Makes many changes of services and servers, of which workers are told at once, at the end; also
    /// when one is refused, of those before it.
    package func changeTogether<Failure>(
        _ changes: () throws(Failure) -> Void
    ) throws(Failure) {
        isChangingTogether = true
        defer {
            isChangingTogether = false
            if isTableStale { publish() }
        }
        try changes()
    }

    /// Publishes a new table after a change of servers, when workers have to know of it.
    func publishServers() {
        if isTableStale { publishSoon() }
    }

    /// Publishes a new table, at once as long as that is cheap.
    ///
    /// A table takes as long to build as there are services and servers; with many, the next tick does
    /// it for all changes until then.
    func publishSoon() {
        isTableStale = true
        guard !isChangingTogether else { return }
        let endpoints = replyEndpoints.count + tunnelEndpoints.count
        if max(records.count, endpoints) < Director.publishedAtOnce { publish() }
    }

    /// Builds the service table anew and hands it to the workers.
    func publish() {
        beforePublishing()
        var builder = ServiceTableBuilder()
        builder.services = records.map { $0.object }
        builder.servers = Set(replyEndpoints.keys)
        builder.tunnels = Set(tunnelEndpoints.keys)
        builder.hosts = hostAddresses
        builder.hostsAlone = hostAddresses.subtracting(ownedLocals)
        builder.translatesFamilies = translatesFamilies
        builder.door = door
        marked = markedRequests()
        builder.marked = marked
        builder.marks = (framesCarryMarks ? markRules : allMarks(), ports)
        let old = published.current
        published.publish(builder.build())
        isTableStale = false
        retired.append((old, quiescence.advance()))
        freeRetired()
    }

    /// Frees the service tables that every worker has let go.
    func freeRetired() {
        retired.removeAll { old in
            guard quiescence.hasPassed(old.epoch) else { return false }
            old.table.deallocate()
            return true
        }
    }
}
