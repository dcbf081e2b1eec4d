package import LVS

/// A clock that a test turns by hand.
package struct ManualClock: Sendable {
    package private(set) var now: Instant

    /// Begins at an hour, so that a test can look back.
    package init(now: Instant = Instant(nanoseconds: 3_600_000_000_000)) { self.now = now }

    package mutating func advance(milliseconds: UInt64) {
        now = now.advanced(byMilliseconds: milliseconds)
    }

    package mutating func advance(seconds: UInt64) {
        now = now.advanced(bySeconds: seconds)
    }
}
