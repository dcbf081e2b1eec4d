import Control
import Instruments
import LVS
import Posix

/// A packet that somebody waits for, and when that was asked about last.
struct ExpectedPacket {
    /// Nanoseconds after which nobody is taken to be waiting any more.
    static let patience: UInt64 = 5_000_000_000

    var askedAt: UInt64

    func isForgotten(at time: UInt64) -> Bool { time > askedAt + ExpectedPacket.patience }
}

extension Housekeeper {
    /// What would become of a packet now: a twin of the director is asked, which is left as it is.
    func explain(_ packet: String, forPrograms: Bool) throws(CommandRefusal) -> String {
        do throws(HypothesisError) {
            let now = Instant(nanoseconds: MonotonicClock.now())
            let explanation = try Hypothesis([packet]).explanation(asking: director, now: now)
            return forPrograms ? explanation.json : explanation.text
        } catch {
            throw .invalid(error.description)
        }
    }

    func expectPacket(_ filter: String) throws(CommandRefusal) {
        let time = MonotonicClock.now()
        guard capturing == nil else {
            throw .invalid("a capture is under way; try again when that has ended")
        }
        if let expected, !expected.isForgotten(at: time) {
            throw .invalid("somebody else waits for a packet; try again when that has come")
        }
        let wanted: PacketFilter
        do throws(HypothesisError) {
            wanted = try PacketFilter([filter])
        } catch {
            throw .invalid(error.description)
        }
        expected = ExpectedPacket(askedAt: time)
        let terms = Narrator.Terms(most: 1, sieve: wanted.sieve)
        for worker in director.workers { worker.desk.ask(terms) { wanted.matches($0) } }
    }

    func expectedPacket(forPrograms: Bool) throws(CommandRefusal) -> String? {
        guard expected != nil else {
            throw .invalid("no packet is waited for; 'start' begins that with a filter")
        }
        expected = ExpectedPacket(askedAt: MonotonicClock.now())
        for worker in director.workers {
            guard let story = worker.desk.takeStories().first else { continue }
            stopExpecting()
            let explanation = Explanation(story, of: director)
            return forPrograms ? explanation.json : explanation.text
        }
        return nil
    }

    func stopExpecting() {
        guard expected != nil else { return }
        expected = nil
        for worker in director.workers { worker.desk.stop() }
    }

    /// Stops waiting for a packet that nobody asks about any more.
    func forgetExpected() {
        if let expected, expected.isForgotten(at: MonotonicClock.now()) { stopExpecting() }
    }
}
