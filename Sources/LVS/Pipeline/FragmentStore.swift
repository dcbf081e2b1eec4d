/// Fragments of datagrams of both families that wait for the rest, in memory of fixed size (RFC 791 section 3.2,
/// RFC 8200 section 4.5; what is refused, and when, is the kernel's way).
///
/// ```
/// datagram ─► piece ─► piece ─► piece      by offset
///               └► piece ─► piece          more blocks of a fragment longer than one
/// ```
/// One store for all workers, since the fragments of a datagram may come to several. The memory,
/// 4 MiB as the kernel allows itself (`ipfrag_high_thresh`), is taken with the first fragment; when
/// it is full the oldest datagram gives way, so that a flood of first fragments does not shut out
/// those that follow it.
@safe
struct FragmentStore: ~Copyable, @unchecked Sendable {
    /// What becomes of a fragment.
    enum Outcome {
        /// Kept until the others come.
        case waiting
        /// No fragment of a datagram: an IPv6 one of a length that only the last may have.
        case odd
        case refused(DropReason)
        /// It was the last one, and the whole datagram is put together.
        case complete
    }

    /// A datagram of which not everything came in time.
    enum Expired {
        /// Its first fragment never came: nobody can be told.
        case headless
        /// Its first fragment is there to be told of.
        case first
    }

    /// Where a fragment belongs.
    private enum Position {
        case after(Int32)
        case duplicate
        case overlap
    }

    static let none: Int32 = -1
    static let mostDatagrams = 1024
    static let blocks = 2048
    static let blockBytes = 2048
    /// Most fragments of one datagram; 64 KiB in packets of 200 bytes are fewer.
    static let mostFragments = 512
    /// How long a datagram waits for its last fragment (`ipfrag_time`, `nf_conntrack_frag6_timeout`).
    static func patienceSeconds(_ family: AddressFamily) -> UInt64 { family == .v4 ? 30 : 60 }
    /// Room for the headers of a first fragment; one with longer ones is refused.
    static let headerBytes = 256
    static let headroom = 128
    static let wholeBytes = 65_536 + 128

    private var evicted = 0

    var datagrams: [FragmentedDatagram] = []
    var pieces: [FragmentPiece] = []
    private var buckets: [Int32] = []
    private var freeDatagram = FragmentStore.none
    private var freePiece = FragmentStore.none
    private var freePieces = 0
    private var oldest = FragmentStore.none
    private var youngest = FragmentStore.none
    /// Blocks, then a header for each datagram.
    var memory: UnsafeMutableRawPointer?

    init() { unsafe memory = nil }

    deinit { unsafe memory?.deallocate() }

    /// Takes a fragment, which is copied; the caller has verified the header's checksum.
    mutating func take(
        _ packet: Packet, _ frame: Frame, into reassembly: inout Reassembly, now: Instant
    ) -> Outcome {
        let memory = unsafe prepare()
        guard let fragment = ReceivedFragment(packet, frame) else { return .odd }
        guard fragment.network + fragment.headerLength <= FragmentStore.headerBytes
        else { return .refused(.fragment) }
        let number = find(fragment.key) ?? begin(fragment.key, now)
        guard datagrams[Int(number)].extend(by: fragment) else {
            // With IPv6 the others go on waiting.
            if !fragment.isIPv6 || datagrams[Int(number)].fragments == 0 { forget(number) }
            return .refused(.fragment)
        }
        switch position(of: fragment, in: number) {
        case .duplicate: return .refused(.fragmentDuplicate)
        case .overlap:
            forget(number)
            return .refused(.fragmentOverlap)
        case .after(let previous):
            guard unsafe keep(fragment, in: number, after: previous, memory) else {
                forget(number)
                return .refused(.fragmentsFull)
            }
        }
        guard datagrams[Int(number)].isComplete else { return .waiting }
        let isWhole = unsafe assemble(number, memory, into: &reassembly)
        forget(number)
        return isWhole ? .complete : .refused(.fragment)
    }

    /// Gives up on the datagram that has waited longest, if that was too long.
    mutating func nextExpired(into reassembly: inout Reassembly, now: Instant) -> Expired? {
        guard oldest != FragmentStore.none, let memory = unsafe memory,
            datagrams[Int(oldest)].deadline <= now
        else { return nil }
        let number = oldest
        defer { forget(number) }
        let datagram = datagrams[Int(number)]
        guard datagram.hasFirst else { return .headless }
        let start = unsafe writeHeader(number, memory, into: &reassembly)
        let size = unsafe copy(datagram.first, to: start + headers(of: datagram), memory)
        reassembly.finish(datagram, count: size)
        return .first
    }

    /// When the datagram that waits longest is given up, nanoseconds; the end of time for none.
    var patienceEnds: UInt64 {
        oldest == FragmentStore.none ? .max : datagrams[Int(oldest)].deadline.nanoseconds
    }

    /// How many datagrams gave way to younger ones since the last call.
    mutating func takeEvicted() -> Int {
        defer { evicted = 0 }
        return evicted
    }

    // MARK: Datagrams

    /// The memory, taken when the first fragment comes.
    private mutating func prepare() -> UnsafeMutableRawPointer {
        if let memory = unsafe memory { return unsafe memory }
        let bytes =
            FragmentStore.blocks * FragmentStore.blockBytes
            + FragmentStore.mostDatagrams * FragmentStore.headerBytes
        let all = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        unsafe memory = all
        datagrams = Array(
            repeating: FragmentedDatagram(), count: FragmentStore.mostDatagrams)
        pieces = Array(repeating: FragmentPiece(), count: FragmentStore.blocks)
        buckets = Array(repeating: FragmentStore.none, count: FragmentStore.mostDatagrams)
        for index in datagrams.indices.reversed() {
            datagrams[index].chain = freeDatagram
            freeDatagram = Int32(index)
        }
        for index in pieces.indices.reversed() {
            pieces[index].rest = freePiece
            freePiece = Int32(index)
        }
        freePieces = FragmentStore.blocks
        return unsafe all
    }

    private func bucket(_ key: FragmentedDatagram.Key) -> Int {
        Int(key.hash >> 32) & (FragmentStore.mostDatagrams - 1)
    }

    private func find(_ key: FragmentedDatagram.Key) -> Int32? {
        var number = buckets[bucket(key)]
        while number != FragmentStore.none {
            if datagrams[Int(number)].key == key { return number }
            number = datagrams[Int(number)].chain
        }
        return nil
    }

    private mutating func begin(_ key: FragmentedDatagram.Key, _ now: Instant) -> Int32 {
        if freeDatagram == FragmentStore.none { evict() }
        let number = freeDatagram
        freeDatagram = datagrams[Int(number)].chain
        var datagram = FragmentedDatagram()
        datagram.key = key
        datagram.deadline = now.advanced(
            bySeconds: FragmentStore.patienceSeconds(key.source.family))
        datagram.chain = buckets[bucket(key)]
        datagrams[Int(number)] = datagram
        buckets[bucket(key)] = number
        enqueue(number)
        return number
    }

    /// Puts a datagram into the queue by deadline, which is that by age but for the families' different
    /// patience.
    private mutating func enqueue(_ number: Int32) {
        var older = youngest
        var younger = FragmentStore.none
        while older != FragmentStore.none,
            datagrams[Int(older)].deadline > datagrams[Int(number)].deadline
        {
            younger = older
            older = datagrams[Int(older)].older
        }
        datagrams[Int(number)].older = older
        datagrams[Int(number)].younger = younger
        if older == FragmentStore.none {
            oldest = number
        } else {
            datagrams[Int(older)].younger = number
        }
        if younger == FragmentStore.none {
            youngest = number
        } else {
            datagrams[Int(younger)].older = number
        }
    }

    private mutating func evict() {
        forget(oldest)
        evicted += 1
    }

    private mutating func forget(_ number: Int32) {
        let datagram = datagrams[Int(number)]
        var piece = datagram.first
        while piece != FragmentStore.none {
            let next = pieces[Int(piece)].next
            free(piece)
            piece = next
        }
        unlink(number, datagram)
        datagrams[Int(number)].first = FragmentStore.none
        datagrams[Int(number)].chain = freeDatagram
        freeDatagram = number
    }

    private mutating func unlink(_ number: Int32, _ datagram: FragmentedDatagram) {
        let place = bucket(datagram.key)
        if buckets[place] == number {
            buckets[place] = datagram.chain
        } else {
            var other = buckets[place]
            while datagrams[Int(other)].chain != number { other = datagrams[Int(other)].chain }
            datagrams[Int(other)].chain = datagram.chain
        }
        if datagram.older == FragmentStore.none {
            oldest = datagram.younger
        } else {
            datagrams[Int(datagram.older)].younger = datagram.younger
        }
        if datagram.younger == FragmentStore.none {
            youngest = datagram.older
        } else {
            datagrams[Int(datagram.younger)].older = datagram.older
        }
    }

    // MARK: Fragments

    /// Gives the blocks of a fragment back.
    private mutating func free(_ first: Int32) {
        var piece = first
        while piece != FragmentStore.none {
            let rest = pieces[Int(piece)].rest
            pieces[Int(piece)].rest = freePiece
            freePiece = piece
            freePieces += 1
            piece = rest
        }
    }

    /// Where a fragment belongs, by the kernel's rules: one that lies within what came in order
    /// before is a duplicate, any other that touches what is there an overlap (RFC 5722).
    private func position(of fragment: ReceivedFragment, in number: Int32) -> Position {
        let datagram = datagrams[Int(number)]
        guard datagram.last != FragmentStore.none else { return .after(FragmentStore.none) }
        let last = pieces[Int(datagram.last)]
        if last.offset + last.count < fragment.end {
            return fragment.offset < last.offset + last.count ? .overlap : .after(datagram.last)
        }
        var previous = FragmentStore.none
        var head = datagram.first
        while head != FragmentStore.none {
            let start = pieces[Int(head)].offset
            guard fragment.end > start else { return .after(previous) }
            // The run goes on while each fragment continues the one before it.
            var tail = head
            var next = pieces[Int(tail)].next
            while next != FragmentStore.none, !pieces[Int(next)].beginsRun {
                tail = next
                next = pieces[Int(tail)].next
            }
            let end = pieces[Int(tail)].offset + pieces[Int(tail)].count
            if fragment.offset < end {
                return fragment.offset >= start && fragment.end <= end ? .duplicate : .overlap
            }
            previous = tail
            head = next
        }
        return .after(previous)
    }

    /// Copies a fragment into blocks; false when there are too many of them.
    private mutating func keep(
        _ fragment: ReceivedFragment, in number: Int32, after previous: Int32,
        _ memory: UnsafeMutableRawPointer
    ) -> Bool {
        let wanted = (fragment.count + FragmentStore.blockBytes - 1) / FragmentStore.blockBytes
        guard datagrams[Int(number)].fragments < FragmentStore.mostFragments else { return false }
        while freePieces < wanted, oldest != number { evict() }
        guard freePieces >= wanted else { return false }
        let payload = unsafe fragment.frame.bytes + fragment.network + fragment.headerLength
        var head = FragmentStore.none
        for block in (0..<wanted).reversed() {
            let piece = freePiece
            freePiece = pieces[Int(piece)].rest
            freePieces -= 1
            let start = block * FragmentStore.blockBytes
            unsafe (memory + Int(piece) * FragmentStore.blockBytes).copyMemory(
                from: payload + start,
                byteCount: min(FragmentStore.blockBytes, fragment.count - start))
            pieces[Int(piece)] = FragmentPiece()
            pieces[Int(piece)].rest = head
            head = piece
        }
        pieces[Int(head)].offset = fragment.offset
        pieces[Int(head)].count = fragment.count
        insert(head, in: number, after: previous)
        datagrams[Int(number)].count(fragment)
        if fragment.offset == 0 {
            unsafe header(number, memory).copyMemory(
                from: fragment.frame.bytes, byteCount: fragment.network + fragment.headerLength)
        }
        return true
    }

    private mutating func insert(_ piece: Int32, in number: Int32, after previous: Int32) {
        let last = datagrams[Int(number)].last
        pieces[Int(piece)].beginsRun =
            previous == FragmentStore.none || previous != last
            || pieces[Int(last)].offset + pieces[Int(last)].count != pieces[Int(piece)].offset
        if previous == FragmentStore.none {
            pieces[Int(piece)].next = datagrams[Int(number)].first
            datagrams[Int(number)].first = piece
        } else {
            pieces[Int(piece)].next = pieces[Int(previous)].next
            pieces[Int(previous)].next = piece
        }
        if pieces[Int(piece)].next == FragmentStore.none { datagrams[Int(number)].last = piece }
    }
}
