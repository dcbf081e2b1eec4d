// Connections that another director tells of: the engine's side of a backup (ipvs-semantics 9.5).

extension Director {
    /// What the packet counter of a told connection begins with: the first number of `sync_threshold`.
    private var toldPackets: UInt32 { live.syncRules.packet }

    /// Seconds that a template stays where no timeout is told.
    private static let templateSeconds: UInt32 = 180

    /// Makes the table know a connection or template that another director told of, or says why not;
    /// housekeeper.
    ///
    /// Services do not count such connections, servers do.
    package func take(_ told: ToldConnection, now time: Instant) -> ToldOutcome {
        if let obstacle = told.obstacle { return obstacle }
        var subject = told
        if told.method == ForwardingMethod.bypass.rawValue {
            subject.real = told.real.isV4 ? .anyV4 : .anyV6
            subject.realPort = 0
        }
        let server = server(of: subject)
        let seconds = timeoutSeconds(of: subject)
        let errand = ToldErrand(
            told: subject, server: server, seconds: seconds,
            spec: spec(of: subject, server, seconds: seconds), now: max(now, time))
        // The housekeeper looks through the table, and nothing is used again meanwhile.
        quiescence.wake(configuration.workers)
        defer { quiescence.sleep(configuration.workers) }
        guard let known = known(errand) else { return make(errand, or: .made) }
        return meet(known, errand)
    }

    /// The entry of the same packets, or of the same clients' connections.
    private func known(_ errand: ToldErrand) -> Connection? {
        let tuple = errand.spec.inboundTuple
        if errand.told.isTemplate { return table.findTemplate(tuple, now: errand.now) }
        guard let match = table.find(tuple, now: errand.now), match.direction == .inbound else {
            return nil
        }
        return match.connection
    }

    private func meet(_ known: Connection, _ errand: ToldErrand) -> ToldOutcome {
        let told = errand.told
        guard !known.isFullNAT else { return .fullNAT }
        let isSame = known.real == told.real && known.realPort == told.realPort
        // As IPVS has it, a template stays with its server whatever is told.
        if !isSame, !told.isTemplate {
            return told.isInactive ? .outdated : replace(known, errand, or: .replaced)
        }
        if known.destination == Destination.none, isSame, let server = errand.server,
            server.method != .fullNAT
        {
            return replace(known, errand, or: .bound)
        }
        update(known, errand)
        return .updated
    }

    private func replace(
        _ known: Connection, _ errand: ToldErrand, or outcome: ToldOutcome
    ) -> ToldOutcome {
        if errand.server?.method == .fullNAT { return .fullNAT }
        guard table.expireUnheld(known, worker: configuration.workers) else {
            return known.isLive ? .held : make(errand, or: .made)
        }
        cells.release(known)
        return make(errand, or: outcome)
    }

    /// Makes the entry; `outcome` is what that is called when it has its server.
    private func make(_ errand: ToldErrand, or outcome: ToldOutcome) -> ToldOutcome {
        if errand.server?.method == .fullNAT { return .fullNAT }
        let spec = errand.spec
        guard hasRoom(for: spec) else { return .tableFull }
        count(spec, errand.server)
        let result = table.insert(spec, worker: configuration.workers, now: errand.now) { made in
            made.setInPackets(toldPackets)
            synchroniser.marks.forget(made.number)
            shift(made, errand.told)
            guard let data = errand.told.engineData, spec.tag != 0 else { return }
            made.writeEngineData(spec.tag, data, data.indices)
        }
        switch result {
        case .inserted:
            return spec.destination == Destination.none && spec.method != .bypass
                ? .unbound : outcome
        case .existing(let known):
            // A worker was first, with a packet of it.
            uncount(spec, errand.server)
            update(known, errand)
            return .updated
        case .full:
            uncount(spec, errand.server)
            return .tableFull
        }
    }

    /// Whether the table has a place that clients of this director can do without: whatever is told, a
    /// share stays free for them.
    private func hasRoom(for spec: ConnectionSpec) -> Bool {
        let capacity = Int(table.capacity)
        return table.count < (capacity - capacity / EntryDefence.reserve) / (1 + spec.lines)
    }

    /// Gives an entry the told state, activity and timeout.
    private func update(_ known: Connection, _ errand: ToldErrand) {
        var old = known.control
        while old.isLive {
            var new = old
            new.state = errand.told.stateNumber
            if !known.isTemplate { new.isInactive = errand.told.isInactive }
            if known.exchange(old, for: new) {
                cells.moveCounts(from: old, to: new)
                break
            }
            old = known.control
        }
        known.setInPackets(toldPackets)
        shift(known, errand.told)
        known.restart(timeoutSeconds: errand.seconds, now: errand.now)
    }

    /// Takes over how far the sequence numbers of a helped connection have moved.
    private func shift(_ connection: Connection, _ told: ToldConnection) {
        guard connection.hasHelper else { return }
        if let shift = told.clientShift { connection.changeShift(of: .inbound) { $0 = shift } }
        if let shift = told.serverShift { connection.changeShift(of: .outbound) { $0 = shift } }
    }

    // MARK: What it is made from

    private func spec(
        of told: ToldConnection, _ server: Destination?, seconds: UInt32
    ) -> ConnectionSpec {
        var spec = ConnectionSpec(
            tuple: ConnectionTuple(
                source: told.client, sourcePort: told.clientPort, destination: told.virtual,
                destinationPort: told.virtualPort, transport: told.transport),
            real: told.real, realPort: told.realPort,
            method: ForwardingMethod(rawValue: told.method) ?? .masquerading,
            destination: Destination.none)
        if let server {
            spec.method = server.method
            spec.destination = server.number
        } else {
            spec.hasNoOutput = told.hasNoOutput
        }
        spec.isSynchronised = true
        spec.state = told.stateNumber
        spec.isTemplate = told.isTemplate
        spec.isInactive = told.isInactive && !told.isTemplate
        spec.timeoutSeconds = seconds
        spec.mark = told.mark
        if told.isTemplate, let data = told.engineData {
            spec.tag = EngineKey.tag(of: data, data.indices, table.seed)
            spec.extraLines = Connection.engineLines(data.count)
        }
        if !told.isTemplate {
            spec.hasUnknownPort = told.hasUnknownPort && told.clientPort == 0
            // Helpers follow a connection's server, which one without any does not have.
            if server != nil { spec.bindHelper() }
        }
        return spec
    }

    private func count(_ spec: ConnectionSpec, _ server: Destination?) {
        guard let server else { return }
        guard !spec.isTemplate else { return server.bindTemplate() }
        server.bind()
        if !spec.isInactive { server.becameActive() }
    }

    private func uncount(_ spec: ConnectionSpec, _ server: Destination?) {
        guard let server else { return }
        guard !spec.isTemplate else { return server.unbindTemplate() }
        server.unbind(active: !spec.isInactive)
    }

    /// The server that is configured here for the connection; nil when there is none.
    ///
    /// Servers of services by mark keep the packet's port, unless their method is NAT, so that theirs is
    /// looked for as 0 first.
    private func server(of told: ToldConnection) -> Destination? {
        guard
            let service = published.current.find(
                mark: told.mark, told.transport, told.virtual, port: told.virtualPort)
        else { return nil }
        let keepsPort =
            told.mark != 0 && told.method != ForwardingMethod.masquerading.rawValue
        let (first, second) = keepsPort ? (0, told.realPort) : (told.realPort, 0)
        return service.server(at: told.real, port: first)
            ?? service.server(at: told.real, port: second)
    }

    private func timeoutSeconds(of told: ToldConnection) -> UInt32 {
        if let seconds = told.timeoutSeconds, seconds != 0 { return min(seconds, Timeouts.longest) }
        if told.isTemplate { return Director.templateSeconds }
        switch told.transport {
        case .tcp:
            switch TCPState(rawValue: told.stateNumber) ?? .none {
            case .established: return timeouts.tcp
            case .finWait: return timeouts.tcpFin
            case let state: return state.timeoutSeconds
            }
        case .sctp: return (SCTPState(rawValue: told.stateNumber) ?? .none).timeoutSeconds
        default: return timeouts.udp
        }
    }
}

/// A told connection with what is known of it here.
private struct ToldErrand {
    var told: ToldConnection
    /// The server that is configured here.
    var server: Destination?
    var seconds: UInt32
    /// The entry that it makes here.
    var spec: ConnectionSpec
    var now: Instant
}

extension ToldConnection {
    fileprivate var stateNumber: UInt8 { UInt8(truncatingIfNeeded: state) }

    /// Why there is no such connection; nil when there may be one.
    fileprivate var obstacle: ToldOutcome? {
        let states: Int
        switch transport {
        // Keys of templates are told from others by their protocol, so theirs must be one of these.
        case .any where isTemplate: states = 0
        case .tcp: states = TCPState.allCases.count
        case .sctp: states = SCTPState.allCases.count
        case .udp: states = 1
        default: return .unknownTransport
        }
        guard state < (isTemplate ? TemplateState.allCases.count : states) else {
            return .unknownState
        }
        guard method <= ForwardingMethod.bypass.rawValue else { return .unknownMethod }
        guard isTemplate, let engineData else { return nil }
        let engine = engineName.flatMap(PersistenceEngine.init(name:))
        return engine == nil || engineData.count > SIP.longestCallID ? .unknownEngine : nil
    }
}
