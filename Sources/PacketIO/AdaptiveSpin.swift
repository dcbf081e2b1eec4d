/// How long a worker looks for frames before it sleeps: doubled when a frame came while it looked,
/// halved when none did, nothing while other work wants the CPU (packet-io, section 11).
struct AdaptiveSpin {
    static let longest: UInt64 = 50_000
    static let shortest: UInt64 = 1_000
    /// A worker that has given up spinning tries again once in so many sleeps.
    static let rounds = 64

    /// Nanoseconds to look now; 0 means to sleep at once.
    private(set) var nanoseconds: UInt64 = 4_000
    private var sleeps = 0
    private var switches: Int64 = 0

    mutating func found() {
        nanoseconds = min(Self.longest, nanoseconds * 2)
    }

    mutating func foundNothing() {
        nanoseconds /= 2
        if nanoseconds < Self.shortest { nanoseconds = 0 }
    }

    /// Before each sleep; `involuntarySwitches` tells how often the thread lost its CPU so far.
    mutating func willSleep(involuntarySwitches: () -> Int64) {
        sleeps += 1
        guard sleeps >= Self.rounds else { return }
        sleeps = 0
        let now = involuntarySwitches()
        if now != switches {
            nanoseconds = 0
        } else if nanoseconds == 0 {
            nanoseconds = Self.shortest * 2
        }
        switches = now
    }
}
