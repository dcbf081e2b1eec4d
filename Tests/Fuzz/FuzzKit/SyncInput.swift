import LVS
import Sync

/// The payload of a synchronisation message.
///
/// What is read is written again and read once more: the same must come back.
enum SyncInput {
    static func run(_ input: [UInt8]) {
        let message = SyncMessage(input)
        precondition(message.entries.count <= SyncMessageWriter.mostEntries)
        precondition(message.faults.count <= SyncMessageWriter.mostEntries)
        for number in [UInt8(0), 1, message.syncID, 255] {
            let filtered = SyncMessage(input, syncID: number)
            let isTaken = number == 0 || number == message.syncID
            precondition(isTaken ? filtered == message : filtered.entries.isEmpty)
        }
        var writer = SyncMessageWriter(
            version: message.version, syncID: message.syncID, maximumBytes: 65535)
        for entry in message.entries {
            precondition(writer.append(entry), "what was read has room to be written")
        }
        guard let bytes = writer.take() else {
            precondition(message.entries.isEmpty, "a message of entries is written")
            return
        }
        let again = SyncMessage(bytes, syncID: message.syncID)
        precondition(again.faults.isEmpty, "\(again.faults)")
        precondition(again.version == message.version && again.syncID == message.syncID)
        let sent = message.entries.map { entry in
            var entry = entry
            entry.flags.remove(.hashed)
            return entry
        }
        precondition(again.entries == sent, "what was written is read")
    }
}
