/// Frames that wait for the hardware address of their next hop: rewritten, copied, a handful for each
/// next hop (packet-io 10).
@safe
struct ParkingLot: ~Copyable {
    /// Frames in all, frames for one next hop, and bytes of a frame at most.
    static let spaces = 128
    static let perNextHop = 8
    static let frameBytes = 2048
    /// How long a frame waits: what the kernel gives a neighbour to answer.
    private static let patienceNanoseconds: UInt64 = 3_000_000_000

    /// What becomes of a frame that wants to wait.
    enum Outcome {
        case parked
        /// Its next hop has enough of them, or the lot is full.
        case full
        /// Longer than a space: only super-frames are.
        case tooLong
    }

    private struct Space {
        /// The next hop; `noRoute` when the space is free.
        var hop = NextHopTable.noRoute
        var since = Instant(nanoseconds: 0)
        /// The story of the packet, for who told it; nil when nobody did.
        var story: UInt64?
        var frame: Frame
    }

    private let memory: UnsafeMutableRawPointer
    private var table: [Space]
    /// The spaces in use, in the order in which they were taken.
    private var order: [Int] = []
    var count: Int { order.count }

    /// Takes its memory from the heap and touches it, since who parks a frame is in a hurry.
    init() {
        let bytes = ParkingLot.spaces * ParkingLot.frameBytes
        unsafe memory = .allocate(byteCount: bytes, alignment: 64)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        let nothing = unsafe Frame(bytes: memory, length: 0, capacity: 0, headroom: 0, ingress: 0)
        table = Array(repeating: Space(frame: nothing), count: ParkingLot.spaces)
        order.reserveCapacity(ParkingLot.spaces)
    }

    deinit { unsafe memory.deallocate() }

    mutating func park(
        _ frame: Frame, hop: NextHopIndex, now: Instant, story: UInt64? = nil
    ) -> Outcome {
        guard Int(frame.length) <= ParkingLot.frameBytes, frame.segmentSize == 0 else {
            return .tooLong
        }
        var free: Int?
        var waiting = 0
        for index in 0..<ParkingLot.spaces {
            if table[index].hop == NextHopTable.noRoute {
                free = free ?? index
            } else if table[index].hop == hop {
                waiting += 1
            }
        }
        guard let free, waiting < ParkingLot.perNextHop else { return .full }
        var copy = frame
        unsafe copy.bytes = memory + free * ParkingLot.frameBytes
        unsafe copy.bytes.copyMemory(from: frame.bytes, byteCount: Int(frame.length))
        table[free] = Space(hop: hop, since: now, story: story, frame: copy)
        order.append(free)
        return .parked
    }

    /// Hands out, oldest first for each next hop, the frames whose next hop is known now, until
    /// `send` says that it takes no more; gives up on those that have waited too long and returns
    /// how many they were.
    ///
    /// `send` is told which story a frame belongs to, if any.
    mutating func release(
        _ hops: NextHopTable, now: Instant,
        send: (Frame, NextHop, NextHopWord, _ story: UInt64?) -> Bool
    ) -> Int {
        var lost = 0
        var kept = 0
        var isSending = true
        for position in order.indices {
            let index = order[position]
            let hop = hops[table[index].hop]
            let word = hop.word
            let leaves: Bool
            if word.isResolved {
                isSending = isSending && send(table[index].frame, hop, word, table[index].story)
                leaves = isSending
            } else {
                let waited = now.nanoseconds &- table[index].since.nanoseconds
                leaves = now > table[index].since && waited > ParkingLot.patienceNanoseconds
                lost += leaves ? 1 : 0
            }
            if leaves {
                table[index].hop = NextHopTable.noRoute
            } else {
                order[kept] = index
                kept += 1
            }
        }
        order.removeLast(order.count - kept)
        return lost
    }
}
