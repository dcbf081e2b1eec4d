/// What admission decided about a packet without a connection.
package enum Admitted {
    /// A connection to forward the packet on; it may be one that an earlier packet of the burst, or
    /// another worker, has made meanwhile.
    case connection(Connection)
    /// A connection for this packet only: the caller forwards the packet on it and hands it to
    /// `end(once:)`.
    case once(Connection)
    /// A connection that a server's packet has opened towards a client; `isOnce` as above.
    case outgoing(Connection, isOnce: Bool)
    /// Nothing to forward on: handed to the host, or dropped for a reason.
    case verdict(Verdict)
    /// Dropped, and the sender is to be told.
    case refused(DropReason, ICMPError)
}

/// Decides, for one worker, whether a packet without a connection gets one (ipvs-semantics 1).
package struct Admission {
    let table: ConnectionTable
    let cells: DestinationCells
    let counters: WorkerCounters
    let settings: LiveSettings
    let worker: Int
    let onePacket = OnePacketEntry()
    /// The packet stands for what an ICMP error answers.
    var isForError = false
    /// Who listens; nil when nobody does.
    var narrator: Narrator?
    private var random: SeededGenerator

    package init(
        table: ConnectionTable, cells: DestinationCells, counters: WorkerCounters,
        settings: LiveSettings, worker: Int, seed: UInt64
    ) {
        self.table = table
        self.cells = cells
        self.counters = counters
        self.settings = settings
        self.worker = worker
        random = SeededGenerator(seed: seed)
    }

    func deallocate() { onePacket.deallocate() }

    /// Admits a packet that the table did not know when the burst was looked up.
    package mutating func admit(
        _ packet: Packet, mark: UInt32, services: ServiceTable, now: Instant
    )
        -> Admitted
    {
        guard packet.isIP, services.hasServices(packet.family) else {
            narrator?.note(.notScheduled(.noServiceOfFamily))
            return .verdict(services.pass(packet))
        }
        if packet.kind == .short || packet.lacksSCTPChunk {
            narrator?.note(.notScheduled(.notFlow))
            return services.isServiceAddress(packet.transport, packet.destination)
                ? .verdict(.drop(.headerTooShort)) : leaveAlone(packet, services)
        }
        guard packet.kind == .flow else {
            return remain(packet, services, now: now, because: .notFlow)
        }
        guard asksForScheduling(packet) else {
            return remain(packet, services, now: now, because: .noOpener)
        }
        guard
            let service = services.find(
                mark: mark, packet.transport, packet.destination, port: packet.destinationPort,
                telling: narrator)
        else { return remain(packet, services, now: now, because: .noService) }
        if let found = table.find(packet.tuple, now: now), found.direction == .inbound {
            note(found.connection, .existing, now: now)
            return .connection(found.connection)
        }
        if settings.takesForDefence() {
            narrator?.note(.notScheduled(.defence))
            return .verdict(.drop(.defence))
        }
        // Source port 20 is the data connection of an FTP server elsewhere: never scheduled.
        guard packet.sourcePort != 20 else {
            narrator?.note(.notScheduled(.sourcePort20))
            return .verdict(services.pass(packet))
        }
        if let persistence = service.persistence {
            return follow(
                packet, mark: mark, service: service, persistence, services: services, now: now)
        }
        return schedule(packet, mark: mark, service: service, services: services, now: now)
    }

    /// True when an opener that hit this connection shall expire it and be scheduled anew
    /// (ipvs-semantics 4.7).
    ///
    /// The caller has seen that the packet is an opener.
    package func reschedules(_ connection: Connection) -> Bool {
        let control = connection.control
        if settings.expiresConnectionsWithoutDestination,
            control.destination != Destination.none, cells[control.destination].weight == 0
        {
            return true
        }
        let mode = settings.connReuseMode
        guard mode != 0, connection.controller == Connection.noNumber else { return false }
        if connection.transport == .sctp {
            return control.state == SCTPState.closed.rawValue
        }
        switch TCPState(rawValue: control.state) {
        case .timeWait, .close: return true
        case .finWait: return mode & 2 != 0 && control.hasNoOutput
        default: return false
        }
    }

    /// Ends a connection now and takes it off its destination's counts; false when somebody else
    /// was first, or others hang on it.
    package func expire(_ connection: Connection) -> Bool {
        guard table.expireUnheld(connection, worker: worker) else { return false }
        cells.release(connection)
        return true
    }

    /// Ends a connection that was made for one packet, which is forwarded or dropped by now.
    func end(once connection: Connection) {
        if connection.isFullNAT { cells.ports.giveBack(connection) }
        guard connection.destination != Destination.none else { return }
        cells[connection.destination].unbind(active: false)
    }

    /// Whether a transport's packet may open a connection (ipvs-semantics 1.2).
    private func asksForScheduling(_ packet: Packet) -> Bool {
        switch packet.transport {
        case .tcp: !packet.isReset && (packet.isOpener || settings.isSloppyTCP)
        case .sctp: !packet.isReset && (packet.isOpener || settings.isSloppySCTP)
        default: true
        }
    }

    /// A packet that opens no connection of a client's: a server may open one with it.
    private func remain(
        _ packet: Packet, _ services: ServiceTable, now: Instant, because obstacle: Step.Obstacle
    ) -> Admitted {
        narrator?.note(.notScheduled(obstacle))
        return open(packet, services: services, now: now) ?? leaveAlone(packet, services)
    }

    /// Tells which connection a packet goes on.
    func note(_ connection: Connection, _ making: Step.Making, now: Instant) {
        narrator?.note(.connected(ConnectionListing(connection, now: now), making))
    }

    /// A packet no service wants to schedule: the host's, unless it is a stray reply and the
    /// operator wants servers to be told (ipvs-semantics 0.3 step 6).
    private func leaveAlone(_ packet: Packet, _ services: ServiceTable) -> Admitted {
        if settings.sendsICMPForUnknownReplies, packet.kind == .flow,
            services.isServer(packet.transport, packet.source, port: packet.sourcePort),
            !packet.isReset
        {
            return .refused(.unknownReply, .portUnreachable)
        }
        return .verdict(services.pass(packet))
    }

    private mutating func schedule(
        _ packet: Packet, mark: UInt32, service: Service, services: ServiceTable, now: Instant
    ) -> Admitted {
        // A service of port 0 or 21 that the packet reached by another port needs persistence.
        guard service.port == nil || packet.destinationPort == service.port else {
            narrator?.note(.notScheduled(.needsPersistence))
            return refuse(packet, mark: mark, service, services, now: now)
        }
        guard let server = service.schedule(request(packet, now), telling: narrator) else {
            return refuse(packet, mark: mark, service, services, now: now)
        }
        var spec = ConnectionSpec(
            tuple: packet.tuple, real: server.address,
            realPort: server.port == 0 ? packet.destinationPort : server.port,
            method: server.method, destination: server.number)
        spec.mark = mark
        return connect(spec, server, of: service, now: now)
            ?? refuse(packet, mark: mark, service, services, now: now, for: .noLocalPort)
    }

    /// What the scheduler may know of a packet.
    mutating func request(_ packet: Packet, _ now: Instant) -> ScheduleRequest {
        ScheduleRequest(
            transport: packet.transport, client: packet.source, clientPort: packet.sourcePort,
            virtual: packet.destination, virtualPort: packet.destinationPort, now: now,
            random: random.next())
    }

    /// Makes the connection to the server that was chosen; for one packet only when the service says
    /// so, which it can for UDP (ipvs-semantics 1.4).
    ///
    /// nil when the server is one of FULLNAT and no local port is left for it.
    func connect(
        _ request: ConnectionSpec, _ server: Destination, of service: Service, now: Instant
    ) -> Admitted? {
        var spec = request
        if spec.method == .fullNAT {
            spec.method = .masquerading
            spec.local = service.takeLocal(spec, cells.ports, from: settings.localPorts)
            narrator?.note(.localEndpoint(spec.local))
            guard spec.local != nil else {
                table.releaseHold(spec.controller)
                return nil
            }
        }
        spec.bindHelper()
        if spec.local != nil { spec.bind(service.fullNAT) }
        server.bind()
        if service.isOnePacket, spec.transport == .udp {
            counters.countConnection(server.number)
            table.releaseHold(spec.controller)
            let connection = onePacket.connection(spec, now: now)
            note(connection, .once, now: now)
            return .once(connection)
        }
        switch table.insert(spec, worker: worker, now: now) {
        case .inserted(let connection):
            counters.countConnection(server.number)
            note(connection, .made, now: now)
            return .connection(connection)
        case .existing(let connection):
            giveUp(spec, server)
            note(connection, .existing, now: now)
            return .connection(connection)
        case .full:
            giveUp(spec, server)
            return .verdict(.drop(.tableFull))
        }
    }

    /// Undoes what was taken for a connection that was not made.
    private func giveUp(_ spec: ConnectionSpec, _ server: Destination) {
        server.unbind(active: false)
        cells.ports.giveBackUnused(spec)
    }

    /// No server can take the connection (ipvs-semantics 1.3), or none is reached by a local port.
    func refuse(
        _ packet: Packet, mark: UInt32, _ service: Service, _ services: ServiceTable, now: Instant,
        for reason: DropReason = .noServer
    ) -> Admitted {
        if let bypassed = bypass(packet, mark: mark, service, services, now: now) {
            return bypassed
        }
        if service.port == 21, packet.destinationPort != 21 {
            return .verdict(services.pass(packet))
        }
        // With IPv4 nobody answers for an address that is the director's by its mark alone.
        if service.port == nil, !packet.isIPv6, !services.isHost(packet.destination) {
            return .verdict(.drop(reason))
        }
        return .refused(reason, .portUnreachable)
    }
}

/// A small generator of random words (splitmix64): the same seed gives the same words.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}
