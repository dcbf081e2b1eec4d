import Synchronization

/// What a master remembers of each entry of the table since it last told other directors of it: the state,
/// when the entry was to end then, and how often that was told again.
///
/// ```
/// state 8 | repeats 8 | end of the timeout, milliseconds 48       0 for what was never told
/// ```
/// The memory comes with the first master that is started: a director without one has none.
@safe
package struct SyncMarks: @unchecked Sendable {
    typealias Mark = UnsafeMutablePointer<Atomic<UInt64>>

    private let entries: Int
    /// Address of the first mark; 0 while there are none.
    private let address: UnsafeMutablePointer<Atomic<UInt>>

    /// For a table of so many entries.
    init(entries: Int) {
        self.entries = entries
        unsafe address = .allocate(capacity: 1)
        unsafe address.initialize(to: Atomic(0))
    }

    func deallocate() {
        unsafe first?.deallocate()
        unsafe address.deallocate()
    }

    private var first: Mark? {
        @inline(__always) get {
            unsafe Mark(bitPattern: address.pointee.load(ordering: .acquiring))
        }
    }

    /// Forgets everything; before workers are told that there is a master (housekeeper).
    func clear() {
        guard let first = unsafe first else {
            let made = Mark.allocate(capacity: entries)
            for number in 0..<entries { unsafe (made + number).initialize(to: Atomic(0)) }
            unsafe address.pointee.store(UInt(bitPattern: made), ordering: .releasing)
            return
        }
        for number in 0..<entries { unsafe first[number].store(0, ordering: .relaxed) }
    }

    /// The mark of an entry; nil before the first master.
    @inline(__always)
    subscript(number: UInt32) -> Mark? {
        guard let first = unsafe first, number < entries else { return nil }
        return unsafe first + Int(number)
    }

    /// Forgets what was told of an entry that is another connection's now.
    func forget(_ number: UInt32) { unsafe self[number]?.pointee.store(0, ordering: .relaxed) }
}
