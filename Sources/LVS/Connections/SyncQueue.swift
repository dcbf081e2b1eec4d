import Synchronization

/// Connections that a worker has other directors told of, on their way to who sends the messages: a ring of
/// values, with one writer and one reader, that never waits.
///
/// Its memory comes when a master is started first, and stays.
@safe
package struct SyncQueue: @unchecked Sendable {
    /// A connection as it was when it was to be told of, and the number of its entry, by which it keeps to one
    /// of several ports.
    package struct Item: Sendable {
        package var told: ToldConnection
        package var number: UInt32
    }

    /// Items that wait at most; a worker fills this in 20 ms with half a million of them a second.
    package static let capacity: UInt32 = 1 << 14

    private struct Words: ~Copyable {
        /// Address of the first item; 0 while there is no memory.
        let items = Atomic<UInt>(0)
        /// Items put in, and taken out, since the beginning; both wrap.
        let written = Atomic<UInt32>(0)
        let read = Atomic<UInt32>(0)
        let lost = Atomic<UInt64>(0)
    }

    private let words: UnsafeMutablePointer<Words>

    init() {
        unsafe words = .allocate(capacity: 1)
        unsafe words.initialize(to: Words())
    }

    /// Neither the writer nor the reader may use it any more.
    func deallocate() {
        drop()
        unsafe items?.deallocate()
        unsafe words.deallocate()
    }

    private var items: UnsafeMutablePointer<Item>? {
        unsafe UnsafeMutablePointer(
            bitPattern: words.pointee.items.load(ordering: .acquiring))
    }

    /// Items that found no room, since the beginning.
    package var lost: UInt64 { unsafe words.pointee.lost.load(ordering: .relaxed) }

    /// Gets memory, once; before the writer is told that there is a reader (housekeeper).
    func open() {
        guard unsafe items == nil else { return }
        let made = UnsafeMutablePointer<Item>.allocate(capacity: Int(SyncQueue.capacity))
        unsafe words.pointee.items.store(UInt(bitPattern: made), ordering: .releasing)
    }

    /// Puts an item in, or counts it as lost (writer).
    func put(_ item: @autoclosure () -> Item) {
        guard let items = unsafe items else { return }
        let written = unsafe words.pointee.written.load(ordering: .relaxed)
        let read = unsafe words.pointee.read.load(ordering: .acquiring)
        guard written &- read < SyncQueue.capacity else {
            unsafe words.pointee.lost.wrappingAdd(1, ordering: .relaxed)
            return
        }
        unsafe (items + Int(written % SyncQueue.capacity)).initialize(to: item())
        unsafe words.pointee.written.store(written &+ 1, ordering: .releasing)
    }

    /// The next item; nil when none waits (reader).
    package func take() -> Item? {
        guard let items = unsafe items else { return nil }
        let read = unsafe words.pointee.read.load(ordering: .relaxed)
        guard unsafe words.pointee.written.load(ordering: .acquiring) != read else { return nil }
        let item = unsafe (items + Int(read % SyncQueue.capacity)).move()
        unsafe words.pointee.read.store(read &+ 1, ordering: .releasing)
        return item
    }

    /// Drops what waits (reader).
    package func drop() { while take() != nil {} }
}
