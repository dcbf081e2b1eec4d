import LVS
import Sync
import TestKit

/// The payload of a synchronisation message.
///
/// What is read is written again and read once more: the same must come back. A director takes it in, and
/// gets a packet of some of the connections from either side.
enum SyncInput {
    /// Connections of a message that packets go on: they cost more than all else.
    private static let travelled = 4

    static func run(_ input: [UInt8], _ rig: FuzzRig) {
        let message = SyncMessage(input)
        for (number, entry) in message.entries.enumerated() {
            tell(entry, rig, sendsPackets: number < travelled)
        }
        reread(message, input)
    }

    private static func tell(_ entry: SyncEntry, _ rig: FuzzRig, sendsPackets: Bool) {
        var told = ToldConnection(entry)
        // What is told must end before the rig does.
        told.timeoutSeconds = told.timeoutSeconds.map { min($0, 900) }
        let outcome = rig.director.take(told, now: rig.now)
        guard sendsPackets, outcome.isTaken, told.client.isV4, !told.isTemplate else { return }
        let hardware = HardwareAddress(value: 0x0200_0a01_0001)
        let ways = [
            (told.client, told.clientPort, told.virtual, told.virtualPort),
            (told.real, told.realPort, told.client, told.clientPort),
        ]
        for (index, way) in ways.enumerated() {
            let builder = PacketBuilder(from: way.0, at: hardware, to: way.2, at: hardware)
            let frame =
                told.transport == .tcp
                ? builder.tcp(from: way.1, to: way.3, flags: 16)
                : builder.udp(from: way.1, to: way.3)
            var arrival = FuzzRig.Arrival()
            arrival.port = PortIndex(index)
            rig.send([(frame, arrival)])
        }
    }

    private static func reread(_ message: SyncMessage, _ input: [UInt8]) {
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
