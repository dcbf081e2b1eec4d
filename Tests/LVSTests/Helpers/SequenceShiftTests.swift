import LVS
import Testing

@Suite("Sequence numbers behind a changed answer")
struct SequenceShiftTests {
    @Test("Numbers up to the changed segment stay, later ones move, and back again")
    func oneChange() {
        var shift = SequenceShift()
        #expect(shift.isNone)
        shift.add(5, at: 1000)
        #expect(!shift.isNone)
        let rows: [(server: UInt32, client: UInt32)] = [(999, 999), (1000, 1000), (1001, 1006)]
        for row in rows {
            #expect(shift.toReceiver(row.server) == row.client, "server's \(row.server)")
            #expect(shift.toSender(row.client) == row.server, "client's \(row.client)")
        }
    }

    @Test("A second change adds to the first, and keeps what lies between")
    func twoChanges() {
        var shift = SequenceShift()
        shift.add(5, at: 1000)
        shift.add(-8, at: 2000)
        for (server, client) in [(1500, 1505), (2000, 2005), (2001, 1998)] as [(UInt32, UInt32)] {
            #expect(shift.toReceiver(server) == client, "server's \(server)")
        }
        for (client, server) in [(1505, 1500), (2005, 2000), (2006, 2009)] as [(UInt32, UInt32)] {
            #expect(shift.toSender(client) == server, "client's \(client)")
        }
    }

    @Test("A segment that comes again is not counted again")
    func repetition() {
        var shift = SequenceShift()
        shift.add(5, at: 1000)
        shift.add(5, at: 1000)
        shift.add(5, at: 900)
        #expect(shift.after == 5)
        shift.add(0, at: 3000)
        #expect(shift.position == 1000)
    }

    @Test("The numbers wrap")
    func wrap() {
        var shift = SequenceShift()
        shift.add(-3, at: .max)
        #expect(shift.toReceiver(.max) == .max)
        #expect(shift.toReceiver(2) == .max)
        #expect(shift.toSender(0) == 3)
    }
}
