import Synchronization

/// A virtual service as workers see it: its servers and its scheduler, under one lock that is taken
/// for each new connection only.
package final class Service: Sendable {
    /// What the lock guards.
    private struct State: ~Copyable {
        var servers: DestinationList
        var scheduler: (any Scheduler)?
        /// Addresses that servers with FULLNAT see clients by, and which comes next.
        var locals: [IPAddress] = []
        var nextLocal = 0
    }

    package let key: ServiceKey
    /// Distinguishes a service from an earlier one with the same key.
    let generation: UInt64
    private let state: Mutex<State>
    /// Flags of the service, and its persistence: timeout, seconds << 32 | mask.
    private let flags = Atomic<UInt32>(0)
    private let terms = Atomic<UInt64>(0)
    /// What TCP connections with FULLNAT want, as `FullNATOptions.word` says it.
    private let segmentOptions = Atomic<UInt8>(0)
    /// Connections that were refused for want of a local port.
    private let portless = Atomic<UInt64>(0)
    /// Number of the persistence engine; 0 for none.
    private let engineNumber = Atomic<UInt8>(0)

    package init(key: ServiceKey, generation: UInt64, cells: DestinationCells) {
        self.key = key
        self.generation = generation
        state = Mutex(State(servers: DestinationList(cells: cells), scheduler: nil))
    }

    /// Port of the service, host order, 0 for every port; nil for a service by mark.
    package var port: UInt16? {
        if case .address(_, _, let port) = key { return port }
        return nil
    }

    /// How long and how finely a client is kept on one server; nil when it is not.
    package var persistence: Persistence? {
        guard hasFlag(.persistent) else { return nil }
        let terms = terms.load(ordering: .relaxed)
        return Persistence(
            timeoutSeconds: UInt32(terms >> 32), netmask: UInt32(truncatingIfNeeded: terms))
    }

    /// What tells the templates of one client apart; nil when nothing does.
    package var engine: PersistenceEngine? {
        PersistenceEngine(rawValue: engineNumber.load(ordering: .relaxed))
    }

    /// What its TCP connections with FULLNAT want.
    var fullNAT: FullNATOptions {
        FullNATOptions(word: segmentOptions.load(ordering: .relaxed))
    }

    /// Every datagram is scheduled for itself.
    package var isOnePacket: Bool { hasFlag(.onePacket) }

    private func hasFlag(_ flag: ServiceFlags) -> Bool {
        ServiceFlags(rawValue: flags.load(ordering: .acquiring)).contains(flag)
    }

    /// The server for a new connection; nil when none can take it (worker).
    package func schedule(
        _ request: ScheduleRequest, telling narrator: Narrator? = nil
    ) -> Destination? {
        state.withLock { state in
            guard let narrator, narrator.isTelling else {
                guard let number = state.scheduler?.schedule(request, among: state.servers) else {
                    return nil
                }
                return state.servers.destination(number)
            }
            // What the scheduler compares is read before it moves on.
            var scheduling = Scheduling(
                of: key, request, by: state.scheduler, among: state.servers)
            let number = state.scheduler?.schedule(request, among: state.servers)
            scheduling.chosen = number
            narrator.note(.scheduled(scheduling))
            return number.map { state.servers.destination($0) }
        }
    }

    /// A local endpoint for a new connection with FULLNAT: of the service's addresses in turn, with the
    /// client's own port where that is free (worker).
    ///
    /// nil when the service has no address of the server's family, or no port is left.
    func takeLocal(
        _ spec: ConnectionSpec, _ ports: LocalPorts, from range: ClosedRange<UInt16>
    ) -> LocalEndpoint? {
        let (locals, first) = state.withLock { state in
            defer {
                state.nextLocal =
                    state.nextLocal + 1 < state.locals.count ? state.nextLocal + 1 : 0
            }
            return (state.locals, state.nextLocal)
        }
        for step in 0..<locals.count {
            let address = locals[(first + step) % locals.count]
            let key = LocalPorts.Key(
                local: address, real: spec.real, transport: spec.transport)
            // A client with the very address must not look as if nothing hid it.
            let preferred = address == spec.client ? 0 : spec.clientPort
            guard address.family == spec.real.family,
                let port = ports.pool(key)?.take(from: range, preferring: preferred)
            else { continue }
            return LocalEndpoint(address: address, port: port)
        }
        portless.wrappingAdd(1, ordering: .relaxed)
        return nil
    }

    /// Connections that were refused for want of a local port, since the service was made.
    var refusedForPorts: UInt64 { portless.load(ordering: .relaxed) }

    /// The server of this address and port (host order), for packets it sends by itself (worker).
    func server(at address: IPAddress, port: UInt16) -> Destination? {
        state.withLock { state in
            for index in 0..<state.servers.count {
                let server = state.servers[index]
                if server.port == port, server.address == address { return server }
            }
            return nil
        }
    }

    // MARK: Housekeeper

    /// Takes over what workers need of the service as configured; its templates stay as they are.
    func configure(_ service: VirtualService) {
        terms.store(
            UInt64(service.persistenceTimeoutSeconds) << 32 | UInt64(service.netmask),
            ordering: .relaxed)
        let engine = service.persistenceEngine.flatMap(PersistenceEngine.init(name:))
        engineNumber.store(engine?.rawValue ?? 0, ordering: .relaxed)
        segmentOptions.store(service.fullNAT.word, ordering: .relaxed)
        flags.store(service.flags.rawValue, ordering: .releasing)
    }

    /// Takes another scheduler, which begins with the servers as they are; nil is the operator's
    /// `none`.
    package func use(_ name: String, options: SchedulerOptions) {
        state.withLock { state in
            state.scheduler = SchedulerRegistry.make(name, options: options)
            state.scheduler?.servers(state.servers, did: .started)
        }
    }

    /// Tells the scheduler of other flags or settings; its state stays.
    func take(_ options: SchedulerOptions) {
        state.withLock { $0.scheduler?.take(options) }
    }

    package func add(_ number: DestinationIndex) {
        state.withLock { state in
            state.servers.add(number)
            state.scheduler?.servers(state.servers, did: .added(number))
        }
    }

    /// Runs the change of a server's cell under the lock, so that no scheduler sees half of it.
    func edit(_ number: DestinationIndex, _ change: () -> Void) {
        state.withLock { state in
            change()
            state.scheduler?.servers(state.servers, did: .edited(number))
        }
    }

    func remove(_ number: DestinationIndex) {
        state.withLock { state in
            guard let position = state.servers.remove(number) else { return }
            state.scheduler?.servers(
                state.servers, did: .removed(number, position: position))
        }
    }

    /// True while the scheduler may come back to a deleted server.
    func remembers(_ number: DestinationIndex) -> Bool {
        state.withLock { $0.scheduler?.remembers(number) ?? false }
    }

    /// The addresses that servers with FULLNAT see clients by.
    func useLocals(_ addresses: [IPAddress]) {
        state.withLock { state in
            state.locals = addresses
            if state.nextLocal >= addresses.count { state.nextLocal = 0 }
        }
    }

    func tick(_ now: Instant) {
        state.withLock { $0.scheduler?.tick(now) }
    }
}
