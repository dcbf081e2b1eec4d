import Control
import Instruments
import LVS
import Posix

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
}
