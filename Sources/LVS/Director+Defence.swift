// What keeps a director under attack alive (ipvs-semantics 4.10): drop_entry, drop_packet and
// secure_tcp, each off (0), on (3) or following free memory (1 while off, 2 while on).
//
// Memory for connections is the machine's for a kernel director, which takes it entry by entry. The
// table here is made at the start, so that its own room is what runs out: less than a sixteenth of it
// free counts as the machine's free memory below amemthresh does, and so does a connection refused
// for want of room.

/// Something that runs out, and how much of it should be left.
private struct Shortage {
    var least: Int
    var left: Int

    var isThere: Bool { left < least }
    /// One packet of so many is dropped, by what is missing; nil when nothing is.
    var dropRate: Int? { isThere ? least / max(1, least - left) : nil }
}

/// How `drop_entry` counts down to the next connection it takes, by packets seen on a connection: one
/// of n with n packets, 1...8 (kept for the whole director).
struct EntryDefence {
    /// Settings of which a change is acted upon at once.
    static let names = ["drop_entry", "drop_packet", "secure_tcp"]
    /// The share of the table that is looked at each second: one entry in so many.
    static let share: UInt64 = 32
    /// Seconds without a packet before an established connection may be taken.
    static let patience: UInt64 = 60
    /// The share of the table that is kept free: one entry in so many.
    static let reserve = 16

    private(set) var isOn = false
    /// Connections that were ended to make room, since the start.
    var ended: UInt64 = 0
    /// Connections that found no room, up to the last look.
    private var refused: UInt64 = 0
    private var countdown = [Int](repeating: 0, count: 9)
    var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    mutating func turn(on: Bool) { isOn = on }

    /// Whether a connection was refused since the last look.
    mutating func hasRefused(upTo count: UInt64) -> Bool {
        defer { refused = count }
        return count != refused
    }

    /// Whether a connection that nothing else protects is the one to go.
    mutating func takes(_ connection: Connection, now: Instant) -> Bool {
        let count = Int(connection.inPackets)
        guard (1...8).contains(count), connection.isIdle(seconds: EntryDefence.patience, now: now)
        else { return false }
        countdown[count] -= 1
        guard countdown[count] <= 0 else { return false }
        countdown[count] = count
        return true
    }
}

extension Director {
    /// Connections that drop_entry has ended.
    package var endedByDefence: UInt64 { entryDefence.ended }

    /// Tells how much memory the machine has left: free and buffer pages.
    package func setFreePages(_ pages: Int) { freePages = pages }

    /// Tells whether the synchronisation daemon of a backup runs (`backup_only`).
    package func setBackupDaemon(isRunning: Bool) {
        hasBackupDaemon = isRunning
        live.take(isOnlyBackup: isRunning && settings["backup_only"] != 0)
    }

    /// Decides which defences are on; each second, and when one of them was set.
    func decideDefences() {
        let memory = Shortage(least: settings["amemthresh"] ?? 0, left: freePages)
        let room = room()
        let isScarce = memory.isThere || room.isThere
        for name in EntryDefence.names {
            guard let mode = settings[name], mode == 1 || mode == 2 else { continue }
            settings.moveDefence(name, to: isScarce ? 2 : 1)
        }
        let mode = settings["drop_packet"] ?? 0
        let rate: Int
        switch mode {
        case 2: rate = [memory.dropRate, room.dropRate].compactMap(\.self).min() ?? 0
        case 3: rate = settings["am_droprate"] ?? 0
        default: rate = 0
        }
        live.take(
            dropRate: Int32(clamping: rate), restartsCount: mode == 2,
            isSecureTCP: (settings["secure_tcp"] ?? 0) > 1)
        entryDefence.turn(on: (settings["drop_entry"] ?? 0) > 1)
    }

    private func room() -> Shortage {
        let capacity = Int(table.capacity)
        let full = workers.reduce(0) { $0 + $1.tally.dropped(.tableFull) }
        let isRefusing = entryDefence.hasRefused(upTo: full)
        return Shortage(
            least: capacity / EntryDefence.reserve, left: isRefusing ? 0 : capacity - table.count)
    }

    /// Ends connections that tie up memory and are worth least, among a random part of the table.
    func dropEntries() {
        guard entryDefence.isOn else { return }
        let limit = UInt64(table.highWater)
        guard limit != 0 else { return }
        var draws = limit / EntryDefence.share
        if entryDefence.random.next() % EntryDefence.share < limit % EntryDefence.share {
            draws += 1
        }
        let onePacket = Set(
            records.filter { $0.service.flags.contains(.onePacket) }
                .flatMap { $0.servers.map(\.number) })
        for _ in 0..<draws {
            let number = UInt32(entryDefence.random.next() % limit)
            table.forEach(in: number..<number + 1) { connection in
                if isWorthLeast(connection, onePacket) { drop(connection) }
            }
        }
        table.reclaim(configuration.workers)
    }

    private func isWorthLeast(
        _ connection: Connection, _ onePacket: Set<DestinationIndex>
    ) -> Bool {
        if connection.isTemplate {
            guard connection.holders == 0 else { return false }
            if onePacket.contains(connection.destination) {
                return entryDefence.takes(connection, now: now)
            }
            return connection.state != TemplateState.assured.rawValue
        }
        switch connection.transport {
        case .tcp:
            switch TCPState(rawValue: connection.state) {
            case .synReceived, .synAck: return true
            case .established: return entryDefence.takes(connection, now: now)
            default: return false
            }
        case .sctp:
            switch SCTPState(rawValue: connection.state) {
            case .firstInit, .initiated: return true
            case .established: return entryDefence.takes(connection, now: now)
            default: return false
            }
        default: return entryDefence.takes(connection, now: now)
        }
    }

    /// Ends a connection, and its template when that held nothing else and protects nobody
    /// (ipvs-semantics 4.8).
    private func drop(_ connection: Connection) {
        let housekeeper = configuration.workers
        let controller = connection.controller
        guard table.expireUnheld(connection, worker: housekeeper) else { return }
        entryDefence.ended += 1
        cells.release(connection)
        guard controller != Connection.noNumber else { return }
        let parent = table.connection(controller)
        guard !parent.isTemplate || parent.state != TemplateState.assured.rawValue,
            table.expireUnheld(parent, worker: housekeeper)
        else { return }
        cells.release(parent)
    }
}
