internal import LVS

/// Memory for the frames of one burst of a replay: a piece for each, with room before and behind it
/// for tunnel headers.
///
/// Safe because a piece is lent only where the whole of it lies in the memory.
@safe
final class ReplayRoom {
    /// Writable bytes before and behind each frame.
    static let headroom = 128
    static let spare = 128
    /// Longest frame, bytes: a super-frame with its headers.
    static let longest = 65536 + 256

    private let memory: UnsafeMutableRawPointer
    private let size: Int
    private var used = 0

    init() {
        size = Burst.capacity * (Self.headroom + 2048 + Self.spare) + 4 * Self.longest
        unsafe memory = .allocate(byteCount: size, alignment: 64)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: size)
    }

    deinit { unsafe memory.deallocate() }

    /// Whether a frame of so many bytes finds a place now.
    func hasRoom(for length: Int) -> Bool {
        used + Self.headroom + length + Self.spare + 63 <= size
    }

    /// A place for a frame of `length` bytes at most; nil when there is none.
    ///
    /// It is the frame's until `removeAll`, once `take` has been called with the frame's length.
    func place(for length: Int) -> UnsafeMutableRawPointer? {
        guard length <= Self.longest, hasRoom(for: length) else { return nil }
        return unsafe memory + used + Self.headroom
    }

    /// Makes a frame of what was written to the last place.
    func take(length: Int, ingress: PortIndex) -> Frame {
        let frame = unsafe Frame(
            bytes: memory + used + Self.headroom, length: length,
            capacity: length + Self.spare, headroom: Self.headroom, ingress: ingress)
        used += (Self.headroom + length + Self.spare + 63) & ~63
        return frame
    }

    func removeAll() { used = 0 }
}
