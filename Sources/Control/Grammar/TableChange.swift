/// A change of one service or server, as a line asks for it.
package enum TableChange: Hashable, Sendable {
    case addService(ServiceRecord)
    case editService(ServiceRecord)
    case deleteService(ServiceRecord)
    case addServer(DestinationRecord, to: ServiceRecord)
    case editServer(DestinationRecord, of: ServiceRecord)
    case deleteServer(DestinationRecord, of: ServiceRecord)

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
        default: return nil
        }
    }
}
