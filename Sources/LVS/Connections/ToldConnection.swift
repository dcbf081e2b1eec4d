/// A connection or persistence template as another director tells of it (ipvs-semantics 9); ports are
/// host order.
///
/// All addresses are of one family. Numbers are what a message said, and may be none that exist.
package struct ToldConnection: Hashable, Sendable {
    /// 0 for templates of services by firewall mark.
    package var transport: TransportProtocol
    package var client: IPAddress
    package var clientPort: UInt16
    /// For templates of services by firewall mark the mark, in the first four bytes.
    package var virtual: IPAddress
    package var virtualPort: UInt16
    package var real: IPAddress
    package var realPort: UInt16
    /// Number of the forwarding method, as the kernel numbers them; it counts where no server is known.
    package var method: UInt8
    /// State number of the transport's table, or of templates.
    package var state: UInt16
    package var isTemplate = false
    package var isInactive = false
    package var hasNoOutput = false
    /// The client's port is not known yet, and 0 here.
    package var hasUnknownPort = false
    /// Who tells of it was told of it, too.
    package var isSynchronised = false
    /// Firewall mark of the first packet.
    package var mark: UInt32 = 0
    /// How long it stays without packets; nil stands for what its state has.
    package var timeoutSeconds: UInt32?
    /// How far each side's sequence numbers are from what the other side sees; nil where that is not told.
    package var clientShift: SequenceShift?
    package var serverShift: SequenceShift?
    /// What a persistence engine tells the template apart by, and the engine's name.
    package var engineData: [UInt8]?
    package var engineName: String?

    package init(
        transport: TransportProtocol, client: IPAddress, clientPort: UInt16, virtual: IPAddress,
        virtualPort: UInt16, real: IPAddress, realPort: UInt16, method: UInt8, state: UInt16
    ) {
        self.transport = transport
        self.client = client
        self.clientPort = clientPort
        self.virtual = virtual
        self.virtualPort = virtualPort
        self.real = real
        self.realPort = realPort
        self.method = method
        self.state = state
    }
}

/// What became of a connection that another director told of.
package enum ToldOutcome: UInt8, CaseIterable, Hashable, Sendable {
    /// A new entry, with its real server.
    case made
    /// A new entry whose real server is not configured here: it waits for that one.
    case unbound
    /// The entry that there was has the told state and timeout.
    case updated
    /// An entry that waited for its real server has it now.
    case bound
    /// The entry that there was led to another real server; a new one stands in its place.
    case replaced
    /// The end of a connection in whose place another one stands by now.
    case outdated
    case unknownTransport
    case unknownState
    case unknownMethod
    /// A persistence engine that this director does not have.
    case unknownEngine
    /// The real server is one of FULLNAT, and nobody has told by what local address.
    case fullNAT
    /// Others hang on the entry that there was, and it led to another real server.
    case held
    case tableFull

    /// Whether the table has the connection now as it was told.
    package var isTaken: Bool {
        switch self {
        case .made, .unbound, .updated, .bound, .replaced: true
        default: false
        }
    }

    /// What a report counts, as in "12 made".
    package var words: String {
        switch self {
        case .made: "made"
        case .unbound: "made without a server, which is not configured here"
        case .updated: "updated"
        case .bound: "found their server"
        case .replaced: "replaced by one to another server"
        case .outdated: "ended before, with another server"
        case .unknownTransport: "of a protocol that is not balanced"
        case .unknownState: "in a state that does not exist"
        case .unknownMethod: "with a forwarding method that does not exist"
        case .unknownEngine: "of a persistence engine that is not here"
        case .fullNAT: "to a server with FULLNAT, whose local ports are not told"
        case .held: "to another server than a control connection in use"
        case .tableFull: "that found no room in the table"
        }
    }
}
