// What the long way does with packets where the fast path does it for TCP and UDP.

extension FastPath {
    /// Counts a packet, moves the connection's state on and restarts its timer, whatever its transport
    /// (ipvs-semantics 0.2 step 7, 0.3 step 4).
    func advance(_ connection: Connection, _ packet: Packet, _ direction: Direction) {
        let control = connection.control
        let side = Int(direction.rawValue)
        let isCounted = isCounted(control)
        switch packet.transport {
        case .tcp: break
        case .udp:
            // The first reply of a connection always comes this way: its next hop is not known yet.
            if direction == .outbound { table.assureTemplate(connection.controller) }
        default:
            count(connection, control, packet, side: side, isCounted: isCounted)
            if packet.transport == .sctp, let event = packet.sctpEvent {
                advanceSCTP(connection, control, event, direction)
            }
            return
        }
        advance(connection, control, packet, side: side, isCounted: isCounted)
    }

    /// Counts a packet of the client whose transport header is cut short, and so moves no state on.
    func count(_ connection: Connection, _ packet: Packet) {
        let control = connection.control
        count(
            connection, control, packet, side: 0, isCounted: isCounted(control))
    }

    /// False once the server is gone, and for connections that have none.
    private func isCounted(_ control: ConnectionControl) -> Bool {
        control.destination != Destination.none && cells[control.destination].isAvailable
    }

    private func count(
        _ connection: Connection, _ control: ConnectionControl, _ packet: Packet, side: Int,
        isCounted: Bool
    ) {
        connection.countInPackets(UInt32(truncatingIfNeeded: side ^ 1))
        counters.count(
            control.destination, side: side, packets: isCounted ? 1 : 0,
            bytes: UInt64(packet.ipLength))
        connection.touch(tick)
    }

    /// Changes the state of an SCTP connection; whoever wins the exchange moves the counts.
    private func advanceSCTP(
        _ connection: Connection, _ control: ConnectionControl, _ event: SCTPEvent,
        _ direction: Direction
    ) {
        var old = control
        var new = machine.nextSCTP(old, event, direction)
        while new != old, !connection.exchange(old, for: new) {
            old = connection.control
            guard old.isLive else { return }
            new = machine.nextSCTP(old, event, direction)
        }
        if old.state != new.state {
            if new.state == SCTPState.established.rawValue {
                table.assureTemplate(connection.controller)
            }
            cells.moveCounts(from: old, to: new)
        }
        connection.setTimeout(machine.sctpTimeoutSeconds(new.state))
    }
}
