/// How long a worker looks for frames before it sleeps: doubled when a frame came while it looked,
/// halved when none did, nothing while other work wants the CPU (packet-io, section 11).
///
/// A worker that spins while the real server waits for the same CPU halves the throughput of a TCP
/// stream, so one lost CPU ends spinning for a second.
struct AdaptiveSpin {
    static let longest: UInt64 = 50_000
    static let shortest: UInt64 = 1_000
    /// Pause after spinning was of no use, and after it was in the way, nanoseconds.
    static let pauseWhenUseless: UInt64 = 100_000_000
    static let pauseWhenShared: UInt64 = 1_000_000_000

    private var nanoseconds: UInt64 = 0
    private var pausedUntil: UInt64 = 0

    /// Nanoseconds to look for frames now; 0 means to sleep at once.
    mutating func budget(now: UInt64) -> UInt64 {
        if nanoseconds == 0, now >= pausedUntil { nanoseconds = Self.shortest * 2 }
        return nanoseconds
    }

    /// What came of looking: a frame or none, and whether the thread lost its CPU meanwhile.
    mutating func looked(found: Bool, lostCPU: Bool, now: UInt64) {
        if lostCPU {
            pause(until: now &+ Self.pauseWhenShared)
        } else if found {
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
