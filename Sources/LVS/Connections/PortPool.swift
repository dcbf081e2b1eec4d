import Synchronization

/// The local ports of one local address towards one endpoint of a real server: which of them are in
/// use by a connection, and which rest after one.
///
/// FULLNAT gives every connection a port of a local address, and a reply says nothing but local
/// address and port, real server and protocol: so of each such pool no port is given out twice at a
/// time. Any worker takes and gives back without a lock. Ports are host order.
///
/// ```
/// words  1,024 of 64 ports: in use   then  1,024 each: resting since this period, since the last one;
///        the same of the long rest
/// ```
/// A port that was given back rests for one to two periods (`turn`), so that segments of the old
/// connection that are still on their way meet no new one. Periods are short ones or long ones.
@safe
package struct PortPool: @unchecked Sendable {
    /// How long a port rests: one to two periods of the kind.
    package enum Rest: Int, CaseIterable, Sendable {
        case short = 0
        /// For ports of connections that the server may still wait in.
        case long = 1
    }

    private static let wordCount = 1024
    private static let setCount = 5
    /// Bytes of memory of a pool.
    package static let bytes = setCount * wordCount * 8 + 64

    private let words: UnsafeMutablePointer<Atomic<UInt64>>

    /// Views memory of at least `bytes`, aligned to 64 bytes, that was zeroed when the pool was made.
    package init(memory: UnsafeMutableRawPointer) {
        unsafe words = memory.assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    private func word(_ set: Int, _ port: UInt16) -> UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe words + (set * PortPool.wordCount + Int(port) / 64)
    }

    /// Where the search of the next port begins, and number of the period of each kind.
    private var cursor: UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe words + PortPool.setCount * PortPool.wordCount
    }
    private func period(_ rest: Rest) -> UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe words + (PortPool.setCount * PortPool.wordCount + 1 + rest.rawValue)
    }
    /// The set of ports that rest since a period.
    private static func set(_ rest: Rest, _ period: UInt64) -> Int {
        1 + 2 * rest.rawValue + Int(period & 1)
    }

    private static func bit(_ port: UInt16) -> UInt64 { 1 &<< UInt64(port & 63) }

    /// Whether a connection has the port, or it rests after one.
    package func isTaken(_ port: UInt16) -> Bool {
        unsafe word(0, port).pointee.load(ordering: .relaxed) & PortPool.bit(port) != 0
    }

    /// Takes this port; false when it is taken.
    package func take(_ port: UInt16) -> Bool {
        let bit = PortPool.bit(port)
        return unsafe word(0, port).pointee.bitwiseOr(bit, ordering: .acquiringAndReleasing)
            .oldValue & bit == 0
    }

    /// Takes a port: the preferred one when it is free and one of `range`, else the next free one
    /// behind the port that was found last, so that the ports are used in turn; nil when all are taken.
    package func take(from range: ClosedRange<UInt16>, preferring preferred: UInt16) -> UInt16? {
        if range.contains(preferred), take(preferred) { return preferred }
        let first = Int(range.lowerBound) / 64
        let count = UInt64(Int(range.upperBound) / 64 - first + 1)
        let start = unsafe cursor.pointee.load(ordering: .relaxed)
        // Once around, and the first word again for the ports before the start.
        for step in 0...count {
            let index = first + Int((start &+ step) % count)
            guard let port = take(inWord: index, of: range) else { continue }
            unsafe cursor.pointee.store((start &+ step) % count, ordering: .relaxed)
            return port
        }
        return nil
    }

    /// Takes the lowest free port of a word that is one of the range.
    private func take(inWord index: Int, of range: ClosedRange<UInt16>) -> UInt16? {
        let base = index * 64
        let low = max(0, Int(range.lowerBound) - base)
        let high = min(63, Int(range.upperBound) - base)
        let wanted = (UInt64.max &>> UInt64(63 - high)) & (UInt64.max &<< UInt64(low))
        let word = unsafe words + index
        var free = unsafe ~word.pointee.load(ordering: .relaxed) & wanted
        while free != 0 {
            let port = UInt16(base + free.trailingZeroBitCount)
            if take(port) { return port }
            free &= free &- 1
        }
        return nil
    }

    /// Gives a port back, which rests then.
    package func giveBack(_ port: UInt16, rest: Rest = .short) {
        let now = unsafe period(rest).pointee.load(ordering: .relaxed)
        let set = PortPool.set(rest, now)
        unsafe word(set, port).pointee.bitwiseOr(
            PortPool.bit(port), ordering: .acquiringAndReleasing)
    }

    /// Gives a port back that no packet has shown to anybody: it is free at once.
    package func giveBackUnused(_ port: UInt16) {
        unsafe word(0, port).pointee.bitwiseAnd(
            ~PortPool.bit(port), ordering: .acquiringAndReleasing)
    }

    /// Takes over every word of another pool: ports in use, resting, and which comes next.
    func take(all other: PortPool) {
        for index in 0..<PortPool.bytes / MemoryLayout<UInt64>.size {
            unsafe words[index].store(
                other.words[index].load(ordering: .relaxed), ordering: .relaxed)
        }
    }

    /// Ends the rest of ports that were given back before the period that ends now; the housekeeper
    /// calls it once a period of the kind.
    package func turn(_ rest: Rest = .short) {
        let now = unsafe period(rest).pointee.load(ordering: .relaxed)
        // From here on ports begin their rest in the other set, whose ports have had theirs.
        let rested = PortPool.set(rest, now &+ 1)
        for index in 0..<PortPool.wordCount {
            let resting = unsafe words + rested * PortPool.wordCount + index
            guard unsafe resting.pointee.load(ordering: .relaxed) != 0 else { continue }
            let ports = unsafe resting.pointee.exchange(0, ordering: .acquiringAndReleasing)
            unsafe (words + index).pointee.bitwiseAnd(~ports, ordering: .acquiringAndReleasing)
        }
        unsafe period(rest).pointee.store(now &+ 1, ordering: .releasing)
    }

    /// Ports that are in use or rest.
    package var takenCount: Int {
        (0..<PortPool.wordCount).reduce(0) { sum, index in
            unsafe sum + (words + index).pointee.load(ordering: .relaxed).nonzeroBitCount
        }
    }
}
