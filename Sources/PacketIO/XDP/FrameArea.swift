package import Posix

/// The frame memory of a worker, shared by the AF_XDP sockets of all its interfaces, in chunks of one
/// frame each.
///
/// A frame is sent from the chunk it came in, by whichever interface: the chunk is free again when
/// neither a burst holds it nor a socket sends it.
///
/// ```
///           take (fill ring)          received               release
///   free ───────────────────► filled ──────────► held ─────────────────► free
///    │                                            │ send          ▲
///    └────────────── take (copy) ──────────► sent ◄┘ ── completed ─┘
/// ```
/// Every interface has its share and cannot take that of another: what waits in the rings of one that
/// is flooded, or on the way out by one that is slow, starves none of the others. Each socket registers
/// the same memory for itself, and does not share the registration of the first (XDP_SHARED_UMEM):
/// then a veth beside a card could not copy while that does not, and nothing could be opened again
/// once the first interface was deleted.
///
/// Used by the worker's thread, and before it starts by the one that opens drivers; hence the
/// unchecked conformance. Safe because chunks are reached by number, which is checked.
@safe
package final class FrameArea: @unchecked Sendable {
    /// What the kernel keeps free before a received frame (XDP_PACKET_HEADROOM).
    static let headroom = 256
    /// Most chunks that the kernel fills for an interface: a full fill ring and receive ring.
    package static let mostFilled = 6144
    /// Most chunks that an interface sends: a full transmit ring, less a burst that is held.
    package static let mostSent = 2048 - 64
    /// Chunks for each interface: both of the above, and the burst.
    package static let chunksPerInterface = 8192
    /// Bytes of a chunk that the kernel accepts here, the smallest first.
    static let chunkSizes = [2048, 4096]
    /// Ethernet header and one VLAN tag, bytes.
    private static let linkBytes = 18
    /// Longest MTU whose frames a chunk takes.
    static let longestMTU = longestMTU(of: 4096)
    /// Longest MTU of a veth whose peer runs a program in native mode.
    static let longestNativeMTU = 3498
    private static let ports = 64

    /// Who has a chunk at the moment.
    private enum State {
        static let held: UInt8 = 1
        static let sent: UInt8 = 2
        static let filled: UInt8 = 4
    }

    let base: UnsafeMutableRawPointer
    let chunkBytes: Int
    package let count: Int
    private let shift: UInt64
    private let memory: MappedMemory
    private let states: UnsafeMutablePointer<UInt8>
    /// The port whose socket fills or sends a chunk.
    private let owners: UnsafeMutablePointer<UInt16>
    /// Chunks of each port that are filled, and that are sent.
    private let filled: UnsafeMutablePointer<Int>
    private let sent: UnsafeMutablePointer<Int>
    /// Numbers of free chunks; the one freed last is taken first, its lines may be cached.
    private let free: UnsafeMutablePointer<UInt32>
    package private(set) var freeCount: Int

    /// `chunkBytes` is 2,048 or 4,096, as the kernel has it.
    package init(chunkBytes: Int, interfaces: Int) throws(SystemError) {
        count = max(1, interfaces) * Self.chunksPerInterface
        self.chunkBytes = chunkBytes
        shift = UInt64(chunkBytes.trailingZeroBitCount)
        let memory = try MappedMemory(bytes: count * chunkBytes)
        unsafe base = memory.base
        self.memory = memory
        unsafe states = .allocate(capacity: count)
        unsafe states.initialize(repeating: 0, count: count)
        unsafe owners = .allocate(capacity: count)
        unsafe owners.initialize(repeating: 0, count: count)
        unsafe filled = .allocate(capacity: Self.ports)
        unsafe filled.initialize(repeating: 0, count: Self.ports)
        unsafe sent = .allocate(capacity: Self.ports)
        unsafe sent.initialize(repeating: 0, count: Self.ports)
        unsafe free = .allocate(capacity: count)
        for index in 0..<count { unsafe (free + index).initialize(to: UInt32(count - 1 - index)) }
        freeCount = count
    }

    deinit {
        unsafe states.deallocate()
        unsafe owners.deallocate()
        unsafe filled.deallocate()
        unsafe sent.deallocate()
        unsafe free.deallocate()
    }

    /// Most bytes of a frame that is received or copied into a chunk.
    var frameBytes: Int { chunkBytes - Self.headroom }

    /// Longest MTU whose frames a chunk of so many bytes takes.
    static func longestMTU(of chunkBytes: Int) -> Int { chunkBytes - headroom - linkBytes }

    /// Longest MTU whose frames this area's chunks take.
    var longestMTU: Int { Self.longestMTU(of: chunkBytes) }

    /// The number of the chunk that an address of a ring lies in; nil beyond the area.
    @inline(__always)
    func chunk(at address: UInt64) -> Int? {
        let number = address >> shift
        return number < UInt64(count) ? Int(number) : nil
    }

    /// The chunk that holds these bytes whole; nil when they are other memory.
    @inline(__always)
    func chunk(of start: UnsafeMutableRawPointer, count bytes: Int) -> Int? {
        let offset = unsafe UInt64(bitPattern: Int64(start - base))
        guard let number = chunk(at: offset), chunk(at: offset &+ UInt64(bytes - 1)) == number
        else { return nil }
        return number
    }

    /// Where a chunk begins, as rings count.
    @inline(__always)
    func address(of chunk: Int) -> UInt64 { UInt64(chunk) << shift }

    /// Takes a chunk for the fill ring of a port; nil when it has its share or none is free.
    @inline(__always)
    package func takeForFilling(_ port: UInt16) -> Int? {
        guard unsafe filled[Int(port)] < Self.mostFilled, let chunk = pop() else { return nil }
        unsafe states[chunk] = State.filled
        unsafe owners[chunk] = port
        unsafe filled[Int(port)] += 1
        return chunk
    }

    /// Takes a chunk that a port sends a copy from; nil when it has its share or none is free.
    package func takeForSending(_ port: UInt16) -> Int? {
        guard unsafe sent[Int(port)] < Self.mostSent, let chunk = pop() else { return nil }
        unsafe states[chunk] = State.sent
        unsafe owners[chunk] = port
        unsafe sent[Int(port)] += 1
        return chunk
    }

    @inline(__always)
    private func pop() -> Int? {
        guard freeCount > 0 else { return nil }
        freeCount -= 1
        return unsafe Int(free[freeCount])
    }

    /// Whether a port may send another chunk.
    @inline(__always)
    func maySend(_ port: UInt16) -> Bool { unsafe sent[Int(port)] < Self.mostSent }

    /// The kernel has put a frame into the chunk; false when it was not given to it.
    @inline(__always)
    package func received(_ chunk: Int) -> Bool {
        guard unsafe states[chunk] == State.filled else { return false }
        unsafe states[chunk] = State.held
        unsafe filled[Int(owners[chunk])] -= 1
        return true
    }

    /// A port sends the chunk that a burst holds; false when one sends it already, or nobody holds it.
    @inline(__always)
    package func send(_ chunk: Int, by port: UInt16) -> Bool {
        guard unsafe states[chunk] == State.held else { return false }
        unsafe states[chunk] = State.held | State.sent
        unsafe owners[chunk] = port
        unsafe sent[Int(port)] += 1
        return true
    }

    /// The burst is done with the chunk.
    @inline(__always)
    package func release(_ chunk: Int) {
        let state = unsafe states[chunk]
        guard state & State.held != 0 else { return }
        unsafe states[chunk] = state & ~State.held
        if state == State.held { push(chunk) }
    }

    /// The kernel is done with sending the chunk.
    @inline(__always)
    package func completed(_ chunk: Int) {
        let state = unsafe states[chunk]
        guard state & State.sent != 0 else { return }
        unsafe states[chunk] = state & ~State.sent
        unsafe sent[Int(owners[chunk])] -= 1
        if state == State.sent { push(chunk) }
    }

    @inline(__always)
    private func push(_ chunk: Int) {
        unsafe free[freeCount] = UInt32(truncatingIfNeeded: chunk)
        freeCount += 1
    }

    /// Takes back what a port's sockets held when they were closed.
    package func recover(_ port: UInt16) {
        for chunk in 0..<count where unsafe owners[chunk] == port {
            let state = unsafe states[chunk]
            guard state & (State.filled | State.sent) != 0 else { continue }
            unsafe states[chunk] = state & State.held
            if state & State.held == 0 { push(chunk) }
        }
        unsafe filled[Int(port)] = 0
        unsafe sent[Int(port)] = 0
    }
}
