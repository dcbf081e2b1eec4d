import Control
import LVS
import Logging
import PacketIO

/// The engine's table as commands reach it: the ingress block is widened before a service becomes
/// visible to workers and narrowed after one has gone, and what cannot work is warned about.
final class KeptTable: ControlTarget {
    private let inner: DirectorTarget
    private let director: Director
    private let hostSide: HostSide
    private let surroundings: Surroundings
    private let logger: Logger

    init(
        _ director: Director, _ hostSide: HostSide, _ surroundings: Surroundings, _ logger: Logger
    ) {
        inner = DirectorTarget(director)
        self.director = director
        self.hostSide = hostSide
        self.surroundings = surroundings
        self.logger = logger
    }

    /// Carries out a command between a wider and an exact block.
    private func change(
        _ widen: (inout ServedTraffic) -> Void = { _ in },
        _ body: () throws(CommandRefusal) -> Void
    ) throws(CommandRefusal) {
        var wider = director.served
        widen(&wider)
        hostSide.keepOut(wider)
        defer { hostSide.keepOut(director.served) }
        try body()
    }

    func add(_ service: VirtualService) throws(CommandRefusal) {
        try change { served in
            guard case .address(let transport, let address, let port) = service.key else { return }
            served.services.insert(
                ServedTraffic.Endpoint(address: address, transport: transport, port: port))
        } _: { () throws(CommandRefusal) in
            try inner.add(service)
        }
    }

    func edit(_ service: VirtualService) throws(CommandRefusal) { try inner.edit(service) }

    func delete(_ key: ServiceKey) throws(CommandRefusal) {
        try change { () throws(CommandRefusal) in try inner.delete(key) }
    }

    func flush() {
        inner.flush()
        hostSide.keepOut(director.served)
    }

    func add(_ server: RealServer, to key: ServiceKey) throws(CommandRefusal) {
        try place(server, key) { () throws(CommandRefusal) in try inner.add(server, to: key) }
    }

    func edit(_ server: RealServer, of key: ServiceKey) throws(CommandRefusal) {
        try place(server, key) { () throws(CommandRefusal) in try inner.edit(server, of: key) }
    }

    private func place(
        _ server: RealServer, _ key: ServiceKey, _ body: () throws(CommandRefusal) -> Void
    ) throws(CommandRefusal) {
        try change { served in
            guard server.method == .masquerading, case .address(let transport, _, let port) = key
            else { return }
            served.servers.insert(
                ServedTraffic.Endpoint(
                    address: server.address, transport: transport,
                    port: server.port == 0 ? port : server.port))
        } _: { () throws(CommandRefusal) in
            try body()
        }
        if let trouble = director.trouble(reaching: server) { logger.warning("\(trouble)") }
    }

    func delete(
        _ address: IPAddress, port: UInt16, of key: ServiceKey
    ) throws(CommandRefusal) {
        try change { () throws(CommandRefusal) in
            try inner.delete(address, port: port, of: key)
        }
    }

    func zero(_ key: ServiceKey?) throws(CommandRefusal) { try inner.zero(key) }
    var timeouts: TimeoutsRecord { inner.timeouts }

    func setTimeouts(_ timeouts: TimeoutsRecord) throws(CommandRefusal) {
        try inner.setTimeouts(timeouts)
    }

    var tableSize: UInt32 { inner.tableSize }
    func services() -> [Control.ServiceRecord] { inner.services() }
    func service(_ key: ServiceKey) -> Control.ServiceRecord? { inner.service(key) }
    func destinations(of key: ServiceKey) -> [DestinationRecord] { inner.destinations(of: key) }
    var total: StatisticsRecord { inner.total }

    func connections(from position: Int, _ body: (ConnectionRecord) -> Void) -> Int? {
        inner.connections(from: position, body)
    }

    func settings() -> [(name: String, value: String)] { inner.settings() }

    func set(_ name: String, to value: String) throws(CommandRefusal) {
        try inner.set(name, to: value)
    }
}

extension KeptTable {
    /// Carries out one step of a change of rules.
    func perform(_ step: DesiredState.Step) throws(CommandRefusal) {
        switch step {
        case .addService(let service): try add(service)
        case .editService(let service): try edit(service)
        case .deleteService(let key): try delete(key)
        case .addServer(let key, let server): try add(server, to: key)
        case .editServer(let key, let server): try edit(server, of: key)
        case .deleteServer(let key, let address, let port):
            try delete(address, port: port, of: key)
        }
    }

    /// The same where the table may have been changed by hand in between: what is there already is
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
