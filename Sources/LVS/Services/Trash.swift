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

    private(set) var entries: [Entry] = []
    /// When the next look is due; nil while the trash is empty.
    private var nextLook: Instant?

    /// Keeps a deleted server.
    mutating func add(
        _ record: ServerRecord, service: ServiceKey, generation: UInt64, now: Instant
    ) {
        if entries.isEmpty { nextLook = now.advanced(bySeconds: Trash.intervalSeconds) }
        entries.append(Entry(record: record, service: service, generation: generation))
    }

    /// Takes the server out that has this address and port and belonged to a service with this key.
    mutating func revive(_ address: IPAddress, port: UInt16, service: ServiceKey) -> Entry? {
        let found = entries.firstIndex {
            $0.service == service && $0.record.server.address == address
                && $0.record.server.port == port
        }
        return found.map { entries.remove(at: $0) }
    }

    /// Looks through the trash when that is due; returns the servers that nothing needs any more.
    mutating func look(_ now: Instant, isReferenced: (Entry) -> Bool) -> [Entry] {
        guard let due = nextLook, now >= due else { return [] }
        var freed: [Entry] = []
        var kept: [Entry] = []
        for var entry in entries {
            guard !isReferenced(entry) else {
                kept.append(entry)
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
            kept.append(entry)
        }
        entries = kept
        // A late look counts from now on: two looks are never less than the interval apart.
        nextLook = kept.isEmpty ? nil : now.advanced(bySeconds: Trash.intervalSeconds)
        return freed
    }
}
