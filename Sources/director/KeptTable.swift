import Control
import LVS
import Logging
import PacketIO

/// The engine's table as commands reach it.
///
/// The ingress block is widened before a service becomes visible to workers and made exact soon after
/// a change; servers that packets cannot reach are warned about.
final class KeptTable: ControlTarget {
    private let inner: DirectorTarget
    private let director: Director
    private let hostSide: HostSide
    private let locals: LocalAddresses
    private let logger: Logger
    /// Whether workers see the table; before they do, nothing need be kept from the host first.
    var isServing = false
    private var hasChanged = false
    private var isUnsaved = false
    private var awaited = ServedTraffic()
    /// What was last said of servers that packets cannot reach.
    private var troubles: [IPAddress: String] = [:]

    init(
        _ director: Director, _ hostSide: HostSide, _ locals: LocalAddresses, _ logger: Logger
    ) {
        inner = DirectorTarget(director)
        self.director = director
        self.hostSide = hostSide
        self.locals = locals
        self.logger = logger
        director.beforePublishing = { [unowned self] in widen() }
    }

    /// Whether something has changed since the last call, so that the block must be made exact.
    func takeChange() -> Bool {
        defer { hasChanged = false }
        return hasChanged
    }

    /// Whether something worth keeping has changed since the last call.
    func takeUnsaved() -> Bool {
        defer { isUnsaved = false }
        return isUnsaved
    }

    private func noteChange() {
        hasChanged = true
        isUnsaved = true
    }

    /// Notes what the host must not see any more once workers know of it.
    private func keepOut(also more: ServedTraffic) {
        guard isServing else { return }
        awaited.formUnion(more)
    }

    /// Widens the block by what was noted; workers are about to know of it.
    private func widen() {
        guard awaited != ServedTraffic() else { return }
        hostSide.keepOut(also: awaited)
        awaited = ServedTraffic()
    }

    /// Makes the block exact again.
    func makeExact() {
        awaited = ServedTraffic()
        hostSide.keepOut(director.served)
    }

    /// The table as a rules file would say it.
    var rules: [Rule] {
        markRules.map { Rule.addMark($0) }
            + director.services().flatMap { listing in
                // Servers oldest first, so that the rules make the same list.
                [Rule.addService(listing.service)]
                    + listing.locals.map { .addLocal(listing.service.key, $0) }
                    + listing.servers.reversed().map { .addServer(listing.service.key, $0.server) }
            }
    }

    func add(_ service: VirtualService) throws(CommandRefusal) {
        keepOut(service)
        noteChange()
        try inner.add(service)
    }

    func edit(_ service: VirtualService) throws(CommandRefusal) {
        // Persistence may widen what is served, and where replies come from.
        var more = director.requests(of: service)
        let servers = director.service(service.key)?.servers ?? []
        more.servers = Set(servers.flatMap { service.replies(from: $0.server) })
        keepOut(also: more)
        noteChange()
        try inner.edit(service)
    }

    private func keepOut(
        _ service: VirtualService, own: [MarkRule]? = nil, followed: [MarkRule]? = nil
    ) {
        let more = director.requests(of: service, own: own, followed: followed)
        if !more.isEmpty { keepOut(also: more) }
    }

    var markRules: [MarkRule] { inner.markRules }

    func setMarkRules(_ rules: [MarkRule]) throws(CommandRefusal) {
        for listing in director.services() { keepOut(listing.service, own: rules) }
        noteChange()
        try inner.setMarkRules(rules)
    }

    private(set) var followedMarks: [FollowedMark] = []

    /// Takes over what the host's own marking rules are now.
    func follow(_ rules: [MarkRule], _ lines: [FollowedMark]) {
        followedMarks = lines
        guard rules != director.followedMarks else { return }
        for listing in director.services() { keepOut(listing.service, followed: rules) }
        hasChanged = true
        director.setFollowedMarks(rules)
    }

    func delete(_ key: ServiceKey) throws(CommandRefusal) {
        noteChange()
        try inner.delete(key)
    }

    func flush() {
        noteChange()
        inner.flush()
    }

    func add(_ server: RealServer, to key: ServiceKey) throws(CommandRefusal) {
        prepare(for: server, of: key)
        try inner.add(server, to: key)
        warn(about: server)
    }

    func edit(_ server: RealServer, of key: ServiceKey) throws(CommandRefusal) {
        prepare(for: server, of: key)
        try inner.edit(server, of: key)
        warn(about: server)
    }

    /// Replies of a NAT server are the director's from its first connection on.
    private func prepare(for server: RealServer, of key: ServiceKey) {
        noteChange()
        guard let service = director.configured(key) else { return }
        var more = ServedTraffic()
        more.servers = Set(service.replies(from: server))
        if let tunnel = server.tunnelEndpoint { more.tunnels = [tunnel] }
        if more != ServedTraffic() { keepOut(also: more) }
    }

    private func warn(about server: RealServer) {
        let trouble = director.trouble(reaching: server)
        // Once is enough for a server of many services.
        guard trouble != troubles[server.address] else { return }
        troubles[server.address] = trouble
        if let trouble { logger.warning("\(trouble)") }
    }

    func delete(
        _ address: IPAddress, port: UInt16, of key: ServiceKey
    ) throws(CommandRefusal) {
        noteChange()
        try inner.delete(address, port: port, of: key)
    }

    func addLocals(_ addresses: [IPAddress], to key: ServiceKey) throws(CommandRefusal) {
        try use(addresses) { () throws(CommandRefusal) in
            try inner.addLocals(addresses, to: key)
        }
    }

    func deleteLocals(_ addresses: [IPAddress], of key: ServiceKey) throws(CommandRefusal) {
        noteChange()
        try inner.deleteLocals(addresses, of: key)
    }

    func setLocals(_ addresses: [IPAddress], of key: ServiceKey) throws(CommandRefusal) {
        try use(addresses) { () throws(CommandRefusal) in
            try inner.setLocals(addresses, of: key)
        }
    }

    /// Carries out a command that makes these addresses local ones, or leaves the host as it was.
    private func use(
        _ addresses: [IPAddress], by command: () throws(CommandRefusal) -> Void
    ) throws(CommandRefusal) {
        try prepare(forLocals: addresses)
        do throws(CommandRefusal) {
            try command()
        } catch {
            locals.settle()
            throw error
        }
    }

    /// What servers send to a local address is the director's from its first connection on, whoever
    /// has the address; the host's own ports stay the host's.
    ///
    /// At the start nothing is refused for the host's sake: it may have got an address since, and a
    /// director that serves and says so is better than none.
    private func prepare(forLocals addresses: [IPAddress]) throws(CommandRefusal) {
        noteChange()
        if isServing { try locals.admit(addresses) }
        guard isServing, hostSide.hasQueues || !director.hostAddresses.isDisjoint(with: addresses)
        else { return }
        var more = ServedTraffic()
        more.locals = Set(addresses)
        hostSide.keepOut(also: more)
    }

    func zero(_ key: ServiceKey?) throws(CommandRefusal) { try inner.zero(key) }
    var timeouts: TimeoutsRecord { inner.timeouts }

    func setTimeouts(_ timeouts: TimeoutsRecord) throws(CommandRefusal) {
        isUnsaved = true
        try inner.setTimeouts(timeouts)
    }

    var tableSize: UInt32 { inner.tableSize }
    func services() -> [Control.ServiceRecord] { inner.services() }
    func service(_ key: ServiceKey) -> Control.ServiceRecord? { inner.service(key) }
    func configured(_ key: ServiceKey) -> VirtualService? { director.configured(key) }
    func configured(_ address: IPAddress, port: UInt16, of key: ServiceKey) -> RealServer? {
        inner.configured(address, port: port, of: key)
    }
    func locals(of key: ServiceKey) -> [LocalRecord] { inner.locals(of: key) }
    func destinations(of key: ServiceKey) -> [DestinationRecord] { inner.destinations(of: key) }
    var total: StatisticsRecord { inner.total }

    func connections(from position: Int, _ body: (ConnectionRecord) -> Void) -> Int? {
        inner.connections(from: position, body)
    }

    func settings() -> [(name: String, value: String)] { inner.settings() }

    func set(_ name: String, to value: String) throws(CommandRefusal) {
        isUnsaved = true
        let ports = director.allowedLocalPorts
        let before = inner.settings().first { $0.name == name }
        try inner.set(name, to: value)
        guard isServing else { return }
        do throws(CommandRefusal) {
            try locals.admitAllowedPorts()
        } catch {
            // Trouble of other settings' time is told by who follows the host.
            guard director.allowedLocalPorts != ports, let before else { return }
            try inner.set(name, to: before.value)
            locals.settle()
            throw error
        }
    }

    /// Comes with every change of the synchronisation daemons.
    func setBackupDaemon(isRunning: Bool) {
        isUnsaved = true
        inner.setBackupDaemon(isRunning: isRunning)
    }
}

extension KeptTable {
    /// Carries out a step where the table may have been changed by hand in between: what is there already is
    /// edited, what is gone is added anew, and removing what is gone is no error.
    func reconcile(_ step: DesiredState.Step) throws(CommandRefusal) {
        do throws(CommandRefusal) {
            try perform(step)
        } catch {
            switch (step, error) {
            case (.addService(let service), .serviceExists): try edit(service)
            case (.editService(let service), .noSuchService): try add(service)
            case (.addServer(let key, let server), .destinationExists): try edit(server, of: key)
            case (.editServer(let key, let server), .noSuchDestination):
                try add(server, to: key)
            case (.deleteService, .noSuchService), (.deleteServer, .noSuchService),
                (.deleteServer, .noSuchDestination):
                break
            default: throw error
            }
        }
    }
}
