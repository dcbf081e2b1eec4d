/// A change of one service or server, or of a service's local addresses, as a line asks for it.
package enum TableChange: Hashable, Sendable {
    case addService(ServiceRecord)
    case editService(ServiceRecord)
    case deleteService(ServiceRecord)
    case addServer(DestinationRecord, to: ServiceRecord)
    case editServer(DestinationRecord, of: ServiceRecord)
    case deleteServer(DestinationRecord, of: ServiceRecord)

    case addLocals(LocalRange, to: ServiceRecord)
    case deleteLocals(LocalRange, of: ServiceRecord)

    /// The local addresses it is about.
    var locals: LocalRange? {
        switch self {
        case .addLocals(let range, _), .deleteLocals(let range, _): range
        default: nil
        }
    }

    /// The change that a line asks for; nil for lines that do something else.
    init?(_ values: LineValues) {
        let service = values.service.record
        switch values.command {
        case .addService: self = .addService(service)
        case .editService: self = .editService(service)
        case .deleteService: self = .deleteService(service)
        case .addServer: self = .addServer(values.server.record, to: service)
        case .editServer: self = .editServer(values.server.record, of: service)
        case .deleteServer: self = .deleteServer(values.server.record, of: service)
        case .addLocals, .deleteLocals:
            guard let range = values.locals else { return nil }
            self =
                values.command == .addLocals
                ? .addLocals(range, to: service) : .deleteLocals(range, of: service)
        default: return nil
        }
    }
}
