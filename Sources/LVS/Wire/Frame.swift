/// How far the transport checksum of a frame can be trusted (packet-io: partial checksums).
public enum ChecksumState: UInt8, Sendable {
    /// The field is a complete checksum that nobody has verified.
    case complete = 0
    /// The field holds the uninverted pseudo-header sum; the sender's kernel left the rest undone.
    case partial = 1
    /// Complete, and verified by the card or the kernel.
    case verified = 2
}

/// One frame in a driver's memory, as a burst carries it through the pipeline.
///
/// ```
///      headroom        length                 spare
/// |<------------->|<------------>|<--------------------->|
///                 bytes                                   bytes + capacity
/// ```
/// `bytes` points at the destination MAC address. A stage may move `bytes` back into the headroom
/// (tunnels do) and may change `length` up to `capacity`; the memory belongs to the driver and is
/// borrowed until the burst is released. Marked safe because whoever reads through `bytes` must say
/// `unsafe` there.
@safe
public struct Frame {
    /// The destination MAC address, the frame's first byte.
    public var bytes: UnsafeMutableRawPointer
    /// Bytes of the frame from the destination MAC address on, without frame check sequence.
    public var length: UInt32
    /// Writable bytes from `bytes` on.
    public var capacity: UInt32
    /// Writable bytes before `bytes`.
    public var headroom: UInt16
    /// The port (served interface) the frame came in on.
    public var ingress: PortIndex
    /// Set by the engine.
    public var verdict: Verdict = .pass

    /// What is known of the transport's checksum.
    public var checksum: ChecksumState = .complete
    /// Segmentation kind as the virtio-net header numbers it: 0 none, 1 TCP over IPv4, 4 TCP over
    /// IPv6, 5 UDP; the bit 0x80 says that congestion marks are used.
    public var segmentKind: UInt8 = 0
    /// Payload bytes of each segment of a super-frame, 0 for a plain frame.
    public var segmentSize: UInt16 = 0
    /// Length of all headers of a super-frame, from `bytes` on.
    public var headerLength: UInt16 = 0
    /// Where the sum of a partial checksum begins, counted from `bytes`.
    public var checksumStart: UInt16 = 0
    /// Where the checksum field lies behind `checksumStart`.
    public var checksumOffset: UInt16 = 0
    /// Whether the sender's segment size is unknown: `segmentSize` is the largest it can be, and the
    /// engine may choose a smaller one where the transport does not mind (TCP).
    public var segmentSizeIsOpen = false
    /// Outermost VLAN tag that the kernel took out: protocol identifier << 16 | tag control
    /// information, host order; 0 when there was none.
    public var vlan: UInt32 = 0
    /// Firewall mark; 0 when the driver sees none.
    public var mark: UInt32 = 0
    /// The driver's own cookie for the memory behind the frame.
    public var slot: UInt32 = 0

    /// Whether the checksum is still to be finished.
    @inlinable
    public var isPartial: Bool { if case .partial = checksum { true } else { false } }

    /// A plain frame with a complete checksum, `headroom` clamped to 65,535.
    @inlinable
    public init(
        bytes: UnsafeMutableRawPointer, length: Int, capacity: Int, headroom: Int,
        ingress: PortIndex
    ) {
        unsafe self.bytes = bytes
        self.length = UInt32(length)
        self.capacity = UInt32(capacity)
        self.headroom = UInt16(clamping: headroom)
        self.ingress = ingress
    }
}

/// Number of a port: an interface that the director serves, in the order they were opened.
public typealias PortIndex = UInt16
