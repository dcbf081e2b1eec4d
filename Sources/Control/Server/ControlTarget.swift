package import LVS

/// The engine as the control socket needs it; called by the housekeeper only.
///
/// A refused command has changed nothing. The listings speak in records, so that what a listing
/// shows is decided in one place for netlink and for the texts.
package protocol ControlTarget: AnyObject {
    func add(_ service: VirtualService) throws(CommandRefusal)
    func edit(_ service: VirtualService) throws(CommandRefusal)
    func delete(_ key: ServiceKey) throws(CommandRefusal)
    func flush()
    func add(_ server: RealServer, to key: ServiceKey) throws(CommandRefusal)
    func edit(_ server: RealServer, of key: ServiceKey) throws(CommandRefusal)
    func delete(
        _ address: IPAddress, port: UInt16, of key: ServiceKey
    ) throws(CommandRefusal)
    /// All of the addresses or none.
    func addLocals(_ addresses: [IPAddress], to key: ServiceKey) throws(CommandRefusal)
    func deleteLocals(_ addresses: [IPAddress], of key: ServiceKey) throws(CommandRefusal)
    /// These addresses in this order instead of those there are.
    func setLocals(_ addresses: [IPAddress], of key: ServiceKey) throws(CommandRefusal)
    /// Zeroes the statistics of one service, or of everything.
    func zero(_ key: ServiceKey?) throws(CommandRefusal)

    var timeouts: TimeoutsRecord { get }
    /// A timeout of 0 keeps its present value; none is negative.
    func setTimeouts(_ timeouts: TimeoutsRecord) throws(CommandRefusal)
    /// The `size=` of listings.
    var tableSize: UInt32 { get }

    /// Every service in the order of dumps.
    func services() -> [ServiceRecord]
    func service(_ key: ServiceKey) -> ServiceRecord?
    /// A service as configured, which costs less than its record.
    func configured(_ key: ServiceKey) -> VirtualService?
    /// A real server as configured; nil when the service has none there.
    func configured(_ address: IPAddress, port: UInt16, of key: ServiceKey) -> RealServer?
    /// The local addresses of a service in their order; none when there is no such service.
    func locals(of key: ServiceKey) -> [LocalRecord]
    /// The real servers of a service, newest first; none when there is no such service.
    func destinations(of key: ServiceKey) -> [DestinationRecord]
    var total: StatisticsRecord { get }

    /// Tells some connections from a position on (0 is the start); the next position, nil at the
    /// end. Connections that come and go between two calls may be missed, none is told twice.
    func connections(from position: Int, _ body: (ConnectionRecord) -> Void) -> Int?

    /// The director's own marking rules, in their order.
    var markRules: [MarkRule] { get }
    func setMarkRules(_ rules: [MarkRule]) throws(CommandRefusal)
    /// The lines of the host's own marking rules, in their order; they apply before the director's.
    var followedMarks: [FollowedMark] { get }

    /// Settings by their names under net.ipv4.vs, in the order of listings.
    func settings() -> [(name: String, value: String)]
    func set(_ name: String, to value: String) throws(CommandRefusal)

    /// Says whether the synchronisation daemon of a backup runs.
    func setBackupDaemon(isRunning: Bool)
}

extension ControlTarget {
    /// None, where nobody follows the host.
    package var followedMarks: [FollowedMark] { [] }
}

/// What the daemon knows and the engine does not.
package protocol DaemonTarget: AnyObject {
    /// The text of `directorctl status`.
    func status() -> String
    /// The same for `directorctl status --json`.
    func statusForPrograms() -> JSONValue
    /// What `directorctl top` shows beside the table.
    func activity() -> DaemonActivity
    /// Brings the state file up to date and waits for the disk.
    func saveState() throws(CommandRefusal)
    /// Starts the work of a synchronisation daemon, or says why not; its interface is there.
    func startSynchronising(_ daemon: DaemonRecord) throws(Refusal)
    /// The same for one that an earlier director had, whose interface may come later.
    func resumeSynchronising(_ daemon: DaemonRecord)
    /// Ends the work of the daemon of a role.
    func stopSynchronising(_ daemon: DaemonRecord)
    /// What would become of a packet that is given in words, for people or for programs (`--json`).
    func explain(_ packet: String, forPrograms: Bool) throws(CommandRefusal) -> String
    /// Waits for the next packet that a filter in words wants; one at a time is waited for, and only as
    /// long as somebody asks for it.
    func expectPacket(_ filter: String) throws(CommandRefusal)
    /// What became of the packet that is waited for; nil as long as it has not come.
    func expectedPacket(forPrograms: Bool) throws(CommandRefusal) -> String?
    /// Waits no more.
    func stopExpecting()
    /// Begins a capture for a client of the control socket, known by its number; one at a time.
    func beginCapture(_ request: CaptureRequest, by client: UInt64) throws(CommandRefusal)
    /// What the client's capture has now: each call gives some whole blocks of a pcapng file, nil where
    /// no more have come.
    func captured(by client: UInt64) throws(CommandRefusal) -> () -> [UInt8]?
    /// How far the client's capture has come.
    func captureState(of client: UInt64) throws(CommandRefusal) -> CaptureState
    /// Captures no more for the client, who can still fetch what there is.
    func stopCapture(of client: UInt64) throws(CommandRefusal)
    /// The client has gone: what is kept for it is not wanted any more.
    func forget(client: UInt64)
}

extension DaemonTarget {
    /// Nothing, where a daemon has no instruments.
    package func explain(
        _ packet: String, forPrograms: Bool
    ) throws(CommandRefusal) -> String {
        throw .notSupported("explaining packets, by this director")
    }

    package func expectPacket(_ filter: String) throws(CommandRefusal) {
        throw .notSupported("explaining packets, by this director")
    }

    package func expectedPacket(forPrograms: Bool) throws(CommandRefusal) -> String? {
        throw .notSupported("explaining packets, by this director")
    }

    package func stopExpecting() {}

    package func beginCapture(
        _ request: CaptureRequest, by client: UInt64
    ) throws(CommandRefusal) {
        throw .notSupported("capturing packets, by this director")
    }

    package func captured(by client: UInt64) throws(CommandRefusal) -> () -> [UInt8]? {
        throw .notSupported("capturing packets, by this director")
    }

    package func captureState(of client: UInt64) throws(CommandRefusal) -> CaptureState {
        throw .notSupported("capturing packets, by this director")
    }

    package func stopCapture(of client: UInt64) throws(CommandRefusal) {
        throw .notSupported("capturing packets, by this director")
    }

    package func forget(client: UInt64) {}
}

extension DaemonTarget {
    /// Nothing, where nobody synchronises.
    package func startSynchronising(_ daemon: DaemonRecord) throws(Refusal) {}
    package func resumeSynchronising(_ daemon: DaemonRecord) {}
    package func stopSynchronising(_ daemon: DaemonRecord) {}
}

extension DaemonTarget {
    /// None, where nobody forwards frames.
    package func activity() -> DaemonActivity { DaemonActivity() }
}

/// One connection as listings show it.
package struct ConnectionRecord: Hashable, Sendable {
    /// Protocol number; 0 is a persistence template of a service by mark.
    package var transport: UInt8
    package var client: IPAddress
    package var clientPort: UInt16
    package var virtual: IPAddress
    package var virtualPort: UInt16
    package var real: IPAddress
    package var realPort: UInt16
    /// Name of the state, as ESTABLISHED.
    package var state: String
    /// Seconds left, rounded down.
    package var expiresSeconds: UInt64
    /// Name of the persistence engine and its data, for templates that have one.
    package var engine: String?
    /// What the server takes for the client; nil without FULLNAT.
    package var local: LocalEndpoint?
    /// Another director told of it.
    package var isSynchronised = false

    package init(
        transport: UInt8, client: IPAddress, clientPort: UInt16, virtual: IPAddress,
        virtualPort: UInt16, real: IPAddress, realPort: UInt16, state: String,
        expiresSeconds: UInt64, engine: String? = nil, local: LocalEndpoint? = nil
    ) {
        self.transport = transport
        self.client = client
        self.clientPort = clientPort
        self.virtual = virtual
        self.virtualPort = virtualPort
        self.real = real
        self.realPort = realPort
        self.state = state
        self.expiresSeconds = expiresSeconds
        self.engine = engine
        self.local = local
    }
}
