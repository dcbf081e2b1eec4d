// Commands about local addresses: what servers with FULLNAT see instead of clients.

extension Director {
    /// What is known of a local address of a service.
    package struct LocalAddress: Hashable, Sendable {
        package var address: IPAddress
        /// Ports in use by connections of any service, or resting after one.
        package var takenPorts: Int
    }

    /// Adds addresses behind those the service has, all or none of them.
    ///
    /// An address is one of a host: no service, no multicast, and one that this director alone uses.
    package func addLocals(_ addresses: [IPAddress], to key: ServiceKey) throws(CommandRefusal) {
        let record = try find(key)
        for address in addresses where record.locals.contains(address) {
            throw .localAddressExists(address)
        }
        try setLocals(record.locals + addresses, of: key)
    }

    /// Takes addresses from a service, all or none of them; connections that have one keep it until
    /// they end, and so long it stays one of `ownedLocals`.
    package func deleteLocals(
        _ addresses: [IPAddress], of key: ServiceKey
    ) throws(CommandRefusal) {
        let record = try find(key)
        for address in addresses where !record.locals.contains(address) {
            throw .noSuchLocalAddress(address)
        }
        let gone = Set(addresses)
        try setLocals(record.locals.filter { !gone.contains($0) }, of: key)
    }

    /// Gives a service these addresses in this order, instead of those it has.
    package func setLocals(_ addresses: [IPAddress], of key: ServiceKey) throws(CommandRefusal) {
        let record = try find(key)
        var seen: Set<IPAddress> = []
        for address in addresses {
            try checkLocal(address, of: key)
            guard seen.insert(address).inserted else { throw .localAddressExists(address) }
        }
        let new = addresses.filter { !record.locals.contains($0) }
        try makePools(for: record.servers.map(\.server), new, of: key)
        // Replies are the director's before the first connection has an address.
        let owned = ownedLocals.union(new)
        let areHosts = !owned.subtracting(ownedLocals).isDisjoint(with: hostAddresses)
        ownedLocals = owned
        if areHosts { publishSoon() }
        record.locals = addresses
        record.object.useLocals(addresses)
    }

    /// The local addresses of a service, in the order they were added.
    package func locals(of key: ServiceKey) throws(CommandRefusal) -> [LocalAddress] {
        let locals = try find(key).locals
        let counts = cells.ports.takenCounts(of: locals)
        return locals.map { LocalAddress(address: $0, takenPorts: counts[$0] ?? 0) }
    }

    /// Connections of a service that found no local port, and were refused for it.
    package func refusedForPorts(of key: ServiceKey) throws(CommandRefusal) -> UInt64 {
        try find(key).object.refusedForPorts
    }

    /// The addresses of all services, each once.
    package var localAddresses: Set<IPAddress> {
        records.reduce(into: []) { all, record in all.formUnion(record.locals) }
    }

    /// Lets go of addresses that no service has any more and no connection; once a second.
    func endLingeringLocals() {
        guard !ownedLocals.isEmpty else { return }
        let former = ownedLocals.subtracting(localAddresses)
        guard !former.isEmpty else { return }
        let counts = cells.ports.takenCounts(of: Array(former))
        let ended = former.filter { counts[$0] == 0 }
        ownedLocals.subtract(ended)
        guard !ended.isDisjoint(with: hostAddresses) else { return }
        isTableStale = true
        publishServers()
    }

    /// The local ports that connections get.
    package var localPorts: ClosedRange<UInt16> { live.localPorts }

    /// The local ports that the settings allow.
    package var allowedLocalPorts: ClosedRange<UInt16> { settings.localPorts }

    /// Gives connections to come local ports of this range only, one the settings allow; the next
    /// change of a setting ends that.
    package func limitLocalPorts(to range: ClosedRange<UInt16>) { live.take(localPorts: range) }

    /// Makes the pools of local ports that connections to these servers can want.
    func makePools(
        for servers: [RealServer], _ locals: [IPAddress], of key: ServiceKey
    ) throws(CommandRefusal) {
        let transports: [TransportProtocol] =
            if case .address(let transport, _, _) = key { [transport] } else {
                [.tcp, .udp, .sctp]
            }
        var missing: Set<LocalPorts.Key> = []
        for server in servers where server.method == .fullNAT {
            for address in locals where address.family == server.address.family {
                for transport in transports {
                    let key = LocalPorts.Key(
                        local: address, real: server.address, transport: transport)
                    if cells.ports.pool(key) == nil { missing.insert(key) }
                }
            }
        }
        guard missing.count <= cells.ports.room else {
            throw .outOfMemory(
                "a director has at most \(LocalPorts.mostPools) pairs of a local address and a real "
                    + "server; this asks for \(missing.count) more, and \(cells.ports.room) are left"
            )
        }
        for key in missing { _ = cells.ports.add(key) }
    }

    private func checkLocal(_ address: IPAddress, of key: ServiceKey) throws(CommandRefusal) {
        guard address.family == .v4 || key.family == .v6 else {
            throw .invalid(
                "\(address): servers of an IPv4 service need IPv4 local addresses")
        }
        let isHosts =
            if address.family == .v4 {
                address.v4 != 0 && address.v4 >> 24 != 127 && address.v4 >> 28 < 0xe
            } else {
                address.isGlobalUnicast
            }
        guard isHosts else {
            throw .invalid(
                "\(address): a local address must be a unicast one that servers can answer to")
        }
    }
}
