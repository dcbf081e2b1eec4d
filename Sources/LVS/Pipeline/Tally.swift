import Synchronization

/// What one worker counts of frames as such: received, sent, passed, and dropped by reason.
///
/// Written by the worker, read by anyone.
@safe
package struct Tally: @unchecked Sendable {
    private enum Word: Int {
        case received = 0
        case sent, made, passed, throughDoor, consumed
        case firstReason
    }

    private let words: UnsafeMutablePointer<Atomic<UInt64>>
    private static let count = Word.firstReason.rawValue + DropReason.allCases.count

    init() {
        unsafe words = .allocate(capacity: Tally.count)
        for index in 0..<Tally.count { unsafe (words + index).initialize(to: Atomic(0)) }
    }

    func deallocate() { unsafe words.deallocate() }

    /// Frames that came in.
    package var received: UInt64 { read(.received) }
    /// Frames that came in and left by a port.
    package var sent: UInt64 { read(.sent) }
    /// Frames the engine made: ICMP errors, segments, fragments.
    package var made: UInt64 { read(.made) }
    /// Frames that are the host's, those through the door included.
    package var passed: UInt64 { read(.passed) }
    /// Frames handed to the host through the door.
    package var throughDoor: UInt64 { read(.throughDoor) }

    /// Frames dropped for a reason.
    package func dropped(_ reason: DropReason) -> UInt64 {
        unsafe words[Word.firstReason.rawValue + Int(reason.rawValue)].load(ordering: .relaxed)
    }

    private func read(_ word: Word) -> UInt64 {
        unsafe words[word.rawValue].load(ordering: .relaxed)
    }

    private func add(_ amount: UInt64, _ index: Int) {
        let value = unsafe words[index].load(ordering: .relaxed)
        unsafe words[index].store(value &+ amount, ordering: .relaxed)
    }

    func countFrames(received: UInt64, sent: UInt64) {
        add(received, Word.received.rawValue)
        if sent != 0 { add(sent, Word.sent.rawValue) }
    }

    func countMade() { add(1, Word.made.rawValue) }

    func count(_ verdict: Verdict) {
        switch verdict.kind {
        case .pass:
            add(1, Word.passed.rawValue)
            if verdict.usesDoor { add(1, Word.throughDoor.rawValue) }
        case .send: add(1, Word.sent.rawValue)
        case .consumed: add(1, Word.consumed.rawValue)
        case .drop:
            if let reason = verdict.reason { countDrop(reason) }
        }
    }

    func countDrop(_ reason: DropReason) {
        add(1, Word.firstReason.rawValue + Int(reason.rawValue))
    }
}
