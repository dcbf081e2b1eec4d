import LVS
import Posix
import Sync
import Testing

@Suite struct BackupDaemonTests {
    private static func message(
        _ entries: [SyncEntry], version: SyncMessage.Version = .one
    ) -> [UInt8] {
        var writer = SyncMessageWriter(version: version, syncID: 7, maximumBytes: 1472)
        for entry in entries {
            let isAdded = writer.append(entry)
            #expect(isAdded)
        }
        return writer.take() ?? []
    }

    private static func entry(_ port: UInt16, flags: SyncEntry.Flags = []) -> SyncEntry {
        var entry = SyncEntry(
            family: .v4, transport: .tcp, flags: flags, state: 1,
            client: IPAddress(v4: 0xc633_6401), clientPort: port,
            virtual: IPAddress(v4: 0x0a01_0064), virtualPort: 80,
            real: IPAddress(v4: 0x0a02_000b), realPort: 8080)
        entry.timeoutSeconds = 900
        return entry
    }

    @Test func `Every connection of a message is handed over as it was told`() {
        var template = Self.entry(0, flags: [.isTemplate, .isInactive])
        template.engineName = Array("sip".utf8)
        template.engineData = Array("a call".utf8)
        var shifted = Self.entry(
            2, flags: [.hasOutputShift, .hasNoOutput, .hasNoClientPort, .isOnePacket])
        shifted.mark = 9
        var shifts = SyncEntry.Shifts()
        shifts.output = SyncEntry.Shift(start: 1000, delta: 5, earlierDelta: 4)
        shifted.shifts = shifts
        shifted.flags.insert(SyncEntry.Flags(rawValue: 3))
        var told: [ToldConnection] = []
        var daemon = BackupDaemon(syncID: 0)
        daemon.receive(Self.message([template, shifted])) {
            told.append($0)
            return .made
        }
        #expect(told.count == 2)
        #expect(told.first?.isTemplate == true && told.first?.isInactive == true)
        #expect(told.first?.engineName == "sip")
        #expect(told.first?.engineData == Array("a call".utf8))
        #expect(told.first?.timeoutSeconds == 900)
        #expect(told.last?.clientPort == 2 && told.last?.realPort == 8080)
        #expect(told.last?.hasNoOutput == true && told.last?.hasUnknownPort == true)
        #expect(told.last?.method == 3 && told.last?.mark == 9 && told.last?.state == 1)
        #expect(told.last?.serverShift?.position == 1000)
        #expect(told.last?.serverShift?.before == 4 && told.last?.serverShift?.after == 5)
        #expect(told.last?.clientShift == nil)
    }

    @Test func `Messages, faults and outcomes are counted by name`() {
        var daemon = BackupDaemon(syncID: 7)
        let whole = Self.message([Self.entry(1), Self.entry(2), Self.entry(3)])
        var outcomes: [ToldOutcome] = [.made, .tableFull, .tableFull]
        daemon.receive(whole) { _ in outcomes.removeFirst() }
        daemon.receive(Array(whole.dropLast())) { _ in .made }
        daemon.receive([]) { _ in .made }
        daemon.receive([UInt8](repeating: 0xff, count: 65_507)) { _ in .made }
        #expect(daemon.messages == 4)
        #expect(daemon.bytes == UInt64(2 * whole.count - 1 + 65_507))
        #expect(daemon.entries == 3)
        #expect(daemon.outcomes == [.made: 1, .tableFull: 2])
        #expect(daemon.faults == [.wrongSize: 2, .short: 1])
        #expect(
            daemon.summary == [
                "4 messages, \(daemon.bytes) bytes, 3 connections told", "1 made",
                "left out: 2 that found no room in the table",
                "not read: 1 times shorter than a header",
                "not read: 2 times names another size than it has",
            ])
    }

    @Test(arguments: [(0, 1), (7, 1), (8, 0), (263, 0), (256, 0)] as [(UInt32, Int)])
    func `A daemon with a number hears only masters of that number`(syncID: UInt32, count: Int) {
        var heard = 0
        var daemon = BackupDaemon(syncID: syncID)
        daemon.receive(Self.message([Self.entry(1)])) { _ in
            heard += 1
            return .made
        }
        #expect(heard == count)
        #expect(daemon.faults == (count == 1 ? [:] : [.otherSyncID: 1]))
    }

    @Test func `Without its interface a receiver says so, and hears nothing`() {
        let receiver = BackupReceiver(
            DaemonPlace(
                interface: "no-such-one", group: IPAddress(v4: 0xe000_0051), port: 8848, syncID: 7,
                maximumBytes: 1472))
        do throws(SystemError) {
            try receiver.open()
            Issue.record("there is no such interface")
        } catch {
            #expect(error.isMissingDevice)
            #expect("\(error)".contains("no-such-one"))
        }
        #expect(receiver.descriptors == [])
        #expect(!receiver.keep())
        receiver.receive { _ in .made }
        #expect(receiver.summary.contains { $0.contains("hears nothing now") })
        #expect(receiver.daemon.messages == 0)
    }
}
