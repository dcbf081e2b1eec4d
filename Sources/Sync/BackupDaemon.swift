package import LVS

/// What a backup daemon makes of the datagrams it is given, and what it has made of them so far.
package struct BackupDaemon: Sendable {
    /// Only messages of masters with this number are heard; 0 hears all (ipvs-semantics 9.1).
    package let syncID: UInt32
    package private(set) var messages: UInt64 = 0
    /// Of datagrams, their headers not counted.
    package private(set) var bytes: UInt64 = 0
    /// Connections and templates that could be read.
    package private(set) var entries: UInt64 = 0
    package private(set) var faults: [SyncMessage.Fault: UInt64] = [:]
    package private(set) var outcomes: [ToldOutcome: UInt64] = [:]

    package init(syncID: UInt32) { self.syncID = syncID }

    /// Reads one datagram and hands over every connection that it tells of.
    package mutating func receive(
        _ datagram: [UInt8], into take: (ToldConnection) -> ToldOutcome
    ) {
        messages += 1
        bytes += UInt64(datagram.count)
        // A number that no message can carry is nobody's.
        guard let syncID = UInt8(exactly: syncID) else {
            faults[.otherSyncID, default: 0] += 1
            return
        }
        let message = SyncMessage(datagram, syncID: syncID)
        for fault in message.faults { faults[fault, default: 0] += 1 }
        entries += UInt64(message.entries.count)
        for entry in message.entries {
            outcomes[take(ToldConnection(entry)), default: 0] += 1
        }
    }

    /// What has come and what became of it, a line each; what has not happened is left out.
    package var summary: [String] {
        var lines = ["\(messages) messages, \(bytes) bytes, \(entries) connections told"]
        for outcome in ToldOutcome.allCases {
            guard let count = outcomes[outcome] else { continue }
            lines.append(
                outcome.isTaken
                    ? "\(count) \(outcome.words)" : "left out: \(count) \(outcome.words)")
        }
        for fault in SyncMessage.Fault.allCases {
            guard let count = faults[fault] else { continue }
            lines.append("not read: \(count) times \(fault)")
        }
        return lines
    }
}
