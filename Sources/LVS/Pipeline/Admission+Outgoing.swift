// Packets that servers send by themselves: a persistence engine may let them open a connection, so
// that the client's answer finds its way back (ipvs-semantics 0.3 step 5, 5.6).

extension Admission {
    /// The connection that a server's packet opens; nil when none of the services with an engine has
    /// this server, or the engine finds nothing in the packet to go by.
    func open(_ packet: Packet, services: ServiceTable, now: Instant) -> Admitted? {
        guard packet.kind == .flow, packet.transport == .udp, !isForError,
            !services.isHost(packet.destination),
            !services.isServiceAddress(nil, packet.destination),
            let (service, server) = services.engineService(
                packet.transport, packet.source, port: packet.sourcePort),
            case .address(let transport, let virtual, let port) = service.key,
            // A server of IPv4 cannot name a client of IPv6.
            virtual.family == packet.family
        else { return nil }
        var spec = ConnectionSpec(
            tuple: ConnectionTuple(
                source: packet.destination, sourcePort: packet.destinationPort,
                destination: virtual, destinationPort: port, transport: transport),
            real: packet.source, realPort: packet.sourcePort, method: server.method,
            destination: server.number)
        if let persistence = service.persistence {
            guard
                let template = leader(
                    of: spec, packet, service: service, server, persistence, now: now)
            else { return nil }
            spec.controller = template.number
            template.restart(timeoutSeconds: template.timeoutSeconds, now: now)
        }
        // Another server may be talking to this client in the same name. The newest connection gets
        // the client's packets, the older one keeps its server's (ipvs-semantics 4.2).
        if !service.isOnePacket, let older = table.find(spec.inboundTuple, now: now),
            older.direction == .inbound
        {
            table.removeSlot(older.connection, .inbound)
        }
        switch connect(spec, server, of: service, now: now) {
        case .connection(let connection):
            // Another worker may have been faster, for the other server.
            guard connection.real == packet.source, connection.realPort == packet.sourcePort else {
                return .verdict(.drop(.openedAgain))
            }
            return .outgoing(connection, isOnce: false)
        case .once(let connection): return .outgoing(connection, isOnce: true)
        case nil: return .verdict(.drop(.noLocalPort))
        case let other: return other
        }
    }

    /// The template of the packet's call that leads to this server, held for the new connection; nil
    /// when there is no call, or no room.
    private func leader(
        of connection: ConnectionSpec, _ packet: Packet, service: Service, _ server: Destination,
        _ persistence: Persistence, now: Instant
    ) -> Connection? {
        guard let key = service.engine?.key(of: packet) else { return nil }
        var spec = connection
        spec.isTemplate = true
        spec.isInactive = false
        spec.timeoutSeconds = persistence.timeoutSeconds
        spec.client = persistence.network(of: connection.client)
        spec.clientPort = 0
        spec.tag = key.tag(table.seed)
        spec.extraLines = Connection.engineLines(key.range.count)
        // Another worker may make or end the template between two steps here: then again.
        while true {
            if let known = table.findTemplate(spec.inboundTuple, now: now) {
                if isValid(known), known.destination == server.number, table.hold(known) {
                    return known
                }
                table.invalidate(known)
            }
            server.bindTemplate()
            switch insert(spec, key, now: now) {
            case .inserted(let made):
                if table.hold(made) { return made }
            case .existing: server.unbindTemplate()
            case .full:
                server.unbindTemplate()
                return nil
            }
        }
    }
}
