/// Says when packets of a capture are due on a wire: their distances in time as captured, or divided by
/// a factor, or none.
///
/// Pure: times come in, and go out.
package struct PacketPacer: Sendable {
    /// How fast a capture is sent.
    package enum Speed: Hashable, Sendable, CustomStringConvertible {
        /// So many times as fast as it was captured.
        case times(Double)
        /// As fast as the interface takes it.
        case unlimited

        /// Reads `1x`, `10x`, `0.5x` or `max`; nil for anything else.
        package init?(_ text: String) {
            if text == "max" {
                self = .unlimited
                return
            }
            guard text.hasSuffix("x"), text.first?.isNumber == true,
                let factor = Double(text.dropLast()), factor.isFinite,
                (0.000_001...1_000_000).contains(factor)
            else { return nil }
            self = .times(factor)
        }

        /// What is accepted, for an error about what is not.
        package static let accepted = "1x, 10x or another number from 0.000001x to 1000000x, or max"

        package var description: String {
            switch self {
            case .unlimited: return "max"
            case .times(let factor):
                let isWhole = factor == factor.rounded() && factor < 1e6
                return isWhole ? "\(Int(factor))x" : "\(factor)x"
            }
        }
    }

    package let speed: Speed
    /// Most that a packet was late, nanoseconds.
    package private(set) var mostLate: UInt64 = 0
    /// When the first packet was due and when it was captured.
    private var beginning: (now: UInt64, time: Int64)?
    private var last: UInt64 = 0

    package init(_ speed: Speed) { self.speed = speed }

    /// When a packet captured at `time` is due, on the clock of `now`; both nanoseconds.
    ///
    /// The first is due now; one that is older than the packet before it is due with that.
    package mutating func due(_ time: Int64, now: UInt64) -> UInt64 {
        guard case .times(let factor) = speed else { return now }
        guard let beginning else {
            self.beginning = (now, time)
            last = now
            return now
        }
        // What 64 bits do not hold is as far away as what they do.
        let (apart, isTooFar) = time.subtractingReportingOverflow(beginning.time)
        let distance = isTooFar ? (time > 0 ? Double(Int64.max) : 0) : max(0, Double(apart))
        let wait = UInt64(min(distance / factor, Double(Int64.max >> 1)))
        let (due, isBeyond) = beginning.now.addingReportingOverflow(wait)
        last = max(last, isBeyond ? .max : due)
        return last
    }

    /// Takes note of a packet that was due then and is sent now.
    package mutating func sent(due: UInt64, now: UInt64) {
        if now > due { mostLate = max(mostLate, now - due) }
    }
}
