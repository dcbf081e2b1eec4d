/// A connection in a queue to other directors: what `ToldConnection` says, in a value that owns no memory, so
/// that a worker can leave it there at no cost but the copy.
struct WaitingConnection: BitwiseCopyable {
    let number: UInt32
    let mark: UInt32
    let timeoutSeconds: UInt32
    let clientPort: UInt16
    let virtualPort: UInt16
    let realPort: UInt16
    let transport: TransportProtocol
    let method: UInt8
    let state: UInt8
    /// Of the persistence engine's data, which lies elsewhere; 0 for none.
    let engineBytes: UInt8
    let isTemplate: Bool
    let isInactive: Bool
    let hasNoOutput: Bool
    let hasUnknownPort: Bool
    let isSynchronised: Bool
    let client: IPAddress
    let virtual: IPAddress
    let real: IPAddress

    /// A connection as this director tells of it, in the state that it has now.
    @inline(__always)
    init(_ connection: Connection, engineBytes: UInt8) {
        self.engineBytes = engineBytes
        let control = connection.control
        number = connection.number
        mark = connection.mark
        timeoutSeconds = connection.timeoutSeconds
        // Where IPVS puts a template that nobody follows any more (ipvs-semantics 5.4).
        let isInvalid = connection.isInvalidTemplate
        clientPort = connection.clientPort
        virtualPort = isInvalid ? .max : connection.virtualPort
        realPort = isInvalid ? .max : connection.realPort
        transport = connection.transport
        method = connection.method.rawValue
        state = control.state
        isTemplate = connection.isTemplate
        // The kernel's templates are born inactive, and stay so.
        isInactive = control.isInactive || isTemplate
        hasNoOutput = control.hasNoOutput
        hasUnknownPort = connection.hasUnknownPort
        isSynchronised = connection.isSynchronised
        client = connection.client
        virtual = connection.virtual
        real = connection.real
    }
}

extension ToldConnection {
    /// What has waited, but for its persistence engine.
    ///
    /// Sequence numbers are not told: the kernel does not either, whose connection tracking keeps them.
    init(_ waiting: WaitingConnection) {
        self.init(
            transport: waiting.transport,
            client: waiting.client, clientPort: waiting.clientPort,
            virtual: waiting.virtual, virtualPort: waiting.virtualPort,
            real: waiting.real, realPort: waiting.realPort, method: waiting.method,
            state: UInt16(waiting.state))
        isTemplate = waiting.isTemplate
        isInactive = waiting.isInactive
        hasNoOutput = waiting.hasNoOutput
        hasUnknownPort = waiting.hasUnknownPort
        isSynchronised = waiting.isSynchronised
        mark = waiting.mark
        timeoutSeconds = waiting.timeoutSeconds
    }
}
