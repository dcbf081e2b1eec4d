import Synchronization

/// What all workers of a director know together of packets that may come to any of them: fragments
/// that wait, how many ICMP errors may leave, and path MTUs to real servers.
///
/// A lock is taken for such packets alone, never for one of a flow.
package final class WorkerCommons: Sendable {
    private let fragments = Mutex(FragmentStore())
    /// When the datagram that waits longest is given up, nanoseconds; the end of time for none.
    private let patience = Atomic<UInt64>(.max)
    private let limiter = Mutex(ICMPRateLimiter())
    private let pathMTUs = Mutex(PathMTUs())
    private let hasPathMTUs = Atomic<Bool>(false)

    package init() {}

    // MARK: Fragments

    /// Takes a fragment, which is copied; a datagram that it completes is put together in
    /// `reassembly`.
    ///
    /// Says how many datagrams gave way to it. The caller has verified the header's checksum.
    func take(
        _ packet: Packet, _ frame: Frame, into reassembly: inout Reassembly, now: Instant
    ) -> (outcome: FragmentStore.Outcome, evicted: Int) {
        fragments.withLock { store in
            let outcome = store.take(packet, frame, into: &reassembly, now: now)
            patience.store(store.patienceEnds, ordering: .relaxed)
            return (outcome, store.takeEvicted())
        }
    }

    /// Whether a datagram has waited too long.
    @inline(__always)
    func hasExpired(_ now: Instant) -> Bool {
        patience.load(ordering: .relaxed) <= now.nanoseconds
    }

    /// Gives up on the datagram that has waited longest, if that was too long; its first fragment,
    /// should that be there, is put into `reassembly`.
    func nextExpired(
        into reassembly: inout Reassembly, now: Instant
    ) -> FragmentStore.Expired? {
        guard hasExpired(now) else { return nil }
        return fragments.withLock { store in
            let expired = store.nextExpired(into: &reassembly, now: now)
            patience.store(store.patienceEnds, ordering: .relaxed)
            return expired
        }
    }

    // MARK: ICMP errors

    /// True when this client may get the error now, which then counts.
    func allows(
        _ error: ICMPError, to client: IPAddress, by routeBits: UInt8,
        _ rate: ICMPRateLimiter.Rate, now: Instant
    ) -> Bool {
        limiter.withLock { $0.allows(error, to: client, by: routeBits, rate, now: now) }
    }

    // MARK: Path MTUs

    /// The longest packet that may be sent to a server now (`PathMTUs.use`).
    func pathMTU(to server: IPAddress, width: UInt32, now: Instant) -> UInt32 {
        guard hasPathMTUs.load(ordering: .relaxed) else { return width }
        return pathMTUs.withLock { $0.use(server, width: width, now: now) }
    }

    /// Takes over what another director knows.
    func takePathMTUs(of other: WorkerCommons) {
        guard other.hasPathMTUs.load(ordering: .relaxed) else { return }
        let known = other.pathMTUs.withLock { $0 }
        pathMTUs.withLock { $0 = known }
        hasPathMTUs.store(true, ordering: .relaxed)
    }

    /// Takes over what a router has told (`PathMTUs.learn`).
    func learn(_ mtu: UInt32, to server: IPAddress, width: UInt32, now: Instant) -> UInt32 {
        hasPathMTUs.store(true, ordering: .relaxed)
        return pathMTUs.withLock { $0.learn(mtu, to: server, width: width, now: now) }
    }
}

/// Identifications that one worker gives to packets that may be fragmented on their way.
///
/// Workers count in steps, so that no two give the same one at a time: two packets between the same
/// addresses must differ (RFC 6864 section 4).
struct Identifications {
    private(set) var next: UInt16
    private let step: UInt16

    /// A step of a power of two keeps the workers apart when the count wraps.
    init(worker: Int, of workers: Int) {
        next = UInt16(truncatingIfNeeded: worker + 1)
        step =
            UInt16(1)
            << UInt16(max(0, workers - 1).bitWidth - max(0, workers - 1).leadingZeroBitCount)
    }

    mutating func take() -> UInt16 {
        defer { next &+= step }
        return next
    }
}
