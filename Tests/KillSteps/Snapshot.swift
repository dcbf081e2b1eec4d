internal import LVS

/// What of a table matters to those whose connections are in it.
struct Snapshot: Equatable {
    /// What tells connections apart.
    struct Name: Hashable, Comparable {
        var client: String
        var virtual: String
        var isTemplate: Bool

        static func < (left: Name, right: Name) -> Bool {
            (left.client, left.virtual) < (right.client, right.virtual)
        }
    }

    /// All that is known of one, by name.
    typealias Facts = [String: String]

    private(set) var connections: [Name: Facts] = [:]

    init(_ table: ConnectionTable) {
        table.forEach { entry in
            let name = Name(
                client: "\(entry.client):\(entry.clientPort)",
                virtual: "\(entry.virtual):\(entry.virtualPort)", isTemplate: entry.isTemplate)
            var facts: Facts = [
                "real": "\(entry.real):\(entry.realPort)", "method": "\(entry.method)",
                "state": "\(entry.state)", "inactive": "\(entry.isInactive)",
                "timeout": "\(entry.timeoutSeconds)", "mark": "\(entry.mark)",
                "destination": "\(entry.destination)", "packets": "\(entry.inPackets)",
                "invalid": "\(entry.isInvalidTemplate)", "helper": "\(entry.hasHelper)",
                "unknown": "\(entry.hasUnknownPort)",
            ]
            if entry.isFullNAT {
                facts["local"] = "\(entry.local.address):\(entry.local.port)"
            }
            if entry.controller != Connection.noNumber {
                let other = table.connection(entry.controller)
                facts["controller"] = "\(other.client):\(other.clientPort)"
            }
            if entry.hasHelper { facts["shift"] = "\(entry.shift(of: .outbound))" }
            connections[name] = facts
        }
    }

    /// What is wrong with this table, made of one that was being changed from `before` to `after`: what
    /// both have must be there as it is, what one has may be there whole, and nothing else.
    func complaints(from before: Snapshot, to after: Snapshot) -> [String] {
        var found: [String] = []
        for name in Set(connections.keys).union(before.connections.keys).sorted() {
            let (old, new) = (before.connections[name], after.connections[name])
            guard let facts = connections[name] else {
                if old != nil, old == new { found.append("\(name) is gone") }
                continue
            }
            guard old != nil || new != nil else {
                found.append("\(name) comes from nowhere")
                continue
            }
            let fields = Set(facts.keys).union((old ?? [:]).keys).union((new ?? [:]).keys)
            for field in fields.sorted() where !Self.isFair(facts, old, new, field) {
                found.append("\(name): \(field) is \(facts[field] ?? "missing")")
            }
        }
        return found
    }

    /// Each field is as before, or as after.
    private static func isFair(
        _ facts: Facts, _ old: Facts?, _ new: Facts?, _ field: String
    ) -> Bool {
        if let old, old[field] == facts[field] { return true }
        if let new, new[field] == facts[field] { return true }
        return false
    }
}
