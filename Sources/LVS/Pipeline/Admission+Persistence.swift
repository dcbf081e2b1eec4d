// New connections of persistent services: they follow the template of their client, which the first
// of them makes (ipvs-semantics 5.2).

extension Admission {
    /// A held template, or why there is none.
    private enum Leader {
        case held(Connection)
        case refused
        case full
        /// The persistence engine finds nothing in the packet to go by.
        case unreadable
    }

    /// Gives the packet a connection to the server of its client's template.
    mutating func follow(
        _ packet: Packet, mark: UInt32, service: Service, _ persistence: Persistence,
        services: ServiceTable, now: Instant
    ) -> Admitted {
        let template: Connection
        switch leader(packet, mark: mark, service: service, persistence, now: now) {
        case .held(let held): template = held
        case .refused: return refuse(packet, mark: mark, service, services, now: now)
        case .full: return .verdict(.drop(.tableFull))
        case .unreadable:
            narrator?.note(.notScheduled(.unreadable))
            return .verdict(.drop(.noCallID))
        }
        let server = cells[template.destination]
        // Services of port 0 and services by mark leave the port as it is, whatever the server's.
        let keepsPort = packet.destinationPort != service.port || server.port == 0
        var spec = ConnectionSpec(
            tuple: packet.tuple, real: server.address,
            realPort: keepsPort ? packet.destinationPort : server.port, method: server.method,
            destination: server.number)
        spec.mark = mark
        spec.controller = template.number
        template.restart(timeoutSeconds: template.timeoutSeconds, now: now)
        return connect(spec, server, of: service, now: now)
            ?? refuse(packet, mark: mark, service, services, now: now, for: .noLocalPort)
    }

    /// The template of the packet's client, valid and held for the new connection.
    private mutating func leader(
        _ packet: Packet, mark: UInt32, service: Service, _ persistence: Persistence, now: Instant
    ) -> Leader {
        var spec = template(packet, service, persistence)
        var key: EngineKey?
        if let engine = service.engine {
            key = engine.key(of: packet)
            guard let key else { return .unreadable }
            spec.tag = key.tag(table.seed)
            spec.extraLines = Connection.engineLines(key.range.count)
        }
        // Another worker may make or end the client's template between two steps here: then again.
        while true {
            if let known = table.findTemplate(spec.inboundTuple, now: now) {
                let obstacle = obstacle(to: known)
                let isHeld = obstacle == nil && table.hold(known)
                note(spec, isHeld ? .followed : obstacle ?? .ending, known, now: now)
                if isHeld { return .held(known) }
                table.invalidate(known)
            } else {
                note(spec, .none, nil, now: now)
            }
            guard let server = service.schedule(request(packet, now), telling: narrator) else {
                return .refused
            }
            spec.real = server.address
            spec.realPort = spec.virtualPort == 0 ? 0 : server.port
            spec.method = server.method
            spec.destination = server.number
            spec.mark = mark
            server.bindTemplate()
            switch insert(spec, key, now: now) {
            case .inserted(let made):
                if table.hold(made) {
                    note(spec, .made, made, now: now)
                    return .held(made)
                }
            case .existing: server.unbindTemplate()
            case .full:
                server.unbindTemplate()
                return .full
            }
        }
    }

    /// Tells what was found of a client's template.
    private func note(
        _ spec: ConnectionSpec, _ outcome: TemplateLookUp.Outcome, _ template: Connection?,
        now: Instant
    ) {
        narrator?.note(
            .template(
                TemplateLookUp(
                    client: spec.client, virtual: spec.virtual, virtualPort: spec.virtualPort,
                    timeoutSeconds: spec.timeoutSeconds, outcome: outcome,
                    found: template.map { ConnectionListing($0, now: now) })))
    }

    /// Makes a template, with what the engine tells it apart by.
    func insert(
        _ spec: ConnectionSpec, _ key: EngineKey?, now: Instant
    ) -> InsertResult {
        table.insert(spec, worker: worker, now: now) { made in
            guard let key else { return }
            made.writeEngineData(spec.tag, key.text, key.range)
        }
    }

    /// A template without its server; the key says what is kept together (ipvs-semantics 5.1).
    private func template(
        _ packet: Packet, _ service: Service, _ persistence: Persistence
    ) -> ConnectionSpec {
        var spec = ConnectionSpec(
            tuple: packet.tuple, real: .anyV4, realPort: 0, method: .masquerading,
            destination: Destination.none)
        spec.isTemplate = true
        spec.isInactive = false
        spec.timeoutSeconds = persistence.timeoutSeconds
        spec.client = persistence.network(of: packet.source)
        spec.clientPort = 0
        if case .mark(let mark, _) = service.key {
            spec.transport = .any
            // The mark stands where an IPv4 address does: in the first four bytes.
            spec.virtual =
                packet.isIPv6
                ? IPAddress(high: UInt64(mark) << 32, low: 0) : IPAddress(v4: mark)
        }
        // FTP's data connections belong to its control connection.
        let isByPort = packet.destinationPort == service.port && service.port != 21
        spec.virtualPort = isByPort ? packet.destinationPort : 0
        return spec
    }

    /// True when new connections may follow the template (ipvs-semantics 5.4): even to a server that
    /// is overloaded or, unless the operator says otherwise, has weight 0.
    func isValid(_ template: Connection) -> Bool { obstacle(to: template) == nil }

    /// Why new connections may not follow the template; nil when they may.
    private func obstacle(to template: Connection) -> TemplateLookUp.Outcome? {
        let number = template.destination
        guard number != Destination.none, cells[number].isAvailable else { return .serverGone }
        return settings.expiresQuiescentTemplates && cells[number].weight == 0 ? .quiescent : nil
    }
}
