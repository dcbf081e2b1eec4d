package import LVS

/// What a master daemon makes of connections that others are to be told of: messages, and when each of them
/// leaves (ipvs-semantics 9.1).
///
/// Opens nothing and asks no clock: who has the sockets takes `next` and says `sent` or `failed`.
package struct MasterDaemon: Sendable {
    /// What may be changed while it runs.
    package struct Terms: Hashable, Sendable {
        package var version = SyncMessage.Version.one
        /// Messages that may wait to be sent (`sync_qlen_max`).
        package var queueLimit = 16_384

        package init() {}
    }

    /// How long a message that has room left waits for more.
    static let patienceNanoseconds: UInt64 = 2_000_000_000

    /// The messages of one socket.
    private struct Lane: Sendable {
        var writer: SyncMessageWriter
        /// When the message that is being filled was begun.
        var begun = Instant(nanoseconds: 0)
        var waiting: [[UInt8]] = []
        /// Those of `waiting` that have left.
        var left = 0

        var count: Int { waiting.count - left }
    }

    package var terms: Terms
    private let syncID: UInt8
    private let maximumBytes: Int
    private var lanes: [Lane]

    /// Connections and templates in messages, those that were lost later included.
    package private(set) var entries: UInt64 = 0
    package private(set) var messages: UInt64 = 0
    /// Of messages that were sent, headers not counted.
    package private(set) var bytes: UInt64 = 0
    /// Connections that the format has no place for.
    package private(set) var untold: UInt64 = 0
    /// Messages that found too many others waiting.
    package private(set) var crowdedOut: UInt64 = 0
    /// Messages that the network did not take.
    package private(set) var unsent: UInt64 = 0

    /// Of `syncID` only the low 8 bits are sent (ipvs-semantics 9.2).
    package init(syncID: UInt32, maximumBytes: Int, ports: Int, terms: Terms) {
        self.terms = terms
        self.syncID = UInt8(truncatingIfNeeded: syncID)
        self.maximumBytes = maximumBytes
        let writer = SyncMessageWriter(
            version: terms.version, syncID: self.syncID, maximumBytes: maximumBytes)
        lanes = Array(repeating: Lane(writer: writer), count: max(1, ports))
    }

    /// Has others told of a connection; `number` is that of its entry, and chooses the port.
    package mutating func tell(_ told: ToldConnection, number: UInt32, now: Instant) {
        let lane = Int(number) % lanes.count
        if lanes[lane].writer.version != terms.version {
            close(lane)
            lanes[lane].writer = SyncMessageWriter(
                version: terms.version, syncID: syncID, maximumBytes: maximumBytes)
        }
        let entry = SyncEntry(told)
        guard lanes[lane].writer.canTell(entry) else {
            untold += 1
            return
        }
        if lanes[lane].writer.count == 0 { lanes[lane].begun = now }
        if !lanes[lane].writer.append(entry) {
            close(lane)
            lanes[lane].begun = now
            // The first entry of a message always has room.
            guard lanes[lane].writer.append(entry) else { return }
        }
        entries += 1
        if lanes[lane].writer.isFull { close(lane) }
    }

    /// Closes messages that have waited for more long enough.
    package mutating func flush(now: Instant) {
        for lane in lanes.indices where lanes[lane].writer.count > 0 {
            let age = Int64(bitPattern: now.nanoseconds &- lanes[lane].begun.nanoseconds)
            if age >= Int64(Self.patienceNanoseconds) { close(lane) }
        }
    }

    private mutating func close(_ lane: Int) {
        guard let message = lanes[lane].writer.take() else { return }
        guard lanes[lane].count < terms.queueLimit else {
            crowdedOut += 1
            return
        }
        lanes[lane].waiting.append(message)
    }

    // MARK: Sending

    /// The message that a socket is to send now; nil when none waits.
    package func next(of lane: Int) -> [UInt8]? {
        lanes[lane].count > 0 ? lanes[lane].waiting[lanes[lane].left] : nil
    }

    /// The message has left.
    package mutating func sent(by lane: Int) {
        messages += 1
        bytes += UInt64(remove(from: lane))
    }

    /// The message cannot be sent, and is lost.
    package mutating func failed(by lane: Int) {
        unsent += 1
        _ = remove(from: lane)
    }

    private mutating func remove(from lane: Int) -> Int {
        let count = lanes[lane].waiting[lanes[lane].left].count
        lanes[lane].left += 1
        if lanes[lane].left == lanes[lane].waiting.count {
            lanes[lane].waiting.removeAll(keepingCapacity: true)
            lanes[lane].left = 0
        } else if lanes[lane].left >= 1024 {
            lanes[lane].waiting.removeFirst(lanes[lane].left)
            lanes[lane].left = 0
        }
        return count
    }

    /// What has left and what was lost, a line each.
    package var summary: [String] {
        var lines = ["\(messages) messages, \(bytes) bytes, \(entries) connections told"]
        let waiting = lanes.map(\.count).reduce(0, +)
        if waiting > 0 { lines.append("\(waiting) messages wait") }
        if untold > 0 {
            lines.append("not told: \(untold) connections of IPv6, which format 0 does not know")
        }
        if crowdedOut > 0 {
            lines.append("lost: \(crowdedOut) messages, since sync_qlen_max others waited")
        }
        if unsent > 0 { lines.append("lost: \(unsent) messages that the network did not take") }
        return lines
    }
}
