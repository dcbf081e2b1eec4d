package import LVS

extension ControlTarget {
    /// Carries out one step of a change of rules.
    package func perform(_ step: DesiredState.Step) throws(CommandRefusal) {
        switch step {
        case .addService(let service): try add(service)
        case .editService(let service): try edit(service)
        case .deleteService(let key): try delete(key)
        case .addServer(let key, let server): try add(server, to: key)
        case .editServer(let key, let server): try edit(server, of: key)
        case .deleteServer(let key, let address, let port):
            try delete(address, port: port, of: key)
        case .setLocals(let key, let addresses): try setLocals(addresses, of: key)
        case .setMarks(let rules): try setMarkRules(rules)
        }
    }

    /// Carries out rules on a table that has none of them yet.
    package func apply(_ rules: [Rule]) throws(CommandRefusal) {
        for step in DesiredState.difference([], rules, present: []) { try perform(step) }
    }
}
