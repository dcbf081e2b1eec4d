import CIntrinsics
import Synchronization

/// Connections that a worker has other directors told of, on their way to who sends the messages: a ring of
/// values, with one writer and one reader, that never waits.
///
/// Its memory comes when a master is started first, and stays. Beside the ring lies room for what the
/// templates of persistence engines are told apart by, which the system gives only when one is told of.
@safe
package struct SyncQueue: @unchecked Sendable {
    /// A connection as it was when it was to be told of, and the number of its entry, by which it keeps to one
    /// of several ports.
    package struct Item: Sendable {
        package var told: ToldConnection
        package var number: UInt32
    }

    /// Items that wait at most; a worker fills this in 20 ms with 800,000 of them a second.
    package static let capacity: UInt32 = 1 << 14

    /// Bytes for the data of one item's persistence engine.
    private static let engineRoom = SIP.longestCallID

    private struct Words: ~Copyable {
        /// Addresses of the first item and of its engine's data; 0 while there is no memory.
        let items = Atomic<UInt>(0)
        let engineData = Atomic<UInt>(0)
        /// Items put in, and taken out, since the beginning; both wrap.
        let written = Atomic<UInt32>(0)
        let read = Atomic<UInt32>(0)
        let lost = Atomic<UInt64>(0)
    }

    private let words: UnsafeMutablePointer<Words>

    package init() {
        unsafe words = .allocate(capacity: 1)
        unsafe words.initialize(to: Words())
    }

    /// Neither the writer nor the reader may use it any more.
    package func deallocate() {
        unsafe items?.deallocate()
        unsafe engineData?.deallocate()
        unsafe words.deallocate()
    }

    private var items: UnsafeMutablePointer<WaitingConnection>? {
        unsafe UnsafeMutablePointer(
            bitPattern: words.pointee.items.load(ordering: .acquiring))
    }

    private var engineData: UnsafeMutableRawPointer? {
        unsafe UnsafeMutableRawPointer(
            bitPattern: words.pointee.engineData.load(ordering: .relaxed))
    }

    /// Items that found no room, since the beginning.
    package var lost: UInt64 { unsafe words.pointee.lost.load(ordering: .relaxed) }

    /// Gets memory, once; before the writer is told that there is a reader (housekeeper).
    package func open() {
        guard unsafe items == nil else { return }
        let count = Int(SyncQueue.capacity)
        let data = UnsafeMutableRawPointer.allocate(
            byteCount: count * SyncQueue.engineRoom, alignment: 16)
        unsafe words.pointee.engineData.store(UInt(bitPattern: data), ordering: .relaxed)
        let made = UnsafeMutablePointer<WaitingConnection>.allocate(capacity: count)
        // Who sees the items sees the data's room, too.
        unsafe words.pointee.items.store(UInt(bitPattern: made), ordering: .releasing)
    }

    /// Puts a connection in, or counts it as lost (writer).
    package func put(_ connection: Connection) {
        guard let items = unsafe items, let engineData = unsafe engineData else { return }
        let written = unsafe words.pointee.written.load(ordering: .relaxed)
        let read = unsafe words.pointee.read.load(ordering: .acquiring)
        guard written &- read < SyncQueue.capacity else {
            unsafe words.pointee.lost.wrappingAdd(1, ordering: .relaxed)
            return
        }
        let place = Int(written % SyncQueue.capacity)
        let engineBytes = unsafe connection.copyEngineData(
            to: engineData + place * SyncQueue.engineRoom)
        unsafe (items + place).initialize(
            to: WaitingConnection(connection, engineBytes: engineBytes))
        unsafe words.pointee.written.store(written &+ 1, ordering: .releasing)
        // The reader's processor has the next place: it is fetched before it is written.
        unsafe lvs_prefetch(items + Int((written &+ 1) % SyncQueue.capacity) + 1)
    }

    /// The next item; nil when none waits (reader).
    package func take() -> Item? {
        guard let items = unsafe items, let engineData = unsafe engineData else { return nil }
        let read = unsafe words.pointee.read.load(ordering: .relaxed)
        guard unsafe words.pointee.written.load(ordering: .acquiring) != read else { return nil }
        let place = Int(read % SyncQueue.capacity)
        let waiting = unsafe items[place]
        var told = ToldConnection(waiting)
        if waiting.engineBytes > 0 {
            told.engineName = PersistenceEngine.sip.name
            told.engineData = unsafe Array(
                UnsafeRawBufferPointer(
                    start: engineData + place * SyncQueue.engineRoom,
                    count: Int(waiting.engineBytes)))
        }
        unsafe words.pointee.read.store(read &+ 1, ordering: .releasing)
        return Item(told: told, number: waiting.number)
    }

    /// Drops what waits (reader).
    package func drop() {
        let written = unsafe words.pointee.written.load(ordering: .acquiring)
        unsafe words.pointee.read.store(written, ordering: .releasing)
    }
}
