import LVS

/// Commands a director over its control socket; each call waits for its answer.
package final class ControlClient {
    private var transport: NetlinkTransport
    private let family: UInt16

    /// Connects to the director at `path` and learns the number of its IPVS family.
    package init(path: String) throws(ControlError) {
        transport = try NetlinkTransport(path: path)
        family = try Self.number(of: "IPVS", by: &transport)
    }

    private static func number(
        of name: String, by transport: inout NetlinkTransport
    ) throws(ControlError) -> UInt16 {
        var number: UInt16?
        try transport.request(NetlinkType.controller, ControllerCommand.getFamily) {
            $0.attribute(AttributeNumber.Family.name, name)
        } answer: { attributes throws(ControlError) in
            number = try Self.read { () throws(Refusal) in
                try attributes.number(AttributeNumber.Family.number)
            }
        }
        guard let number else { throw .garbled("the answer has no number for family \(name)") }
        return number
    }

    /// Decodes an answer; what a director would refuse to be asked is garbled as its answer.
    private static func read<Value>(
        _ body: () throws(Refusal) -> Value
    ) throws(ControlError) -> Value {
        do throws(Refusal) {
            return try body()
        } catch {
            throw .garbled(error.text ?? "error \(error.number.rawValue) in an answer")
        }
    }

    private func perform(
        _ command: IPVSCommand, _ attributes: (inout NetlinkWriter) -> Void = { _ in }
    ) throws(ControlError) {
        try transport.request(family, command.rawValue, attributes: attributes)
    }

    /// The decoded answers of a request, in order.
    private func answers<Value>(
        _ command: IPVSCommand, dump: Bool, _ attributes: (inout NetlinkWriter) -> Void = { _ in },
        decode: (NetlinkAttributes) throws(Refusal) -> Value
    ) throws(ControlError) -> [Value] {
        var values: [Value] = []
        try transport.request(
            family, command.rawValue, dump: dump, attributes: attributes
        ) { answer throws(ControlError) in
            values.append(try Self.read { () throws(Refusal) in try decode(answer) })
        }
        return values
    }

    private func only<Value>(_ values: [Value]) throws(ControlError) -> Value {
        guard let value = values.first else { throw .garbled("there is no answer") }
        return value
    }
}

// MARK: Virtual services and real servers

extension ControlClient {
    /// Asks for a change without waiting for what becomes of it.
    func begin(_ change: TableChange) throws(ControlError) {
        let (command, service, server): (IPVSCommand, ServiceRecord, DestinationRecord?) =
            switch change {
            case .addLocals(_, let service): (.newLocal, service, nil)
            case .deleteLocals(_, let service): (.deleteLocal, service, nil)
            case .addService(let service): (.newService, service, nil)
            case .editService(let service): (.setService, service, nil)
            case .deleteService(let service): (.deleteService, service, nil)
            case .addServer(let server, let service): (.newDestination, service, server)
            case .editServer(let server, let service): (.setDestination, service, server)
            case .deleteServer(let server, let service): (.deleteDestination, service, server)
            }
        try transport.begin(family, command.rawValue) { writer in
            service.write(.configuration, to: &writer)
            server?.write(.configuration, to: &writer)
            change.locals?.write(to: &writer)
        }
    }

    /// Waits for the oldest change that was begun.
    func finish() throws(ControlError) { try transport.finish() }

    /// Asks for a change and waits for what becomes of it; nothing else may have been begun.
    package func perform(_ change: TableChange) throws(ControlError) {
        try begin(change)
        try finish()
    }

    package func flush() throws(ControlError) { try perform(.flush) }

    /// Zeroes the statistics of a service; of everything when there is none.
    package func zero(_ service: ServiceRecord? = nil) throws(ControlError) {
        try perform(.zero) { service?.write(.configuration, to: &$0) }
    }

    package func services() throws(ControlError) -> [ServiceRecord] {
        try answers(.getService, dump: true) { attributes throws(Refusal) in
            try ServiceRecord(attributes.nest(AttributeNumber.Top.service), needing: .identity)
        }
    }

    package func service(_ service: ServiceRecord) throws(ControlError) -> ServiceRecord {
        try only(
            answers(.getService, dump: false) {
                service.write(.configuration, to: &$0)
            } decode: { attributes throws(Refusal) in
                try ServiceRecord(attributes.nest(AttributeNumber.Top.service), needing: .identity)
            })
    }

    /// The local addresses of a service in their order.
    package func locals(of service: ServiceRecord) throws(ControlError) -> [LocalRecord] {
        try answers(.getLocal, dump: true) { writer in
            service.write(.identity, to: &writer)
            // Says that the command is the director's own.
            writer.attribute(AttributeNumber.Top.local) { _ in }
        } decode: { attributes throws(Refusal) in
            try LocalRecord(attributes.nest(AttributeNumber.Top.local))
        }
    }

    /// The real servers of a service in the director's order; none when there is no such service.
    package func destinations(
        of service: ServiceRecord
    ) throws(ControlError) -> [DestinationRecord] {
        try answers(.getDestination, dump: true) {
            service.write(.identity, to: &$0)
        } decode: { attributes throws(Refusal) in
            try DestinationRecord(
                attributes.nest(AttributeNumber.Top.destination), needing: .identity,
                serviceFamily: service.family)
        }
    }
}

// MARK: Everything else

extension ControlClient {
    /// What the IPVS at the other end is.
    package struct Information: Hashable, Sendable {
        /// 0x010201 is 1.2.1.
        package var version: UInt32
        /// The `size=` of listings.
        package var tableSize: UInt32
    }

    package func information() throws(ControlError) -> Information {
        try only(
            answers(.getInformation, dump: false) { attributes throws(Refusal) in
                Information(
                    version: try attributes.number(AttributeNumber.Information.version) ?? 0,
                    tableSize: try attributes.number(AttributeNumber.Information.tableSize) ?? 0)
            })
    }

    package func timeouts() throws(ControlError) -> TimeoutsRecord {
        try only(
            answers(.getConfiguration, dump: false) { attributes throws(Refusal) in
                try TimeoutsRecord(attributes)
            })
    }

    /// Sets the timeouts that are not 0.
    package func setTimeouts(_ timeouts: TimeoutsRecord) throws(ControlError) {
        try perform(.setConfiguration) { timeouts.write(to: &$0) }
    }

    package func daemons() throws(ControlError) -> [DaemonRecord] {
        try answers(.getDaemon, dump: true) { attributes throws(Refusal) in
            try DaemonRecord(attributes.nest(AttributeNumber.Top.daemon), starting: false)
        }
    }

    package func startDaemon(_ daemon: DaemonRecord) throws(ControlError) {
        try perform(.newDaemon) { daemon.write(to: &$0) }
    }

    package func stopDaemon(_ daemon: DaemonRecord) throws(ControlError) {
        try perform(.deleteDaemon) { daemon.write(to: &$0) }
    }

    /// Tells the pieces of a text of the director's: `ip_vs_conn`, `ip_vs`, `ip_vs_stats`, `status`,
    /// or `settings` (all as `name = value` lines, or the value of `key`).
    package func read(
        _ name: String, key: String? = nil, piece: (ArraySlice<UInt8>) -> Void
    ) throws(ControlError) {
        let extra = try Self.number(of: "IPVSX", by: &transport)
        try transport.request(extra, ExtraCommand.read.rawValue, dump: true) { writer in
            writer.attribute(AttributeNumber.Extra.name, name)
            if let key { writer.attribute(AttributeNumber.Extra.key, key) }
        } answer: { attributes throws(ControlError) in
            if let bytes = attributes[AttributeNumber.Extra.piece] { piece(bytes) }
        }
    }

    /// The whole of a text of the director's.
    package func text(_ name: String, key: String? = nil) throws(ControlError) -> String {
        var bytes: [UInt8] = []
        try read(name, key: key) { bytes.append(contentsOf: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Gives a key of a text (`settings`) a value.
    package func write(
        _ name: String, key: String, value: String
    ) throws(ControlError) {
        let extra = try Self.number(of: "IPVSX", by: &transport)
        try transport.request(extra, ExtraCommand.write.rawValue) { writer in
            writer.attribute(AttributeNumber.Extra.name, name)
            writer.attribute(AttributeNumber.Extra.key, key)
            writer.attribute(AttributeNumber.Extra.value, value)
        }
    }
}
