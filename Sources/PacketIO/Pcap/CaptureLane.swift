internal import LVS
internal import Synchronization

/// The way of captured frames from one worker to the thread that writes the file: a ring of bytes with
/// one writer and one reader, so that a slow disk never holds a worker.
///
/// ```
///  0                 4         8                 16
///  | frame's length  | copied  | time (boot, ns) | bytes, up to a multiple of 8 ...
/// ```
/// Safe because every position is taken modulo the ring, and what is read lies between the two marks.
@safe
final class CaptureLane: @unchecked Sendable {
    static let headerBytes = 16
    /// Most bytes of a frame that are kept: any super-frame whole.
    static let mostBytes = 65536 + 512
    static let capacity = 4 << 20

    private let memory: UnsafeMutableRawPointer
    /// Bytes put in and taken out since the beginning.
    private let head = Atomic<UInt64>(0)
    private let tail = Atomic<UInt64>(0)
    /// Set while frames are wanted.
    private let wanted = Atomic<Bool>(false)
    private let missed = CounterCell()

    init() {
        unsafe memory = .allocate(byteCount: Self.capacity, alignment: 64)
        // Touched now, so that no frame waits for a page later.
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: Self.capacity)
    }

    deinit { unsafe memory.deallocate() }

    var isOpen: Bool { wanted.load(ordering: .relaxed) }

    /// Frames that found no room.
    var missedCount: UInt64 { missed.count }

    /// Frames are wanted from now on, and none any more.
    func open() { wanted.store(true, ordering: .relaxed) }
    func close() { wanted.store(false, ordering: .relaxed) }

    /// Copies a frame, its VLAN tag put back (worker).
    func add(_ given: borrowing Frame, _ now: UInt64) {
        let frame = copy given
        let tag = frame.vlan == 0 || frame.length < 12 ? 0 : 4
        let length = Int(frame.length) + tag
        let copied = min(length, Self.mostBytes)
        let size = Self.headerBytes + (copied + 7) & ~7
        let end = head.load(ordering: .relaxed)
        guard Int(end - tail.load(ordering: .acquiring)) + size <= Self.capacity else {
            missed.raise(by: 1)
            return
        }
        put(UInt64(length) | UInt64(copied) << 32, at: end)
        put(now, at: end + 8)
        let start = end + UInt64(Self.headerBytes)
        if tag == 0 {
            unsafe put(frame.bytes, copied, at: start)
        } else {
            unsafe put(frame.bytes, 12, at: start)
            var word = frame.vlan.bigEndian
            unsafe withUnsafeBytes(of: &word) { tag in
                guard let base = tag.baseAddress else { return }
                unsafe put(base, 4, at: start + 12)
            }
            unsafe put(frame.bytes + 12, copied - 16, at: start + 16)
        }
        head.store(end + UInt64(size), ordering: .releasing)
    }

    /// The next frame into memory of `mostBytes` bytes (the file's thread); nil when there is none.
    func take(
        into target: UnsafeMutableRawPointer
    ) -> (length: UInt32, copied: UInt32, time: UInt64)? {
        let start = tail.load(ordering: .relaxed)
        guard start != head.load(ordering: .acquiring) else { return nil }
        let sizes = word(at: start)
        let time = word(at: start + 8)
        let copied = Int(sizes >> 32)
        let first = Int((start + UInt64(Self.headerBytes)) % UInt64(Self.capacity))
        let straight = min(copied, Self.capacity - first)
        unsafe target.copyMemory(from: memory + first, byteCount: straight)
        unsafe (target + straight).copyMemory(from: memory, byteCount: copied - straight)
        let size = Self.headerBytes + (copied + 7) & ~7
        tail.store(start + UInt64(size), ordering: .releasing)
        return (UInt32(truncatingIfNeeded: sizes), UInt32(copied), time)
    }

    // Eight bytes never go around the end, since all positions of records are multiples of eight.

    private func put(_ word: UInt64, at position: UInt64) {
        unsafe memory.storeBytes(
            of: word, toByteOffset: Int(position % UInt64(Self.capacity)), as: UInt64.self)
    }

    private func word(at position: UInt64) -> UInt64 {
        unsafe memory.load(
            fromByteOffset: Int(position % UInt64(Self.capacity)), as: UInt64.self)
    }

    private func put(_ bytes: UnsafeRawPointer, _ count: Int, at position: UInt64) {
        guard count > 0 else { return }
        let first = Int(position % UInt64(Self.capacity))
        let straight = min(count, Self.capacity - first)
        unsafe (memory + first).copyMemory(from: bytes, byteCount: straight)
        unsafe memory.copyMemory(from: bytes + straight, byteCount: count - straight)
    }
}
