/// Up to 64 frames on their way through the pipeline, and the frames the engine makes on the way.
///
/// Made frames (ICMP errors, segments, fragments) live in memory of the burst and carry the number
/// of the frame that caused them; they are sent after it (architecture, section 5).
@safe
public struct Burst: ~Copyable {
    /// Most frames a burst carries.
    @inlinable public static var capacity: Int { 64 }
    /// How many frames ahead the worker brings headers into the cache: what stands behind the last
    /// frame may be read, too.
    static let ahead = 8
    /// Bytes for the frames that are made in one burst: as many as the segments of 64 super-frames of
    /// 64 KiB take, each with headroom and headers of its own.
    package static let madeBytes = 5 << 20
    /// Most frames that can be made in one burst.
    package static let mostMade = 4096
    /// Length of the longest made frame, bytes.
    package static let longestMade = 65536 + 128
    /// Headroom of a made frame, bytes.
    package static let madeHeadroom = 128

    @usableFromInline let frames: UnsafeMutablePointer<Frame>
    @usableFromInline let made: UnsafeMutablePointer<MadeFrame>
    private let memory: UnsafeMutableRawPointer
    @usableFromInline var frameCount = 0
    @usableFromInline var madeFrameCount = 0
    @usableFromInline var usedBytes = 0

    /// A frame the engine made: the frame, and which frame of the burst it follows.
    public struct MadeFrame {
        /// The frame as it is to be sent.
        public var frame: Frame
        /// Position of the causing frame; frames made by timers carry `Burst.capacity`.
        public var cause: Int
    }

    package init() {
        unsafe frames = .allocate(capacity: Burst.capacity + Burst.ahead)
        unsafe made = .allocate(capacity: Burst.mostMade)
        unsafe memory = .allocate(byteCount: Burst.madeBytes, alignment: 64)
        // Touched now, so that no packet waits for a page later.
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: Burst.madeBytes)
        unsafe frames.initialize(
            repeating: Frame(bytes: memory, length: 0, capacity: 0, headroom: 0, ingress: 0),
            count: Burst.capacity + Burst.ahead)
    }

    deinit {
        unsafe frames.deallocate()
        unsafe made.deallocate()
        unsafe memory.deallocate()
    }

    /// How many frames were received into the burst.
    @inlinable public var count: Int { frameCount }
    /// How many frames the engine made in it.
    @inlinable public var madeCount: Int { madeFrameCount }

    /// How many more frames can be received.
    @inlinable public var room: Int { Burst.capacity - count }

    /// Adds a received frame; the caller has seen that there is room.
    @inlinable
    public mutating func append(_ frame: Frame) {
        precondition(count < Burst.capacity, "a burst holds 64 frames")
        unsafe frames[count] = frame
        frameCount += 1
    }

    /// Empties the burst; the memory of its frames is the driver's business.
    @inlinable
    public mutating func removeAll() {
        frameCount = 0
        madeFrameCount = 0
        usedBytes = 0
    }

    /// A received frame by its position, from 0.
    @inlinable
    public subscript(index: Int) -> Frame {
        get {
            assert(index < count)
            return unsafe frames[index]
        }
        set {
            assert(index < count)
            unsafe frames[index] = newValue
        }
    }

    /// Direct access for the waves of the worker.
    @inlinable public var base: UnsafeMutablePointer<Frame> { unsafe frames }

    /// A made frame by its number, from 0 in the order they were made.
    @inlinable
    public func madeFrame(_ index: Int) -> MadeFrame {
        assert(index < madeCount)
        return unsafe made[index]
    }

    package mutating func setMadeFrame(_ index: Int, _ frame: Frame) {
        assert(index < madeCount)
        unsafe made[index].frame = frame
    }

    /// Lends memory for a frame of `length` bytes; nil when the burst's supply is used up or the
    /// frame is longer than the largest.
    ///
    /// The frame's number is `madeCount - 1` afterwards.
    package mutating func make(length: Int, ingress: PortIndex, cause: Int) -> Frame? {
        // Whole cache lines, and no less than the headers that somebody may look at.
        let room = (max(length, 192) + 63) & ~63
        let offset = usedBytes + Burst.madeHeadroom
        guard length <= Burst.longestMade, madeCount < Burst.mostMade,
            offset + room <= Burst.madeBytes
        else { return nil }
        usedBytes = offset + room
        let frame = unsafe Frame(
            bytes: memory + offset, length: length, capacity: room,
            headroom: Burst.madeHeadroom, ingress: ingress)
        unsafe (made + madeCount).initialize(to: MadeFrame(frame: frame, cause: cause))
        madeFrameCount += 1
        return frame
    }
}
