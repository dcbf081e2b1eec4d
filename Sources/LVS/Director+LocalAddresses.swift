// Commands about local addresses: what servers with FULLNAT see instead of clients.

extension Director {
    /// What is known of a local address of a service.
    package struct LocalAddress: Hashable, Sendable {
        package var address: IPAddress
        /// Ports in use by connections of any service, or resting after one.
        package var takenPorts: Int
    }

    /// Adds an address behind those the service has.
    ///
    /// An address is one of a host: no service, no multicast, and one that this director alone uses.
    package func addLocal(_ address: IPAddress, to key: ServiceKey) throws(CommandRefusal) {
        let record = try find(key)
        try checkLocal(address)
        guard !record.locals.contains(address) else { throw .localAddressExists }
        try makePools(for: record.servers.map(\.server), [address], of: key)
        // Replies are the director's before the first connection has the address.
        if ownedLocals.insert(address).inserted, hostAddresses.contains(address) { publishSoon() }
        record.locals.append(address)
        record.object.useLocals(record.locals)
    }

    /// Takes an address from a service; connections that have it keep it until they end, and so
    /// long it stays one of `ownedLocals`.
    package func deleteLocal(_ address: IPAddress, of key: ServiceKey) throws(CommandRefusal) {
        let record = try find(key)
        guard let position = record.locals.firstIndex(of: address) else {
            throw .noSuchLocalAddress
        }
        record.locals.remove(at: position)
        record.object.useLocals(record.locals)
    }

    /// The local addresses of a service, in the order they were added.
    package func locals(of key: ServiceKey) throws(CommandRefusal) -> [LocalAddress] {
        try find(key).locals.map { address in
            LocalAddress(
                address: address, takenPorts: cells.ports.takenCount(of: address))
        }
    }

    /// The addresses of all services, each once.
    package var localAddresses: Set<IPAddress> {
        records.reduce(into: []) { all, record in all.formUnion(record.locals) }
    }

    /// Lets go of addresses that no service has any more and no connection; once a second.
    func endLingeringLocals() {
        let configured = localAddresses
        guard configured.count < ownedLocals.count else { return }
        let former = ownedLocals.subtracting(configured)
        ownedLocals = configured.union(cells.ports.inUse(among: former))
        guard !former.isDisjoint(with: hostAddresses) else { return }
        isTableStale = true
        publishServers()
    }

    /// The local ports that connections get.
    package var localPorts: ClosedRange<UInt16> { live.localPorts }

    /// Makes the pools of local ports that connections to these servers can want.
    func makePools(
        for servers: [RealServer], _ locals: [IPAddress], of key: ServiceKey
    ) throws(CommandRefusal) {
        let transports: [TransportProtocol] =
            if case .address(let transport, _, _) = key { [transport] } else {
                [.tcp, .udp, .sctp]
            }
        for server in servers where server.method == .fullNAT {
            for address in locals where address.family == server.address.family {
                for transport in transports {
                    let pool = LocalPorts.Key(
                        local: address, real: server.address, transport: transport)
                    guard cells.ports.add(pool) else {
                        throw .outOfMemory(
                            "a director has at most \(LocalPorts.mostPools) pairs of a local address "
                                + "and a real server")
                    }
                }
            }
        }
    }

    private func checkLocal(_ address: IPAddress) throws(CommandRefusal) {
        let isHosts =
            if address.family == .v4 {
                address.v4 != 0 && address.v4 >> 24 != 127 && address.v4 >> 28 < 0xe
            } else {
                address.isGlobalUnicast
            }
        guard isHosts else {
            throw .invalid("a local address must be a unicast one that servers can answer to")
        }
    }
}
