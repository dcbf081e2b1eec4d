// Packets of connections that a helper looks at (ipvs-semantics, appendix A), and the connections it
// makes for what it has read.

extension Worker {
    /// Reads a packet of a control connection, changes its text and its sequence numbers; returns why
    /// the packet is to be dropped instead.
    ///
    /// Does nothing for packets that no helper looks at. The packet is the parsed one of the frame
    /// afterwards, whatever became of that.
    func help(
        _ connection: Connection, _ direction: Direction, _ packet: inout Packet, _ index: Int,
        _ burst: inout Burst, _ path: FastPath
    ) -> DropReason? {
        guard connection.hasHelper, packet.kind == .flow else { return nil }
        connection.noteEnding(packet, direction)
        let frame = burst[index]
        // Whoever changes a packet must not make a wrong checksum right.
        guard
            unsafe frame.checksum != .complete
                || Checksum.isTransportRight(
                    frame.bytes + Int(packet.transportOffset),
                    length: Int(packet.ipLength) - packet.networkHeaderLength,
                    network: frame.bytes + Int(packet.networkOffset),
                    transport: packet.protocolNumber)
        else { return .wrongChecksum }
        if connection.state == TCPState.established.rawValue, let text = packet.payload {
            if direction == .inbound {
                let reason = hear(text, on: connection, &packet, index, &burst, path)
                if let reason { return reason }
            } else if let answer = FTP.answer(
                in: text, to: connection.awaitedAnswer, family: connection.client.family)
            {
                let reason = announce(answer, on: connection, &packet, index, &burst, path)
                if let reason { return reason }
            }
        }
        let isRight =
            carry(.outbound, of: connection, direction, packet, index, &burst)
            && carry(.inbound, of: connection, direction, packet, index, &burst)
        return isRight ? nil : .malformedHeader
    }

    /// Carries the shift of one side's numbers over to a packet; false when its options do not add up.
    private func carry(
        _ sender: Direction, of connection: Connection, _ direction: Direction, _ packet: Packet,
        _ index: Int, _ burst: inout Burst
    ) -> Bool {
        let shift = connection.shift(of: sender)
        return unsafe shift.isNone
            || TCPSequence.apply(shift, of: sender, direction, burst.base + index, packet)
    }

    /// True for control connections of a helper, and for what hangs on them.
    func isHelped(_ connection: Connection, _ path: FastPath) -> Bool {
        guard !connection.hasHelper else { return true }
        let controller = connection.controller
        return controller != Connection.noNumber && path.table.connection(controller).hasHelper
    }

    /// A connection that is opened again after its end begins with the numbers as they come.
    func forgetShift(of connection: Connection) {
        let state = TCPState(rawValue: connection.state)
        guard connection.hasHelper, state == .timeWait || state == .close else { return }
        connection.changeShift(of: .outbound) { $0 = SequenceShift() }
        connection.changeShift(of: .inbound) { $0 = SequenceShift() }
    }

    /// Drops a reply that a helper has made longer than the way is wide.
    ///
    /// Its server is told, as by a kernel director: the host tells the virtual address, which the
    /// packet seems to come from, and that error is treated like one from the client's side.
    func refuseGrown(
        _ packet: Packet, _ mtu: UInt32, on connection: Connection, _ index: Int,
        _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        guard packet.isIPv4, !connection.translatesFamily else { return .drop(.tooLongForRoute) }
        var frame = burst[index]
        unsafe Offload.complete(&frame, packet)
        unsafe NAT.rewrite(
            &frame, packet, connection, side: Int(Direction.outbound.rawValue), timeToLive: 1)
        // Kernels leave the checksum of what they have changed to the card, and quote it like that.
        let network = unsafe frame.bytes + Int(packet.networkOffset)
        let length = Int(packet.ipLength) - packet.networkHeaderLength
        unsafe (network + packet.networkHeaderLength).set(
            16,
            le16: Checksum.pseudoHeader(
                network, transport: packet.protocolNumber, length: length))
        let quote = unsafe ICMPErrors.Quote(
            packet: frame.bytes + Int(packet.networkOffset), count: Int(packet.ipLength))
        guard
            var error = errors.make(
                .fragmentationNeeded(mtu: UInt16(clamping: mtu)), to: connection.virtual,
                quoting: quote, from: connection.virtual, cause: index, burst: &burst,
                now: path.now)
        else { return .drop(.tooLongForRoute) }
        tally.countMade()
        tally.countDrop(.tooLongForRoute)
        // Its link header is nobody's yet, and what is parsed must not look like sent to a group.
        unsafe error.bytes.copyMemory(from: frame.bytes, byteCount: 12)
        error.ingress = frame.ingress
        error.slot = frame.slot
        burst[index] = error
        return depart(connection, .inbound, Packet(parsing: error), index, &burst, path)
    }

    /// Takes note of what a client asks for; active mode gets its connection at once.
    private func hear(
        _ text: Payload, on connection: Connection, _ packet: inout Packet, _ index: Int,
        _ burst: inout Burst, _ path: FastPath
    ) -> DropReason? {
        switch FTP.request(in: text, family: connection.client.family) {
        case nil: return nil
        case .passive: connection.awaitedAnswer = .passive
        case .extendedPassive: connection.awaitedAnswer = .extendedPassive
        case .active(let address, let port, let range):
            connection.awaitedAnswer = .active
            let tuple = ConnectionTuple(
                source: address, sourcePort: port, destination: connection.virtual,
                destinationPort: connection.virtualPort &- 1, transport: .tcp)
            let known = path.table.find(tuple, now: path.now)
            let data: Connection
            if let known, known.direction == .inbound {
                data = known.connection
            } else if !connection.isFullNAT,
                let waiting = path.table.findUnknownPort(tuple, now: path.now)
            {
                data = waiting
            } else {
                let local = takeLocal(for: connection, preferring: port, path)
                guard local != nil || !connection.isFullNAT else { return .noLocalPort }
                guard
                    let made = expect(
                        tuple, at: connection.real, port: connection.realPort &- 1, by: local,
                        on: connection, path)
                else { return .tableFull }
                data = made
            }
            listen(data, path)
            guard connection.isFullNAT else { return nil }
            return rename(data, in: text, range, on: connection, &packet, index, &burst)
        }
        return nil
    }

    /// Tells a server with FULLNAT to open its data connection to the local address and port.
    private func rename(
        _ data: Connection, in text: Payload, _ range: Range<Int>, on connection: Connection,
        _ packet: inout Packet, _ index: Int, _ burst: inout Burst
    ) -> DropReason? {
        let local = data.local
        let request = FTP.request(like: text, address: local.address, port: local.port)
        let sequence = unsafe burst[index].bytes.be32(Int(packet.transportOffset) + 4)
        guard let gained = replace(range, by: request, in: &packet, index, &burst) else {
            return .madeFramesUsedUp
        }
        connection.changeShift(of: .inbound) { $0.add(gained, at: sequence) }
        return nil
    }

    /// A port of the control connection's own local address for a data connection; nil without
    /// FULLNAT, and when none is left.
    func takeLocal(
        for control: Connection, preferring port: UInt16, _ path: FastPath
    ) -> LocalEndpoint? {
        guard control.isFullNAT else { return nil }
        let address = control.local.address
        let key = LocalPorts.Key(local: address, real: control.real, transport: .tcp)
        return path.cells.ports.pool(key)?
            .take(from: parts.settings.localPorts, preferring: port)
            .map { LocalEndpoint(address: address, port: $0) }
    }

    /// Makes the connection that a server's answer announces, and puts the virtual address into the
    /// answer.
    private func announce(
        _ answer: FTP.Answer, on connection: Connection, _ packet: inout Packet, _ index: Int,
        _ burst: inout Burst, _ path: FastPath
    ) -> DropReason? {
        let server = answer.address ?? connection.real
        let replies = ConnectionTuple(
            source: server, sourcePort: answer.port, destination: connection.replyDestination,
            destinationPort: 0, transport: .tcp)
        let data: Connection
        if let known = path.table.find(replies, now: path.now), known.direction == .outbound {
            data = known.connection
        } else {
            let tuple = ConnectionTuple(
                source: connection.client, sourcePort: 0, destination: connection.virtual,
                destinationPort: answer.port, transport: .tcp)
            // Its local port is taken when the client's is known.
            let local =
                connection.isFullNAT
                ? LocalEndpoint(address: connection.local.address, port: 0) : nil
            guard
                let made = expect(
                    tuple, at: server, port: answer.port, by: local, on: connection, path)
            else { return .tableFull }
            data = made
        }
        let mode = connection.awaitedAnswer
        let text = FTP.text(mode, address: data.virtual, port: data.virtualPort)
        let sequence = unsafe burst[index].bytes.be32(Int(packet.transportOffset) + 4)
        guard
            let gained = replace(answer.range, by: text, in: &packet, index, &burst)
        else { return .madeFramesUsedUp }
        connection.changeShift(of: .outbound) { $0.add(gained, at: sequence) }
        connection.awaitedAnswer = .active
        listen(data, path)
        return nil
    }

    /// Puts a data connection into the state in which it waits for its opener.
    private func listen(_ data: Connection, _ path: FastPath) {
        let seconds = path.machine.tcpTimeoutSeconds(TCPState.listen.rawValue)
        data.enter(.listen, timeoutSeconds: seconds, now: path.now)
    }

    /// Makes a data connection that hangs on its control connection; nil when the table is full.
    ///
    /// A client's port of 0 is one not known yet. It goes to the control connection's destination,
    /// by the method this has now, unless the control connection has a local address.
    private func expect(
        _ tuple: ConnectionTuple, at real: IPAddress, port: UInt16, by local: LocalEndpoint?,
        on control: Connection, _ path: FastPath
    ) -> Connection? {
        let server = path.cells[control.destination]
        var spec = ConnectionSpec(
            tuple: tuple, real: real, realPort: port,
            method: local == nil && server.method != .fullNAT ? server.method : .masquerading,
            destination: control.destination)
        spec.local = local
        spec.hasUnknownPort = spec.clientPort == 0
        spec.state = TCPState.listen.rawValue
        spec.timeoutSeconds = path.machine.tcpTimeoutSeconds(spec.state)
        spec.mark = control.mark
        spec.bindHelper()
        while true {
            spec.controller = path.table.hold(control) ? control.number : Connection.noNumber
            server.bind()
            switch path.table.insert(spec, worker: number, now: path.now) {
            case .inserted(let made):
                listener?.note(.expected(ConnectionListing(made, now: path.now)))
                return made
            case .existing(let known):
                server.unbind(active: false)
                path.cells.ports.giveBackUnused(spec)
                guard known.real != real || known.realPort != port else {
                    listen(known, path)
                    return known
                }
                // It leads to another server, and makes room for this one.
                path.table.removeSlot(known, .inbound)
            case .full:
                server.unbind(active: false)
                path.cells.ports.giveBackUnused(spec)
                return nil
            }
        }
    }

    /// Replaces a part of a packet's payload; returns the bytes it gained, nil when there is no memory
    /// for a longer frame.
    func replace(
        _ range: Range<Int>, by text: ShortText, in packet: inout Packet, _ index: Int,
        _ burst: inout Burst
    ) -> Int? {
        var frame = burst[index]
        let gained = text.count - range.count
        guard Int(packet.ipLength) + gained <= Int(UInt16.max) else { return nil }
        let length = Int(packet.networkOffset) + Int(packet.ipLength)
        if length + gained > Int(frame.capacity) {
            guard let copy = copy(frame, packet, room: gained, index, &burst) else { return nil }
            frame = copy
        }
        unsafe PayloadEdit.replace(range, by: text, in: &frame, packet)
        burst[index] = frame
        packet = Packet(parsing: frame).withoutOptions
        listener?.note(.replacedText(gainedBytes: gained))
        return gained
    }

    /// The frame in memory of the burst, with room for more bytes and for longer headers; nil when there
    /// is none.
    func copy(
        _ frame: Frame, _ packet: Packet, room: Int, _ index: Int, _ burst: inout Burst
    ) -> Frame? {
        let length = Int(packet.networkOffset) + Int(packet.ipLength)
        guard
            let made = burst.make(length: length + room, ingress: frame.ingress, cause: index)
        else { return nil }
        var frame = frame
        unsafe made.bytes.copyMemory(from: frame.bytes, byteCount: length)
        unsafe frame.bytes = made.bytes
        frame.headroom = made.headroom
        frame.capacity = made.capacity
        return frame
    }
}
