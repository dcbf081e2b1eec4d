/// A point in time: nanoseconds of a clock that goes on while the machine sleeps (boot time), or of
/// the capture that is replayed.
///
/// The engine never asks a clock; `now` enters once per burst.
package struct Instant: Hashable, Comparable, Sendable {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    package func advanced(bySeconds seconds: UInt64) -> Instant {
        Instant(nanoseconds: nanoseconds &+ seconds &* 1_000_000_000)
    }

    package func advanced(byMilliseconds milliseconds: UInt64) -> Instant {
        Instant(nanoseconds: nanoseconds &+ milliseconds &* 1_000_000)
    }
}
