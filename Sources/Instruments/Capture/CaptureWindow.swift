internal import Posix

/// The part of a capture file that is being looked at: a buffer that moves through the file.
///
/// ```
///  0         first                    last             capacity
///  | gone    | read and not yet used  | free           |
/// ```
/// Reading is by pieces that stay in the processor's cache. Safe because nobody gets at bytes beyond
/// what `has` has promised; they stay where they are until the next `has`.
@safe
final class CaptureWindow {
    /// Appends bytes of the file to a buffer; 0 at the end.
    typealias Source = (UnsafeMutableRawBufferPointer) throws(SystemError) -> Int

    /// Most bytes that can be looked at together.
    static let most = 512 << 10
    private static let capacity = 1 << 20
    private static let piece = 256 << 10
    /// So few bytes are moved to the front rather than read behind.
    private static let few = 4096

    private let memory: UnsafeMutableRawPointer
    private var first = 0
    private var last = 0
    /// Position in the file of the memory's first byte.
    private var origin: UInt64 = 0
    private var isAtEnd = false
    private let source: Source
    /// Why the file could not be read further.
    private(set) var failure: SystemError?

    init(source: @escaping Source) {
        unsafe self.source = unsafe source
        unsafe memory = .allocate(byteCount: Self.capacity, alignment: 64)
    }

    deinit { unsafe memory.deallocate() }

    /// What is looked at.
    @inline(__always)
    var bytes: UnsafeRawPointer { unsafe UnsafeRawPointer(memory + first) }

    /// Position in the file of what is looked at.
    @inline(__always)
    var offset: UInt64 { origin + UInt64(first) }

    /// Bytes that are there already.
    var available: Int { last - first }

    /// Whether so many bytes, at most `most`, are there from now on; false at the file's end.
    @inline(__always)
    func has(_ count: Int) -> Bool { last - first >= count || fill(count) }

    /// Goes on by bytes that are there.
    @inline(__always)
    func consume(_ count: Int) {
        first += count
    }

    /// Goes on by any number of bytes; false when the file ends before.
    func skip(_ count: UInt64) -> Bool {
        var rest = count
        while rest > 0 {
            guard has(1) else { return false }
            let step = Int(min(rest, UInt64(available)))
            consume(step)
            rest -= UInt64(step)
        }
        return true
    }

    private func fill(_ count: Int) -> Bool {
        precondition(count <= Self.most, "more bytes than the window has")
        while last - first < count {
            guard !isAtEnd else { return false }
            if first == last || last - first <= Self.few || first + count > Self.capacity
                || last == Self.capacity
            {
                unsafe memory.copyMemory(from: memory + first, byteCount: last - first)
                origin += UInt64(first)
                last -= first
                first = 0
            }
            let room = min(Self.piece, Self.capacity - last)
            do throws(SystemError) {
                let got = try unsafe source(
                    UnsafeMutableRawBufferPointer(start: memory + last, count: room))
                if got == 0 { isAtEnd = true }
                last += min(got, room)
            } catch {
                failure = error
                isAtEnd = true
            }
        }
        return true
    }
}
