// What leaves the fast path: look-ups in full, admission, refusals, and the long way of forwarding.

extension Worker {
    /// Takes a packet over from the fast path, which has changed nothing, and decides its verdict.
    @inline(never)
    func leave(
        _ exit: FastPath.Exit, _ packet: Packet, _ index: Int, _ burst: inout Burst,
        _ path: FastPath
    ) -> Verdict {
        switch exit {
        case .sent: .consumed
        case .notFlow: classify(packet, index, &burst, path)
        case .miss, .special: lookUp(packet, index, &burst, path)
        }
    }

    /// On a backup (`backup_only`) requests are the host's; replies are translated as ever
    /// (ipvs-semantics 0.1).
    func passRequests(_ burst: inout Burst, _ count: Int, _ path: FastPath) {
        for index in 0..<count { passRequest(index, &burst, path) }
        tally.countFrames(received: UInt64(count), sent: 0)
    }

    func passRequest(_ index: Int, _ burst: inout Burst, _ path: FastPath) {
        let packet = Packet(parsing: burst[index])
        let destination = packet.destination
        let isRequest =
            path.services.isServiceAddress(nil, destination)
            || path.services.isHostsAlone(destination)
        if isRequest { listener?.note(.notScheduled(.backup)) }
        var verdict =
            isRequest ? path.services.pass(packet) : classify(packet, index, &burst, path)
        if verdict.kind == .pass { verdict = leaveToHost(verdict, index, &burst, path) }
        burst[index].verdict = verdict
        tally.count(verdict)
    }

    /// A flow packet from its look-up on, with every rule (ipvs-semantics 0.2 steps 3 to 7).
    func lookUp(
        _ packet: Packet, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        // The fast path leaves a wrong header checksum as wrong as it came; whoever builds on the
        // header here must not make it right.
        guard unsafe packet.hasRightHeaderChecksum(burst[index].bytes) else {
            return .drop(.malformedHeader)
        }
        let match = path.table.find(packet.tuple, now: path.now)
        note(.packet, packet.tuple, match, path)
        if let match, match.direction == .outbound {
            guard match.connection.method != .bypass else {
                // An answer to what was bypassed: the host's to forward, but the state moves on.
                move(match.connection, .outbound) {
                    path.advance(match.connection, packet, .outbound)
                }
                return path.services.pass(packet)
            }
            return depart(match.connection, .outbound, packet, index, &burst, path)
        }
        guard let connection = match?.connection ?? findUnknownPort(packet, path) else {
            return admit(packet, index, &burst, path)
        }
        if packet.isOpener {
            if admission.reschedules(connection), !connection.isTrackedOn {
                noteReuse(of: connection, .scheduledAnew, path)
                // While others hang on it, it only makes room for the new one.
                if !admission.expire(connection) { path.table.removeSlot(connection, .inbound) }
                return admit(packet, index, &burst, path)
            }
            if connection.isTrackedOn, admission.reschedules(connection),
                admission.expire(connection)
            {
                noteReuse(of: connection, .openedAgain, path)
                return .drop(.openedAgain)
            }
            forgetShift(of: connection)
        }
        return departToServer(connection, packet, index, &burst, path)
    }

    /// The connection that waits for a packet whose client's port is not known yet.
    private func findUnknownPort(_ packet: Packet, _ path: FastPath) -> Connection? {
        guard let found = path.table.findUnknownPort(packet.tuple, now: path.now) else {
            return nil
        }
        listener?.note(
            .lookedUp(
                LookUp(
                    subject: .unknownPort, flow: Flow(packet.tuple),
                    found: ConnectionListing(found, now: path.now))))
        return found
    }

    private func noteReuse(of connection: Connection, _ reuse: Step.Reuse, _ path: FastPath) {
        listener?.note(.reused(ConnectionListing(connection, now: path.now), reuse))
    }

    private func departToServer(
        _ connection: Connection, _ packet: Packet, _ index: Int, _ burst: inout Burst,
        _ path: FastPath
    ) -> Verdict {
        let number = connection.destination
        let isServed =
            number == Destination.none
            ? connection.goesWithoutDestination : path.cells[number].isAvailable
        guard isServed else {
            guard parts.settings.expiresConnectionsWithoutDestination else {
                noteReuse(of: connection, .serverGone, path)
                return .drop(.serverGone)
            }
            noteReuse(of: connection, .expired, path)
            _ = admission.expire(connection)
            // Connection tracking knows the packet of old, and then IPVS lets the client repeat it.
            if isHelped(connection, path) { return .drop(.serverGone) }
            return admit(packet, index, &burst, path)
        }
        guard connection.hasUnknownPort, connection.method == .masquerading else {
            return depart(connection, .inbound, packet, index, &burst, path)
        }
        let local = takeLocal(for: connection, preferring: packet.sourcePort, path)
        guard local != nil || !connection.isFullNAT else { return .drop(.noLocalPort) }
        guard
            let known = path.table.learnPort(
                packet.sourcePort, by: local, of: connection, worker: self.number, now: path.now,
                release: path.cells.release)
        else {
            if let local {
                path.cells.ports.giveBackUnused(
                    local, to: connection.real, connection.transport)
            }
            return admit(packet, index, &burst, path)
        }
        return depart(known, .inbound, packet, index, &burst, path)
    }

    /// A packet without a connection.
    func admit(
        _ packet: Packet, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        let mark = path.services.mark(of: packet, in: burst[index], telling: listener)
        switch admission.admit(packet, mark: mark, services: path.services, now: path.now) {
        case .connection(let connection):
            return depart(connection, .inbound, packet, index, &burst, path)
        case .once(let connection):
            let verdict = depart(connection, .inbound, packet, index, &burst, path)
            admission.end(once: connection)
            return verdict
        case .outgoing(let connection, let isOnce):
            let verdict = depart(connection, .outbound, packet, index, &burst, path)
            if isOnce { admission.end(once: connection) }
            return verdict
        case .verdict(let verdict): return verdict
        case .refused(let reason, let error):
            if reason == .unknownReply {
                refuseReply(error, packet, index, &burst, path)
            } else if let own = ownName(packet, path) {
                tell(error, from: own, packet, index, &burst, path)
            }
            return .drop(reason)
        }
    }

    /// Tells a real server that nobody waits for its reply: from the director's own address, and
    /// with the TTL as forwarding would have left it (ipvs-semantics 0.3 step 6).
    private func refuseReply(
        _ error: ICMPError, _ packet: Packet, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) {
        guard let own = ownAddress(towards: packet.source, path) else { return }
        // Forwarding refuses it before IPVS sees it.
        guard packet.timeToLive > 1 else {
            return tell(.timeExceeded, from: own, packet, index, &burst, path)
        }
        unsafe DirectRouting.rewrite(burst[index].bytes, packet)
        tell(error, from: own, packet, index, &burst, path)
    }

    /// In whose name a client is told that there is no server: that of the address it asked, but with
    /// IPv6 the director's own when that is its by a mark alone.
    private func ownName(_ packet: Packet, _ path: FastPath) -> IPAddress? {
        let asked = packet.destination
        guard packet.isIPv6, !path.services.isHost(asked),
            path.services.find(mark: 0, packet.transport, asked, port: packet.destinationPort)
                == nil
        else { return asked }
        return ownAddress(towards: packet.source, path)
    }

    // MARK: Made frames

    /// Sends the packet's sender an ICMP error; `from` is its source address.
    ///
    /// Errors about packets of a connection that is not NAT count as its replies: they look like
    /// ones when they leave (ipvs-semantics 8.1).
    func tell(
        _ error: ICMPError, from source: IPAddress, _ packet: Packet, _ index: Int,
        _ burst: inout Burst, _ path: FastPath, on connection: Connection? = nil
    ) {
        let frame = burst[index]
        guard
            let made = errors.make(
                error, about: packet, in: frame, from: source,
                routeBits: path.hops.prefixLength(to: packet.source),
                cause: index, burst: &burst, now: path.now)
        else {
            listener?.note(.told(error, isMade: false))
            return
        }
        listener?.note(.told(error, isMade: true))
        sendError(made, to: packet.source, like: frame, on: connection, &burst, path)
    }

    /// Sends the error that was made last, on the VLAN of the frame that caused it.
    func sendError(
        _ error: Frame, to client: IPAddress, like frame: Frame, on connection: Connection?,
        _ burst: inout Burst, _ path: FastPath
    ) {
        var made = error
        made.ingress = frame.ingress
        made.vlan = frame.vlan
        if let connection, connection.method != .masquerading {
            counters.countOut(
                connection.destination, bytes: UInt64(made.length) - 14)
        }
        let source = unsafe IPHeader(made.bytes + 14).source
        made.verdict = send(&made, path.hops.resolve(client, from: source), path)
        tally.countMade()
        if made.verdict.kind == .drop { tally.count(made.verdict) }
        burst.setMadeFrame(burst.madeCount - 1, made)
    }

    /// Gives a finished frame its link header and the verdict that sends it, or lets it wait.
    func send(_ frame: inout Frame, _ number: NextHopIndex, _ path: FastPath) -> Verdict {
        let hop = path.hops[number]
        let word = hop.word
        switch word.kind {
        case .resolved:
            unsafe hop.writeHardware(word, frame.bytes)
            return .send(word.port)
        case .noRoute: return .drop(.noRoute)
        case .local: return .passThroughDoor
        case .unresolved:
            switch parking.park(
                frame, hop: number, now: path.now, story: listener?.waitingStory)
            {
            case .parked: return .consumed
            case .full: return .drop(.neighbourQueueFull)
            case .tooLong: return .drop(.noNeighbour)
            }
        }
    }

    /// Sends the parked frames whose next hop has become known, as frames the burst makes.
    func releaseParked(_ burst: inout Burst, _ path: FastPath) {
        guard parking.count != 0 else { return }
        if isNarratorOfDesk { listener?.begin(at: path.now, waiting: desk.waitingBytes) }
        let lost = parking.release(path.hops, now: path.now) { frame, hop, word, story in
            let length = Int(frame.length)
            guard
                let lent = burst.make(
                    length: length, ingress: frame.ingress, cause: Burst.capacity)
            else { return false }
            var made = frame
            unsafe made.bytes = lent.bytes
            made.capacity = lent.capacity
            made.headroom = lent.headroom
            unsafe made.bytes.copyMemory(from: frame.bytes, byteCount: length)
            unsafe hop.writeHardware(word, made.bytes)
            made.verdict = .send(word.port)
            burst.setMadeFrame(burst.madeCount - 1, made)
            tally.countMade()
            if let story { listener?.tellRelease(of: made, story) }
            return true
        }
        for _ in 0..<lost { tally.countDrop(.noNeighbour) }
        deliverStories()
    }
}

extension Packet {
    /// True when the checksum of the IPv4 header is right; IPv6 has none.
    func hasRightHeaderChecksum(_ bytes: UnsafeMutableRawPointer) -> Bool {
        guard !isIPv6 else { return true }
        let header = unsafe bytes + Int(networkOffset)
        return unsafe Checksum.sum(header, count: networkHeaderLength) == 0xffff
    }
}
