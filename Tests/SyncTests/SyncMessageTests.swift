import LVS
import Sync
import Testing

@Suite struct SyncMessageTests {
    private static func entry(_ number: Int = 0) -> SyncEntry {
        var entry = SyncEntry(
            family: .v4, transport: .tcp, flags: [], state: 1,
            client: IPAddress(v4: 0xc633_6401),
            clientPort: UInt16(truncatingIfNeeded: 1024 + number),
            virtual: IPAddress(v4: 0x0a01_0064), virtualPort: 80,
            real: IPAddress(v4: 0x0a02_000b), realPort: 8080)
        entry.timeoutSeconds = 900
        return entry
    }

    private static func wide() -> SyncEntry {
        var entry = SyncEntry(
            family: .v6, transport: .udp, flags: .isTemplate, state: 0,
            client: IPAddress(wireHigh: 0x2001_0db8_0001_0000, low: 7), clientPort: 0,
            virtual: IPAddress(wireHigh: 0, low: 0xffff_0a01_0064), virtualPort: 53,
            real: IPAddress(wireHigh: 0x2001_0db8_0002_0000, low: 0xb), realPort: 53)
        entry.timeoutSeconds = 360
        entry.mark = 0xffff_fffe
        return entry
    }

    /// An entry with everything that one can have.
    private static func rich() -> SyncEntry {
        var entry = wide()
        var shifts = SyncEntry.Shifts()
        shifts.input = SyncEntry.Shift(start: 1, delta: .max, earlierDelta: 3)
        shifts.output = SyncEntry.Shift(start: 0x8000_0000, delta: 5, earlierDelta: 6)
        entry.flags = [.isTemplate, .hasInputShift, .hasOutputShift]
        entry.shifts = shifts
        entry.engineData = Array("a call".utf8)
        entry.engineName = Array("sip".utf8)
        return entry
    }

    private static func add(
        _ entry: SyncEntry, to writer: inout SyncMessageWriter, isPossible: Bool = true
    ) {
        let isAdded = writer.append(entry)
        #expect(isAdded == isPossible, "\(entry)")
    }

    private static func message(
        _ entries: [SyncEntry], version: SyncMessage.Version = .one, maximumBytes: Int = 1472
    ) -> [UInt8] {
        var writer = SyncMessageWriter(version: version, syncID: 7, maximumBytes: maximumBytes)
        for entry in entries { add(entry, to: &writer) }
        return writer.take() ?? []
    }

    @Test func `Messages of a kernel's master are read whole, and written again as they were`()
        throws
    {
        let recorded = try Recorded.messages()
        #expect(recorded.count == 30)
        for (name, bytes) in recorded {
            let message = SyncMessage(bytes, syncID: 7)
            #expect(message.faults == [], "\(name)")
            #expect(!message.entries.isEmpty, "\(name)")
            var writer = SyncMessageWriter(
                version: message.version, syncID: message.syncID, maximumBytes: 1472)
            for entry in message.entries { Self.add(entry, to: &writer) }
            let taken = writer.take()
            let again = try #require(taken, "\(name)")
            let place = zip(again, bytes).enumerated().first { $1.0 != $1.1 }?.offset
            #expect(again == bytes, "\(name) differs from byte \(place ?? -1) on")
        }
    }

    @Test func `The recordings have what a kernel can be brought to send`() throws {
        let messages = try Recorded.messages().map { SyncMessage($0.bytes) }
        let entries = messages.flatMap(\.entries)
        #expect(Set(messages.map(\.version)) == Set(SyncMessage.Version.allCases))
        #expect(Set(entries.map(\.family)) == [.v4, .v6])
        #expect(Set(entries.map(\.transport)).isSuperset(of: [.any, .tcp, .udp, .sctp]))
        #expect(entries.contains { $0.flags.contains(.isTemplate) && $0.mark != 0 })
        #expect(entries.contains { $0.engineName == Array("sip".utf8) && $0.engineData != nil })
        #expect(Set(entries.map(\.flags.method)).isSuperset(of: [0, 2]))
    }

    @Test func `An entry of version 1 stands where the protocol says`() {
        let bytes = Self.message([Self.entry()])
        #expect(
            bytes == [
                0, 7, 0, 44, 1, 1, 0, 0,
                0, 6, 0, 36, 0, 0, 0, 0, 0, 1, 4, 0, 0, 80, 0x1f, 0x90, 0, 0, 0, 0, 0, 0, 3, 0x84,
                198, 51, 100, 1, 10, 1, 0, 100, 10, 2, 0, 11,
            ])
    }

    @Test func `An entry of version 0 stands where the protocol says`() {
        var entry = Self.entry()
        entry.flags = [.isInactive, .hashed]
        entry.state = 7
        #expect(
            Self.message([entry], version: .zero) == [
                1, 7, 0, 28, 0, 6, 4, 0, 0, 80, 0x1f, 0x90,
                198, 51, 100, 1, 10, 1, 0, 100, 10, 2, 0, 11, 1, 0, 0, 7,
            ])
    }

    @Test func `Everything an entry can have comes back`() {
        let entries = [Self.entry(), Self.rich(), Self.wide(), Self.entry(1)]
        let message = SyncMessage(Self.message(entries))
        #expect(message.entries == entries)
        #expect(message.faults == [])
    }

    @Test func `Version 0 tells shifts in the sender's own byte order, and no timeout`() {
        var entry = Self.entry()
        entry.flags = .hasOutputShift
        var shifts = SyncEntry.Shifts()
        shifts.output.delta = 5
        entry.shifts = shifts
        let bytes = Self.message([entry, entry], version: .zero)
        #expect(bytes.count == 4 + 2 * 48)
        let word = UInt32(5)
        let own = unsafe withUnsafeBytes(of: word) { unsafe Array($0) }
        #expect(Array(bytes[44..<48]) == own)
        let message = SyncMessage(bytes)
        #expect(message.entries.map(\.shifts) == [shifts, shifts])
        #expect(message.entries.map(\.timeoutSeconds) == [nil, nil])
    }

    @Test func `A message ends where the next entry has no room`() {
        var writer = SyncMessageWriter(version: .one, syncID: 0, maximumBytes: 1472)
        var number = 0
        while writer.append(Self.entry(number)) { number += 1 }
        #expect(number == (1472 - 8) / 36)
        let (full, empty) = (writer.take(), writer.take())
        #expect(full?.count == 8 + number * 36)
        #expect(empty == nil)
        // The first one always has room, as a daemon must get rid of it.
        var narrow = SyncMessageWriter(version: .one, syncID: 0, maximumBytes: 1)
        Self.add(Self.rich(), to: &narrow)
        Self.add(Self.entry(), to: &narrow, isPossible: false)
        let only = narrow.take() ?? []
        #expect(SyncMessage(only).entries == [Self.rich()])
    }

    @Test func `One byte counts the entries of a message`() {
        var writer = SyncMessageWriter(version: .one, syncID: 0, maximumBytes: 65507)
        var number = 0
        while writer.append(Self.entry(number)) { number += 1 }
        #expect(number == 255)
        let full = writer.take() ?? []
        #expect(SyncMessage(full).entries.count == 255)
    }

    @Test func `Version 0 has no place for IPv6`() {
        var writer = SyncMessageWriter(version: .zero, syncID: 0, maximumBytes: 1472)
        #expect(!writer.canTell(Self.wide()))
        Self.add(Self.wide(), to: &writer, isPossible: false)
        let empty = writer.take()
        #expect(empty == nil)
    }

    @Test func `A daemon with a number hears only its own`() {
        let bytes = Self.message([Self.entry()])
        #expect(SyncMessage(bytes, syncID: 7).entries.count == 1)
        #expect(SyncMessage(bytes, syncID: 0).entries.count == 1)
        #expect(SyncMessage(bytes, syncID: 8).entries == [])
        #expect(SyncMessage(bytes, syncID: 8).faults == [.otherSyncID])
    }

    /// A message of a plain entry and a rich one, with some bytes changed.
    private static func changed(_ changes: [Int: UInt8]) -> SyncMessage {
        var bytes = message([entry(), rich()])
        for (offset, byte) in changes { bytes[offset] = byte }
        return SyncMessage(bytes)
    }

    // The rich entry begins at byte 44; its options at 116: shifts of 26 bytes, data of 8, a name of 5.
    @Test(arguments: [
        ([2: 0xff], SyncMessage.Fault.wrongSize, 0), ([8: 2], .entryType, 0),
        ([10: 0x10], .entryVersion, 0),
        ([11: 35], .entrySize, 0), ([11: 0], .entrySize, 0), ([46: 0x0f], .cutEntry, 1),
        ([47: 40], .entrySize, 1), ([117: 23], .badOption, 1), ([117: 0], .badOption, 1),
        ([143: 0], .badOption, 1), ([142: 3], .badOption, 1), ([143: 200], .badOption, 1),
        ([116: 9], .unknownOption, 1), ([4: 3], .cutEntry, 2),
    ])
    func `What makes no sense is named, and what stood before it counts`(
        changes: [Int: UInt8], fault: SyncMessage.Fault, entries: Int
    ) {
        let message = Self.changed(changes)
        #expect(message.faults == [fault], "\(changes)")
        #expect(message.entries.count == entries, "\(changes)")
    }

    @Test func `An option that may be ignored is`() {
        let message = Self.changed([116: 0x49])
        #expect(message.faults == [])
        #expect(message.entries.count == 2)
        #expect(message.entries.last?.shifts == nil)
        #expect(message.entries.last?.engineName == Array("sip".utf8))
    }

    @Test func `Every beginning of a message is read without harm`() {
        let whole = Self.message([Self.entry(), Self.rich(), Self.wide()])
        for count in 0..<whole.count {
            var bytes = Array(whole[..<count])
            #expect(SyncMessage(bytes).faults == [count < 4 ? .short : .wrongSize])
            guard count >= 8 else { continue }
            // The same with a size that agrees.
            bytes[2] = UInt8(count >> 8)
            bytes[3] = UInt8(truncatingIfNeeded: count)
            #expect(SyncMessage(bytes).entries.count < 3, "\(count) bytes")
            #expect(SyncMessage(bytes).faults.count == 1, "\(count) bytes")
        }
    }

    @Test func `Nonsense is no message`() {
        let ones = [UInt8](repeating: 0xff, count: 124)
        #expect(SyncMessage(ones).faults == [.wrongSize])
        #expect(SyncMessage([]).faults == [.short])
        for fault in SyncMessage.Fault.allCases {
            #expect(!fault.description.isEmpty)
        }
    }
}
