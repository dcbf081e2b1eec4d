/// Deleted real servers: they wait here so that one that is added again finds its connections and
/// counts (ipvs-semantics 3.3).
struct Trash {
    /// Seconds between two looks through the trash.
    static let intervalSeconds: UInt64 = 60
    /// Seconds a server stays after it was first seen without connections.
    static let idleSeconds: UInt64 = 120

    /// A deleted server with all that a revival needs.
    struct Entry {
        var record: ServerRecord
        var service: ServiceKey
        /// The service object it belonged to; statistics restart with another one.
        var generation: UInt64
        /// When a look first found it unreferenced.
        var idleSince: Instant?
    }

    /// What a deleted server is found by.
    private struct Name: Hashable {
        var service: ServiceKey
        var address: IPAddress
        var port: UInt16
    }

    /// Entries by the order in which they came; one that was revived leaves a gap until the next look.
    private var kept: [Entry?] = []
    /// Where the entry of a name stands.
    private var places: [Name: Int] = [:]
    /// When the next look is due; nil while the trash is empty.
    private var nextLook: Instant?

    /// The oldest first.
    var entries: [Entry] { kept.compactMap(\.self) }

    /// Keeps a deleted server.
    mutating func add(
        _ record: ServerRecord, service: ServiceKey, generation: UInt64, now: Instant
    ) {
        if places.isEmpty {
            kept = []
            nextLook = now.advanced(bySeconds: Trash.intervalSeconds)
        }
        places[Trash.name(record, service)] = kept.count
        kept.append(Entry(record: record, service: service, generation: generation))
    }

    private static func name(_ record: ServerRecord, _ service: ServiceKey) -> Name {
        Name(service: service, address: record.server.address, port: record.server.port)
    }

    /// Takes the server out that has this address and port and belonged to a service with this key.
    mutating func revive(_ address: IPAddress, port: UInt16, service: ServiceKey) -> Entry? {
        let name = Name(service: service, address: address, port: port)
        guard let place = places.removeValue(forKey: name) else { return nil }
        defer { kept[place] = nil }
        return kept[place]
    }

    /// Looks through the trash when that is due; returns the servers that nothing needs any more.
    mutating func look(_ now: Instant, isReferenced: (Entry) -> Bool) -> [Entry] {
        guard let due = nextLook, now >= due else { return [] }
        var freed: [Entry] = []
        var rest: [Entry] = []
        for var entry in entries {
            guard !isReferenced(entry) else {
                rest.append(entry)
                continue
            }
            if let since = entry.idleSince {
                if now >= since.advanced(bySeconds: Trash.idleSeconds) {
                    freed.append(entry)
                    continue
                }
            } else {
                entry.idleSince = now
            }
            rest.append(entry)
        }
        kept = rest
        places = [:]
        for (place, entry) in rest.enumerated() {
            places[Trash.name(entry.record, entry.service)] = place
        }
        // A late look counts from now on: two looks are never less than the interval apart.
        nextLook = rest.isEmpty ? nil : now.advanced(bySeconds: Trash.intervalSeconds)
        return freed
    }
}
