/// Where one worker puts datagrams together, and what it knows of the last one's fragments.
@safe
struct Reassembly: ~Copyable {
    /// The datagram, or the first fragment of one that was given up, behind a link header; good until
    /// the next one.
    private(set) var frame: Frame?
    /// Payload bytes of each fragment of the last whole datagram, and the length of the longest with
    /// its header; of no meaning but for that datagram.
    var sizes: [UInt16] = []
    var longest = 0
    /// Bytes that stood before the fragment header in its first fragment of IPv6.
    var unfragmentableLength = 0
    private var memory: UnsafeMutableRawPointer?

    init() { unsafe memory = nil }

    deinit { unsafe memory?.deallocate() }

    /// Where the frame begins; its memory is taken with the first datagram.
    mutating func start() -> UnsafeMutableRawPointer {
        if let memory = unsafe memory { return unsafe memory + FragmentStore.headroom }
        let bytes = FragmentStore.headroom + FragmentStore.wholeBytes
        let all = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        unsafe memory = all
        sizes.reserveCapacity(FragmentStore.mostFragments)
        return unsafe all + FragmentStore.headroom
    }

    /// Says what `start` holds now: the headers of a datagram and so many bytes behind them.
    mutating func finish(_ datagram: FragmentedDatagram, count: Int) {
        var frame = unsafe Frame(
            bytes: start(), length: datagram.link + datagram.headerLength + count,
            capacity: FragmentStore.wholeBytes, headroom: FragmentStore.headroom,
            ingress: datagram.ingress)
        frame.vlan = datagram.vlan
        frame.mark = datagram.mark
        self.frame = frame
    }
}
