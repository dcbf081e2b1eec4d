package import LVS

/// What rules want a table to hold, and how to get there from other rules.
package enum DesiredState {
    /// One step of a change; steps are carried out in the order given.
    package enum Step: Hashable, Sendable {
        case addService(VirtualService)
        case editService(VirtualService)
        case deleteService(ServiceKey)
        case addServer(ServiceKey, RealServer)
        case editServer(ServiceKey, RealServer)
        case deleteServer(ServiceKey, IPAddress, port: UInt16)
    }

    /// The steps from the rules that were applied before to the new ones.
    ///
    /// What only the old rules name is removed, what both name is edited when it differs, what only
    /// the new ones name is added. A service that stays is never deleted, so that its connections
    /// stay; what came into the table by other ways is not touched.
    package static func difference(_ old: [Rule], _ new: [Rule]) -> [Step] {
        let before = Named(old)
        let after = Named(new)
        var steps: [Step] = []
        for rule in old {
            switch rule {
            case .addService(let service) where after.services[service.key] == nil:
                steps.append(.deleteService(service.key))
            case .addServer(let key, let server):
                let name = ServerName(key: key, address: server.address, port: server.port)
                // The servers of a deleted service go with it.
                if after.services[key] != nil, after.servers[name] == nil {
                    steps.append(.deleteServer(key, server.address, port: server.port))
                }
            case .addService: break
            }
        }
        for rule in new {
            switch rule {
            case .addService(let service):
                if let was = before.services[service.key] {
                    if was != service { steps.append(.editService(service)) }
                } else {
                    steps.append(.addService(service))
                }
            case .addServer(let key, let server):
                let name = ServerName(key: key, address: server.address, port: server.port)
                if let was = before.servers[name] {
                    if was != server { steps.append(.editServer(key, server)) }
                } else {
                    steps.append(.addServer(key, server))
                }
            }
        }
        return steps
    }

    /// Rules by what they name.
    private struct Named {
        var services: [ServiceKey: VirtualService] = [:]
        var servers: [ServerName: RealServer] = [:]

        init(_ rules: [Rule]) {
            for rule in rules {
                switch rule {
                case .addService(let service): services[service.key] = service
                case .addServer(let key, let server):
                    servers[ServerName(key: key, address: server.address, port: server.port)] =
                        server
                }
            }
        }
    }
}
