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
        /// A live connection, but something is out of the ordinary: a SYN, a removed server, a
        /// second connection with the same reply tuple, routes that changed, an unknown or local
        /// next hop, TTL, length, tunnel. The long way decides.
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
    ///
    /// Both directions take the same instructions: which one a packet has cannot be predicted, and
    /// a wrong guess costs as much as the rest of the work.
    @inline(__always)
    func forward(_ pending: UnsafeMutablePointer<Worker.Pending>) -> Exit {
        // Read where it stands, part by part: registers are few.
        var packet: Packet { @inline(__always) get { unsafe pending.pointee.packet } }
        guard packet.isPlain else { return .notFlow }
        let frame = unsafe pending.pointee.frame
        let word = unsafe pending.pointee.word
        let connection = table.connection(UInt32(truncatingIfNeeded: word))
        let side = Int(truncatingIfNeeded: word >> 32 & 1)
        let control = connection.control
        guard word != 0, control.isLive, connection.key(side: side) == packet.key,
            !connection.isOverdue(tick: tick), control.destination != Destination.none
        else { return .miss }
        let destination = cells[control.destination]
        let stored = connection.clientHop
        let outbound: UInt32 = 0 &- UInt32(truncatingIfNeeded: side)
        let number = UInt32(destination.nextHop) & ~outbound | stored & outbound
        let gone = destination.availability ^ 1
        let outdated = (stored >> 16 ^ generation) & outbound
        let odd = UInt32(packet.tcpFlags & 2) | control.rawValue & ConnectionControl.duplicate
        let bytes = unsafe packet.bytes
        guard odd | gone | outdated == 0, unsafe Checksum.isHeaderRight(bytes + 14) else {
            return .special
        }
        let hop = hops[NextHopIndex(truncatingIfNeeded: number)]
        let way = hop.word
        // Connections with extension lines have traits, too, and take the long way.
        let method = connection.methodAndTraits
        guard way.isResolved, packet.timeToLive > 1, packet.ipLength <= hop.mtu,
            method == ForwardingMethod.masquerading.rawValue
                || method == ForwardingMethod.directRouting.rawValue
        else { return .special }

        advance(connection, control, packet, side: side, isCounted: true)
        if method == ForwardingMethod.masquerading.rawValue {
            unsafe NAT.rewritePlain(
                frame, packet, connection, side: side, timeToLive: 1, network: 14, transport: 34)
        } else {
            unsafe DirectRouting.rewritePlain(bytes, packet)
        }
        unsafe hop.writeHardware(way, bytes)
        unsafe frame.pointee.verdict = .send(way.port)
        return .sent
    }

    /// Counts a packet, moves the connection's state on and restarts its timer (ipvs-semantics 0.2
    /// step 7, 0.3 step 4).
    @inline(__always)
    func advance(
        _ connection: Connection, _ control: ConnectionControl, _ packet: Packet, side: Int,
        isCounted: Bool
    ) {
        connection.countInPackets(UInt32(truncatingIfNeeded: side ^ 1))
        counters.count(
            control.destination, side: side, packets: isCounted ? 1 : 0,
            bytes: UInt64(packet.ipLength))
        connection.touch(tick)
        guard packet.protocolNumber == 6 else {
            connection.setTimeout(machine.udpTimeoutSeconds)
            return
        }
        // ESTABLISHED stays so with every plain ACK, whichever way and under every table.
        if packet.tcpFlags & TCPEvent.deciding == TCPEvent.acknowledgement,
            control.rawValue & (0xff | ConnectionControl.noOutput)
                == UInt32(TCPState.established.rawValue)
        {
            connection.setTimeout(machine.tcpTimeoutSeconds(TCPState.established.rawValue))
            return
        }
        let new = machine.nextTCP(
            control, flags: packet.tcpFlags, side: side, secure: isSecureTCP)
        if new != control { change(connection, control, new, packet.tcpFlags, side) }
        connection.setTimeout(machine.tcpTimeoutSeconds(new.state))
    }

    /// Changes the state; whoever wins the exchange moves the counts of the destination.
    @inline(never)
    private func change(
        _ connection: Connection, _ control: ConnectionControl, _ target: ConnectionControl,
        _ flags: UInt8, _ side: Int
    ) {
        var old = control
        var new = target.afterReset(from: old)
        while !connection.exchange(old, for: new) {
            old = connection.control
            guard old.isLive else { return }
            new = machine.nextTCP(old, flags: flags, side: side, secure: isSecureTCP)
                .afterReset(from: old)
            if new == old { return }
        }
        if new.state == TCPState.established.rawValue {
            table.assureTemplate(connection.controller)
        }
        cells.moveCounts(from: old, to: new)
    }
}

extension ConnectionControl {
    /// This state, where a reset has led to it; one in the middle of closing is noted with FULLNAT.
    ///
    /// A client resets what a server says twice at the end, and the server takes no notice (RFC 1337):
    /// it waits its minute, and would refuse another client whose connection got the local port so soon.
    fileprivate func afterReset(from old: ConnectionControl) -> ConnectionControl {
        guard state == TCPState.close.rawValue, isFullNAT,
            let before = TCPState(rawValue: old.state)
        else { return self }
        switch before {
        case .finWait, .timeWait, .closeWait, .lastAck:
            return ConnectionControl(rawValue: rawValue | ConnectionControl.resetWhileClosing)
        default: return self
        }
    }
}
