internal import CPacketIO
internal import LVS
internal import Posix

/// The socket of one queue, and memory for as many packets as a burst takes.
///
/// ```
///  one slot of 67,008 bytes: an odd number of cache lines, so that neighbours do not alias
///  0       256                                            67008
///  | room  | netlink message: attributes | IP packet ...     |
/// ```
/// What stands before the IP packet is read once, and then room for a link header, for tunnels and
/// for the verdict. Safe because every address comes from memory the object owns.
@safe
final class QueueSocket {
    static let slotBytes = 1047 * 64
    /// Room before each message.
    static let reserve = 256
    /// Bytes behind a message that a verdict's padding or an edit may need.
    static let tail = 256
    /// Packets that wait in the kernel before it drops more.
    static let mostWaiting: UInt32 = 8192

    let number: UInt16
    let descriptor: Int32
    let memory: UnsafeMutableRawPointer
    private let batch: OpaquePointer
    private let counts: Int32

    /// Binds the queue in the calling thread's network namespace.
    init(_ number: UInt16) throws(DriverError) {
        self.number = number
        let counts = lvs_nfq_open_counts()
        guard counts >= 0 else {
            throw QueueSocket.failure("queue", number, counts, counts: counts)
        }
        var step: UnsafePointer<CChar>?
        let descriptor = unsafe lvs_nfq_open(number, Self.mostWaiting, &step)
        guard descriptor >= 0 else {
            let name = if let step = unsafe step { unsafe String(cString: step) } else { "open" }
            let failure = QueueSocket.failure(name, number, descriptor, counts: counts)
            afpacket_close(counts)
            throw failure
        }
        self.descriptor = descriptor
        self.counts = counts
        unsafe memory = .allocate(byteCount: Burst.capacity * Self.slotBytes, alignment: 64)
        // Touched now and not with the first packets.
        unsafe memory.initializeMemory(
            as: UInt8.self, repeating: 0, count: Burst.capacity * Self.slotBytes)
        let most = Self.slotBytes - Self.reserve - Self.tail
        guard
            let batch = unsafe lvs_nfq_batch(
                memory + Self.reserve, Self.slotBytes, most, UInt32(Burst.capacity))
        else { preconditionFailure("no memory for message headers") }
        unsafe self.batch = unsafe batch
    }

    deinit {
        lvs_nfq_close(descriptor)
        afpacket_close(counts)
        unsafe lvs_nfq_free_batch(batch)
        unsafe memory.deallocate()
    }

    /// Takes messages that are there into slots from `first` on; how many.
    @inline(__always)
    func receive(from first: Int, _ most: Int) -> Int {
        Int(unsafe lvs_nfq_receive(descriptor, batch, UInt32(first), UInt32(most)))
    }

    /// Where a slot's message begins, and its length.
    @inline(__always)
    func message(_ index: Int) -> (start: UnsafeMutableRawPointer, length: Int) {
        let start = unsafe memory + index * Self.slotBytes + Self.reserve
        return unsafe (start, Int(lvs_nfq_length(batch, UInt32(index))))
    }

    /// Packets that the kernel dropped because the queue or its socket was full.
    var lost: UInt64 {
        var lost: UInt64 = 0
        var owner: UInt32 = 0
        _ = unsafe lvs_nfq_read_counts(counts, number, &lost, &owner)
        return lost
    }

    /// What a failure means to the operator.
    private static func failure(
        _ step: String, _ number: UInt16, _ code: Int32, counts: Int32
    ) -> DriverError {
        let error = SystemError(step, on: String(number), code: -code)
        var lost: UInt64 = 0
        var owner: UInt32 = 0
        let found = unsafe counts < 0 ? 0 : lvs_nfq_read_counts(counts, number, &lost, &owner)
        let isOwned = found == 1
        if isOwned, error.isPermission || error.isInUse {
            return DriverError(
                .system,
                "nfqueue:\(number): another program has this queue (netlink port \(owner)); end it,"
                    + " or take another queue (nfqueue:\(number &+ 1))")
        }
        if error.isPermission {
            return DriverError(
                .missingPrivilege,
                "nfqueue:\(number): binding a queue needs CAP_NET_ADMIN; run as root or grant it"
                    + " (\(error))")
        }
        if [2, 22, 93, 95].contains(error.code) {
            // ENOENT, EINVAL, EPROTONOSUPPORT, EOPNOTSUPP.
            return DriverError(
                .system,
                "nfqueue:\(number): this kernel has no NFQUEUE (modprobe nfnetlink_queue); use"
                    + " afpacket (\(error))")
        }
        return DriverError(.system, "nfqueue:\(number): \(error)")
    }
}
