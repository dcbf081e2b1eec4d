/// The usual case, start to end: a packet of a live connection, forwarded by NAT or direct routing to
/// a known next hop.
///
/// All checks come first and leave by a named exit; nothing is written before the last of them, so
/// whoever takes over begins with an untouched packet and connection.
struct FastPath {
    /// Where a packet goes that the fast path does not finish.
    enum Exit: UInt8 {
        /// Finished: the frame is rewritten and has its verdict.
        case sent = 0
        /// Not a whole TCP or UDP packet over IPv4.
        case notFlow
        /// No entry under the tag, or the wrong one: search in full, then admission.
        case miss
        /// A SYN on a connection: the reuse rules decide.
        case opener
        /// The connection's server was removed.
        case serverGone
        /// TTL, length, tunnel, unknown next hop, local server: the long way decides.
        case special
    }

    let table: ConnectionTable
    let cells: DestinationCells
    let hops: NextHopTable
    let counters: WorkerCounters
    let machine: StateMachine
    let services: ServiceTable
    let now: Instant
    let tick: UInt32
    let isSecureTCP: Bool
    /// Generation of the routes at the beginning of the burst.
    let generation: UInt32

    /// Forwards a packet on the entry that its slot word names.
    @inline(__always)
    func forward(_ frame: UnsafeMutablePointer<Frame>, _ packet: Packet, _ word: UInt64) -> Exit {
        guard packet.kind == .flow, !packet.isIPv6 else { return .notFlow }
        guard word != 0 else { return .miss }
        let connection = table.connection(UInt32(truncatingIfNeeded: word))
        let direction: Direction = word >> 32 & 1 == 0 ? .inbound : .outbound
        let control = connection.control
        guard control.isLive, connection.key(direction) == packet.key,
            !connection.isOverdue(tick: tick), control.destination != Destination.none
        else { return .miss }
        let hop: NextHop
        if direction == .inbound {
            guard !packet.isOpener else { return .opener }
            let destination = cells[control.destination]
            guard destination.isAvailable else { return .serverGone }
            let number = destination.nextHop
            guard number < NextHopTable.slots else { return .special }
            hop = hops[NextHopIndex(truncatingIfNeeded: number)]
        } else {
            // Two connections with this key: the search in full knows which is the newer one.
            guard !control.isDuplicate else { return .miss }
            let stored = connection.clientHop
            guard stored >> 16 == generation else { return .special }
            hop = hops[NextHopIndex(truncatingIfNeeded: stored)]
        }
        let way = hop.word
        let method = connection.method
        guard way.isResolved, packet.timeToLive > 1, packet.ipLength <= hop.mtu,
            method == .masquerading || method == .directRouting
        else { return .special }

        advance(connection, control, packet, direction)
        let bytes = unsafe frame.pointee.bytes
        if method == .masquerading {
            unsafe NAT.rewrite(frame, packet, connection, direction, timeToLive: 1)
        } else {
            unsafe DirectRouting.rewrite(bytes, packet)
        }
        unsafe hop.writeHardware(way, bytes)
        unsafe frame.pointee.verdict = .send(way.port)
        return .sent
    }

    /// Counts a packet, moves the connection's state on and restarts its timer (ipvs-semantics 0.2
    /// step 7, 0.3 step 4).
    @inline(__always)
    func advance(
        _ connection: Connection, _ control: ConnectionControl, _ packet: Packet,
        _ direction: Direction
    ) {
        let bytes = UInt64(packet.ipLength)
        if direction == .inbound {
            connection.countInPacket()
            counters.countIn(control.destination, bytes: bytes)
        } else if cells[control.destination].isAvailable {
            counters.countOut(control.destination, bytes: bytes)
        }
        connection.touch(tick)
        guard packet.protocolNumber == 6 else {
            connection.setTimeout(machine.udpTimeoutSeconds)
            return
        }
        let new = machine.nextTCP(
            control, flags: packet.tcpFlags, direction: direction, secure: isSecureTCP)
        if new != control { change(connection, control, new, packet, direction) }
        connection.setTimeout(machine.tcpTimeoutSeconds(new.state))
    }

    /// Changes the state; whoever wins the exchange moves the counts of the destination.
    @inline(never)
    private func change(
        _ connection: Connection, _ control: ConnectionControl, _ target: ConnectionControl,
        _ packet: Packet, _ direction: Direction
    ) {
        var old = control
        var new = target
        while !connection.exchange(old, for: new) {
            old = connection.control
            guard old.isLive else { return }
            new = machine.nextTCP(
                old, flags: packet.tcpFlags, direction: direction, secure: isSecureTCP)
            if new == old { return }
        }
        guard old.isInactive != new.isInactive, new.destination != Destination.none else { return }
        let destination = cells[new.destination]
        if new.isInactive { destination.becameInactive() } else { destination.becameActive() }
    }
}
