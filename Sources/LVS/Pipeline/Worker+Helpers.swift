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
                if let reason = hear(text, on: connection, path) { return reason }
            } else if let answer = FTP.answer(
                in: text, to: connection.awaitedAnswer, family: connection.client.family)
            {
                let reason = announce(answer, on: connection, &packet, index, &burst, path)
                if let reason { return reason }
            }
        }
        let shift = connection.shift
        guard !shift.isNone else { return nil }
        let isRight = unsafe TCPSequence.apply(
            shift, direction, burst.base + index, packet)
        return isRight ? nil : .malformedHeader
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
        connection.changeShift { $0 = SequenceShift() }
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
        _ text: Payload, on connection: Connection, _ path: FastPath
    ) -> DropReason? {
        switch FTP.request(in: text, family: connection.client.family) {
        case nil: return nil
        case .passive: connection.awaitedAnswer = .passive
        case .extendedPassive: connection.awaitedAnswer = .extendedPassive
        case .active(let address, let port):
            connection.awaitedAnswer = .active
            // The server shall not know of this address, and a client's text is never changed.
            guard !connection.isFullNAT else { return nil }
            let tuple = ConnectionTuple(
                source: address, sourcePort: port, destination: connection.virtual,
                destinationPort: connection.virtualPort &- 1, transport: .tcp)
            let known = path.table.find(tuple, now: path.now)
            if let known, known.direction == .inbound {
                listen(known.connection, path)
            } else if let waiting = path.table.findUnknownPort(tuple, now: path.now) {
                listen(waiting, path)
            } else {
                let made = expect(
                    tuple, at: connection.real, port: connection.realPort &- 1, on: connection,
                    path)
                guard made != nil else { return .tableFull }
            }
        }
        return nil
    }

    /// Makes the connection that a server's answer announces, and puts the virtual address into the
    /// answer.
    private func announce(
        _ answer: FTP.Answer, on connection: Connection, _ packet: inout Packet, _ index: Int,
        _ burst: inout Burst, _ path: FastPath
    ) -> DropReason? {
        let server = answer.address ?? connection.real
        let replies = ConnectionTuple(
            source: server, sourcePort: answer.port, destination: connection.client,
            destinationPort: 0, transport: .tcp)
        let data: Connection
        if let known = path.table.find(replies, now: path.now), known.direction == .outbound {
            data = known.connection
        } else {
            let tuple = ConnectionTuple(
                source: connection.client, sourcePort: 0, destination: connection.virtual,
                destinationPort: answer.port, transport: .tcp)
            guard let made = expect(tuple, at: server, port: answer.port, on: connection, path)
            else { return connection.isFullNAT ? .noLocalPort : .tableFull }
            data = made
        }
        let mode = connection.awaitedAnswer
        let text = FTP.text(mode, address: data.virtual, port: data.virtualPort)
        let sequence = unsafe burst[index].bytes.be32(Int(packet.transportOffset) + 4)
        guard
            let gained = replace(answer.range, by: text, in: &packet, index, &burst)
        else { return .madeFramesUsedUp }
        connection.changeShift { $0.add(gained, at: sequence) }
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
    /// by the method this has now.
    private func expect(
        _ tuple: ConnectionTuple, at real: IPAddress, port: UInt16, on control: Connection,
        _ path: FastPath
    ) -> Connection? {
        let server = path.cells[control.destination]
        var spec = ConnectionSpec(
            tuple: tuple, real: real, realPort: port, method: server.method,
            destination: control.destination)
        if control.isFullNAT {
            spec.method = .masquerading
            spec.local = takeLocal(control.local.address, to: real, path)
            guard spec.local != nil else { return nil }
        }
        spec.hasUnknownPort = spec.clientPort == 0
        spec.state = TCPState.listen.rawValue
        spec.timeoutSeconds = path.machine.tcpTimeoutSeconds(spec.state)
        spec.mark = control.mark
        spec.bindHelper()
        while true {
            spec.controller = path.table.hold(control) ? control.number : Connection.noNumber
            server.bind()
            switch path.table.insert(spec, worker: number, now: path.now) {
            case .inserted(let made): return made
            case .existing(let known):
                server.unbind(active: false)
                guard known.real != real || known.realPort != port else {
                    giveBackLocal(of: spec, path)
                    listen(known, path)
                    return known
                }
                // It leads to another server, and makes room for this one.
                path.table.removeSlot(known, .inbound)
            case .full:
                server.unbind(active: false)
                giveBackLocal(of: spec, path)
                return nil
            }
        }
    }

    /// A port of the local address that hides a control connection's client, for a data connection to
    /// a server; nil when none is left, or the service does not lead to the server.
    private func takeLocal(
        _ address: IPAddress, to real: IPAddress, _ path: FastPath
    ) -> LocalEndpoint? {
        let key = LocalPorts.Key(local: address, real: real, transport: .tcp)
        guard let pool = path.cells.ports.pool(key),
            let port = pool.take(from: parts.settings.localPorts, preferring: 0)
        else { return nil }
        return LocalEndpoint(address: address, port: port)
    }

    /// Undoes `takeLocal` for a connection that was not made.
    private func giveBackLocal(of spec: ConnectionSpec, _ path: FastPath) {
        guard let local = spec.local else { return }
        let key = LocalPorts.Key(local: local.address, real: spec.real, transport: .tcp)
        path.cells.ports.pool(key)?.giveBackUnused(local.port)
    }

    /// Replaces a part of a packet's payload; returns the bytes it gained, nil when there is no memory
    /// for a longer frame.
    private func replace(
        _ range: Range<Int>, by text: ShortText, in packet: inout Packet, _ index: Int,
        _ burst: inout Burst
    ) -> Int? {
        var frame = burst[index]
        let gained = text.count - range.count
        guard Int(packet.ipLength) + gained <= Int(UInt16.max) else { return nil }
        let length = Int(packet.networkOffset) + Int(packet.ipLength)
        if length + gained > Int(frame.capacity) {
            guard
                let made = burst.make(
                    length: length + gained, ingress: frame.ingress, cause: index)
            else { return nil }
            unsafe made.bytes.copyMemory(from: frame.bytes, byteCount: length)
            unsafe frame.bytes = made.bytes
            frame.headroom = made.headroom
            frame.capacity = made.capacity
        }
        unsafe PayloadEdit.replace(range, by: text, in: &frame, packet)
        burst[index] = frame
        packet = Packet(parsing: frame).withoutOptions
        return gained
    }
}
