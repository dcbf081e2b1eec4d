/// How long a worker looks for frames before it sleeps: doubled when a frame came while it looked,
/// halved when none did, nothing while other work wants the CPU (packet-io, section 11).
///
/// A worker that spins while the real server waits for the same CPU halves the throughput of a TCP
/// stream, so a machine without a CPU to spare ends spinning for a second.
package struct AdaptiveSpin {
    package static let longest: UInt64 = 50_000
    package static let shortest: UInt64 = 1_000
    /// Pause after spinning was of no use, and after it was in the way, nanoseconds.
    package static let pauseWhenUseless: UInt64 = 100_000_000
    package static let pauseWhenShared: UInt64 = 1_000_000_000

    private var nanoseconds: UInt64 = 0
    private var pausedUntil: UInt64 = 0

    package init() {}

    /// Nanoseconds to look for frames now; 0 means to sleep at once.
    package mutating func budget(now: UInt64) -> UInt64 {
        if nanoseconds == 0, now >= pausedUntil { nanoseconds = Self.shortest * 2 }
        return nanoseconds
    }

    /// Other work wants the CPU.
    package mutating func isInTheWay(now: UInt64) {
        pause(until: now &+ Self.pauseWhenShared)
    }

    /// What came of looking: a frame or none.
    package mutating func looked(found: Bool, now: UInt64) {
        if found {
            nanoseconds = min(Self.longest, nanoseconds * 2)
        } else {
            nanoseconds /= 2
            if nanoseconds < Self.shortest { pause(until: now &+ Self.pauseWhenUseless) }
        }
    }

    private mutating func pause(until time: UInt64) {
        nanoseconds = 0
        pausedUntil = time
    }
}
