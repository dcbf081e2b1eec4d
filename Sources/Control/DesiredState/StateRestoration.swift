package import LVS

/// What an earlier director remembered, put into the table of a new one.
package struct StateRestoration: Sendable {
    /// What the rules file said when it was applied last.
    package private(set) var applied: [Rule] = []
    /// Items that the director refused, with the reason.
    package private(set) var refused: [StateFile.Damage] = []
    package private(set) var services = 0
    package private(set) var servers = 0
    private var marks: [MarkRule] = []

    /// Carries out every item in its order; what is refused is left out and noted.
    package init(
        _ items: [(line: Int, item: StateItem)], to target: any ControlTarget,
        daemons restore: (DaemonRecord) -> Void
    ) {
        for (line, item) in items {
            do throws(CommandRefusal) {
                try take(item, target, restore)
            } catch {
                refused.append(StateFile.Damage(line: line, text: "\(error.text): \(item.line)"))
            }
        }
    }

    private mutating func take(
        _ item: StateItem, _ target: any ControlTarget, _ restore: (DaemonRecord) -> Void
    ) throws(CommandRefusal) {
        switch item {
        case .rule(.addService(let service)):
            try target.add(service)
            services += 1
        case .rule(.addServer(let key, let server)):
            try target.add(server, to: key)
            servers += 1
        case .rule(.addLocal(let key, let address)):
            try target.addLocals([address], to: key)
        case .rule(.addMark(let mark)):
            try target.setMarkRules(marks + [mark])
            marks.append(mark)
        case .applied(let rule): applied.append(rule)
        case .setting(let name, let value): try target.set(name, to: value)
        case .timeouts(let timeouts): try target.setTimeouts(timeouts)
        case .daemon(let daemon): restore(daemon)
        }
    }
}

extension StateItem {
    /// What is to be remembered of a director: `rules` is its table, `applied` what of it came from
    /// the rules file.
    package static func all(
        rules: [Rule], applied: [Rule], settings: [(name: String, value: String)],
        timeouts: TimeoutsRecord, daemons: [DaemonRecord]
    ) -> [StateItem] {
        var items: [StateItem] = []
        for setting in settings where Settings().isChanged(setting.name, setting.value) {
            items.append(.setting(name: setting.name, value: setting.value))
        }
        items.append(.timeouts(timeouts))
        items += rules.map(StateItem.rule)
        items += daemons.map(StateItem.daemon)
        return items + applied.map(StateItem.applied)
    }
}

extension Settings {
    /// Whether this is not the value that a new director begins with.
    fileprivate func isChanged(_ name: String, _ value: String) -> Bool {
        values.first { $0.name == name }.map { $0.value != value } ?? true
    }
}

extension CommandRefusal {
    /// The refusal as a sentence.
    package var text: String {
        switch self {
        case .serviceExists: "the service exists already"
        case .noSuchService: "there is no such service"
        case .destinationExists: "the server exists already"
        case .noSuchDestination: "there is no such server"
        case .localAddressExists(let address):
            "the service has the local address \(address) already"
        case .noSuchLocalAddress(let address):
            "the service has no local address \(address)"
        case .schedulerNotFound(let name): "there is no scheduler or engine \(name)"
        case .outOfRange: "weight or thresholds are out of range"
        case .invalid(let text): text
        case .familyNotSupported: "the address family cannot be used"
        case .notSupported(let text): "not supported: \(text)"
        case .outOfMemory(let text): text
        }
    }
}
