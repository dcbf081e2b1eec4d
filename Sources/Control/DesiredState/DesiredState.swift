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
        /// All local addresses of a service, since their order counts.
        case setLocals(ServiceKey, [IPAddress])
        /// All marking rules, since their order counts.
        case setMarks([MarkRule])
    }

    /// The steps from the rules that were applied before to the new ones.
    ///
    /// What the new rules name is added where `present` lacks it and edited where it differs; what
    /// only the old ones name is removed if it is still present. A service that stays is never
    /// deleted, so that its connections stay; what came into the table by other ways is not touched.
    /// `present` is what the table holds now, as rules; without it, what the old rules made.
    package static func difference(
        _ old: [Rule], _ new: [Rule], present: [Rule]? = nil
    ) -> [Step] {
        let before = Named(present ?? old)
        let after = Named(new)
        let known = Named(old)
        let marks = marks(old, new, present: before.marks)
        return removals(of: old, before, after)
            + (marks == before.marks ? [] : [.setMarks(marks)])
            + new.flatMap { rule in
                [step(to: rule, from: before)].compactMap { $0 }
                    + locals(behind: rule, known, before, after)
            }
    }

    /// The step to the local addresses of a service, behind its own: those of the new rules in their
    /// order, then what came into the table by other ways.
    private static func locals(
        behind rule: Rule, _ known: Named, _ before: Named, _ after: Named
    ) -> [Step] {
        guard case .addService(let service) = rule else { return [] }
        let wanted = after.locals[service.key] ?? []
        let present = before.locals[service.key] ?? []
        let ours = Set(wanted + (known.locals[service.key] ?? []))
        let all = wanted + present.filter { !ours.contains($0) }
        return all == present ? [] : [.setLocals(service.key, all)]
    }

    /// The marking rules that are wanted: those of the new rules in their order, then what came into
    /// the table by other ways.
    private static func marks(_ old: [Rule], _ new: [Rule], present: [MarkRule]) -> [MarkRule] {
        let wanted = Named(new).marks
        let known = Set(wanted + Named(old).marks)
        return wanted + present.filter { !known.contains($0) }
    }

    private static func removals(of old: [Rule], _ before: Named, _ after: Named) -> [Step] {
        old.compactMap { rule in
            switch rule {
            case .addService(let service):
                guard before.services[service.key] != nil, after.services[service.key] == nil else {
                    return nil
                }
                return .deleteService(service.key)
            case .addServer(let key, let server):
                let name = ServerName(key: key, address: server.address, port: server.port)
                // The servers of a deleted service go with it.
                guard after.services[key] != nil, before.servers[name] != nil,
                    after.servers[name] == nil
                else { return nil }
                return .deleteServer(key, server.address, port: server.port)
            case .addLocal, .addMark: return nil
            }
        }
    }

    private static func step(to rule: Rule, from before: Named) -> Step? {
        switch rule {
        case .addService(let service):
            guard var was = before.services[service.key] else { return .addService(service) }
            // The table marks its services; rules do not.
            was.flags.remove(.hashed)
            return was == service ? nil : .editService(service)
        case .addServer(let key, let server):
            let name = ServerName(key: key, address: server.address, port: server.port)
            guard let was = before.servers[name] else { return .addServer(key, server) }
            return was == server ? nil : .editServer(key, server)
        case .addLocal, .addMark: return nil
        }
    }

    /// Rules by what they name.
    private struct Named {
        var services: [ServiceKey: VirtualService] = [:]
        var servers: [ServerName: RealServer] = [:]
        var locals: [ServiceKey: [IPAddress]] = [:]
        var marks: [MarkRule] = []

        init(_ rules: [Rule]) {
            for rule in rules {
                switch rule {
                case .addService(let service): services[service.key] = service
                case .addMark(let mark): marks.append(mark)
                case .addLocal(let key, let address): locals[key, default: []].append(address)
                case .addServer(let key, let server):
                    servers[ServerName(key: key, address: server.address, port: server.port)] =
                        server
                }
            }
        }
    }
}
