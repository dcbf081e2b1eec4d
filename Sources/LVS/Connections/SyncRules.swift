import Synchronization

/// Which packets of a connection have other directors told of it: the settings `sync_*` of a master, and
/// the kernel's rules (ipvs-semantics 9.4).
struct SyncRules {
    /// The first number of `sync_threshold`.
    var packet: UInt32 = 3
    /// The second one; 0 for one telling only.
    var period: UInt32 = 50
    /// Seconds by which the end of a connection must have moved; 0 when that does not count.
    var refreshSeconds: UInt32 = 0
    /// How often a telling is repeated before that.
    var retries: UInt32 = 0
    /// Connections of a template are left out: the template has them led to the same server.
    var isPersistMode = false
    /// Messages have format 0.
    var isVersion0 = false

    /// Whether others are to be told of a connection now that it has had so many packets from the client; if
    /// so, that is noted in its mark.
    func wants(
        _ connection: Connection, packets: UInt32, _ mark: SyncMarks.Mark, now: Instant,
        isOfTemplate: () -> Bool
    ) -> Bool {
        let state = connection.state
        let isTemplate = connection.isTemplate
        var duty = Duty.sometimes
        if !isTemplate {
            if isPersistMode, isOfTemplate() { return false }
            duty = SyncRules.duty(connection.transport, state)
            guard duty != .never else { return false }
            // The mark lies in a line of memory of its own, which most packets do without.
            guard duty == .closing || isDue(packets) else { return false }
        }
        let old = unsafe mark.pointee.load(ordering: .relaxed)
        let end = now.nanoseconds / 1_000_000 &+ UInt64(connection.timeoutSeconds) * 1000
        var repeats: UInt64 = 0
        if duty != .closing || old.state == state {
            if refreshSeconds > 0, old != 0 {
                guard let next = nextRepeat(old, connection, end: end) else { return false }
                repeats = next
            }
            guard isTemplate && period > 0 || isDue(packets) else { return false }
        }
        // A plain store, where the kernel exchanges: two workers at once may both tell, which harms nobody, and
        // none waits until all that it has written of its packets has left the processor.
        // The end is never 0, which says that nothing was told.
        unsafe mark.pointee.store(
            max(1, end) << 16 | repeats << 8 | UInt64(state), ordering: .relaxed)
        return true
    }

    /// Whether a packet of the client changes nothing that others are told of: what most packets do, and cheap
    /// to see, since it all stands in the entry's own line.
    @inline(__always)
    func passOver(_ connection: Connection) -> Bool {
        let packets = connection.inPackets
        guard connection.controller == Connection.noNumber, packets != 1, !isDue(packets) else {
            return false
        }
        switch connection.transport {
        case .tcp: return connection.state == TCPState.established.rawValue
        case .udp: return true
        default: return false
        }
    }

    /// Whether the count of packets has a connection told of now.
    @inline(__always)
    private func isDue(_ packets: UInt32) -> Bool {
        guard period > 0 else { return refreshSeconds > 0 || packets == packet }
        // A division costs as much as the rest of the look, and most connections are short.
        return packets < period ? packets == packet : packets % period == packet
    }

    /// How often the last telling has been repeated if it is repeated now, 0 when the end has moved far
    /// enough; nil for neither.
    private func nextRepeat(_ old: UInt64, _ connection: Connection, end: UInt64) -> UInt64? {
        let timeout = UInt64(connection.timeoutSeconds) * 1000
        let moved = end > old.end ? end - old.end : old.end - end
        let period = UInt64(refreshSeconds) * 1000
        guard moved < min(period, max(timeout / 2, 10_000)) else { return 0 }
        guard old.repeats < retries, end >= old.end &+ period / 8 else { return nil }
        return old.repeats + 1
    }

    private enum Duty {
        case never
        /// When the count of packets says so.
        case sometimes
        /// At once when the state is new, else as above.
        case closing
    }

    private static func duty(_ transport: TransportProtocol, _ state: UInt8) -> Duty {
        switch transport {
        case .tcp:
            switch TCPState(rawValue: state) ?? .none {
            case .established: .sometimes
            case .finWait, .close, .closeWait, .timeWait: .closing
            default: .never
            }
        case .sctp:
            switch SCTPState(rawValue: state) ?? .none {
            case .established: .sometimes
            case .shutdownSent, .shutdownReceived, .shutdownAckSent, .closed: .closing
            default: .never
            }
        default: .sometimes
        }
    }
}

extension UInt64 {
    fileprivate var state: UInt8 { UInt8(truncatingIfNeeded: self) }
    fileprivate var repeats: UInt64 { self >> 8 & 0xff }
    /// Milliseconds.
    fileprivate var end: UInt64 { self >> 16 }
}
