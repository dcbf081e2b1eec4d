// The long way of forwarding: every rule of ipvs-semantics 6.1 to 6.6 that the fast path leaves out.

extension Worker {
    /// Forwards a packet on a connection.
    func depart(
        _ connection: Connection, _ direction: Direction, _ packet: Packet, _ index: Int,
        _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        let inbound = direction == .inbound
        // A client's packet counts and moves the state on even when it cannot be forwarded; a
        // reply was refused by the host's forwarding before IPVS saw it.
        if inbound { path.advance(connection, packet, direction) }
        let number = nextHop(connection, direction, path)
        let hop = path.hops[number]
        switch hop.word.kind {
        case .noRoute:
            if inbound {
                tell(
                    .hostUnreachable, from: packet.destination, packet, index, &burst, path,
                    on: connection)
            }
            return .drop(.noRoute)
        case .local:
            if !inbound { path.advance(connection, packet, direction) }
            return deliver(connection, direction, packet, index, &burst)
        case .unresolved, .resolved: break
        }
        let teller = inbound ? packet.destination : ownAddress(towards: packet.source, path)
        guard packet.timeToLive > 1 else {
            if let teller {
                tell(
                    .timeExceeded, from: teller, packet, index, &burst, path,
                    on: inbound ? connection : nil)
            }
            return .drop(.ttlExceeded)
        }
        let overhead = inbound && connection.method == .tunnel ? Tunnel.overhead : 0
        let mtu = hop.mtu > UInt32(overhead) ? hop.mtu - UInt32(overhead) : 0
        guard length(burst[index], packet) <= Int(mtu) else {
            return refuseLength(
                packet, mtu, from: teller, index, &burst, path, on: inbound ? connection : nil)
        }
        if !inbound { path.advance(connection, packet, direction) }
        guard overhead == 0 else {
            guard mtu >= Tunnel.smallestMTU else { return .drop(.tooLongForRoute) }
            return encapsulate(connection, packet, number, index, &burst, path)
        }
        unsafe rewrite(burst.base + index, connection, direction, packet)
        var frame = burst[index]
        let verdict = send(&frame, number, path)
        burst[index] = frame
        return verdict
    }

    private func rewrite(
        _ frame: UnsafeMutablePointer<Frame>, _ connection: Connection, _ direction: Direction,
        _ packet: Packet
    ) {
        if connection.method == .masquerading {
            unsafe NAT.rewrite(
                frame, packet, connection, side: Int(direction.rawValue), timeToLive: 1)
        } else {
            unsafe DirectRouting.rewrite(frame.pointee.bytes, packet)
        }
    }

    /// The next hop's number: the destination's, or the client's, found again after routes changed.
    private func nextHop(
        _ connection: Connection, _ direction: Direction, _ path: FastPath
    ) -> NextHopIndex {
        if direction == .inbound {
            return path.cells[connection.destination].nextHop
        }
        let stored = connection.clientHop
        if stored >> 16 == path.generation { return NextHopIndex(truncatingIfNeeded: stored) }
        let number = path.hops.resolve(connection.client)
        connection.setClientHop(UInt32(number) | path.generation << 16)
        return number
    }

    /// The address the director itself uses towards another.
    func ownAddress(towards address: IPAddress, _ path: FastPath) -> IPAddress? {
        path.hops[path.hops.resolve(address)].preferredSource
    }

    /// Bytes that count against the MTU: the packet's, or those of a super-frame's longest segment.
    private func length(_ frame: Frame, _ packet: Packet) -> Int {
        guard frame.segmentSize != 0, let cut = Offload.cut(frame, packet) else {
            return Int(packet.ipLength)
        }
        return cut.longest
    }

    private func refuseLength(
        _ packet: Packet, _ mtu: UInt32, from teller: IPAddress?, _ index: Int,
        _ burst: inout Burst, _ path: FastPath, on connection: Connection?
    ) -> Verdict {
        guard packet.hasDontFragment, let teller else { return .drop(.tooLongForRoute) }
        // The quoted header shows the TTL as it would have left (ipvs-semantics 6.1).
        unsafe DirectRouting.rewrite(burst[index].bytes, packet)
        tell(
            .fragmentationNeeded(mtu: UInt16(clamping: mtu)), from: teller, packet, index, &burst,
            path, on: connection)
        return .drop(.tooLongForRoute)
    }

    /// The real server, or the client, is the host itself (ipvs-semantics 6.6): no TTL change, no
    /// MTU check, and through the door.
    private func deliver(
        _ connection: Connection, _ direction: Direction, _ packet: Packet, _ index: Int,
        _ burst: inout Burst
    ) -> Verdict {
        guard connection.method == .masquerading else { return .passThroughDoor }
        if direction == .inbound, connection.real.v4 >> 24 == 127,
            connection.client.v4 >> 24 != 127
        {
            return .drop(.loopbackServer)
        }
        unsafe NAT.rewrite(
            burst.base + index, packet, connection, side: Int(direction.rawValue), timeToLive: 0)
        return .passThroughDoor
    }

    // MARK: Tunnel

    private func encapsulate(
        _ connection: Connection, _ packet: Packet, _ number: NextHopIndex, _ index: Int,
        _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        let hop = path.hops[number]
        guard let source = hop.preferredSource else { return .drop(.noRoute) }
        let tunnel = Tunnel(
            source: source.v4, destination: connection.real.v4,
            copiesDontFragment: parts.settings.discoversPathMTU)
        let frame = burst[index]
        unsafe DirectRouting.rewrite(frame.bytes, packet)
        guard frame.segmentSize == 0 else {
            return encapsulateSegments(tunnel, packet, hop, index, &burst)
        }
        unsafe Offload.complete(burst.base + index, packet)
        let madeBefore = burst.madeCount
        guard
            var wrapped = tunnel.wrap(
                burst[index], packet, cause: index, burst: &burst,
                identification: &identification)
        else { return .drop(.madeFramesUsedUp) }
        let verdict = send(&wrapped, number, path)
        guard burst.madeCount != madeBefore else {
            burst[index] = wrapped
            return verdict
        }
        wrapped.verdict = verdict
        burst.setMadeFrame(burst.madeCount - 1, wrapped)
        tally.countMade()
        return verdict.kind == .drop ? verdict : .consumed
    }

    private func encapsulateSegments(
        _ tunnel: Tunnel, _ packet: Packet, _ hop: NextHop, _ index: Int, _ burst: inout Burst
    ) -> Verdict {
        let frame = burst[index]
        let word = hop.word
        guard let cut = Offload.cut(frame, packet) else { return .drop(.malformedHeader) }
        guard word.isResolved else { return .drop(.noNeighbour) }
        unsafe hop.writeHardware(word, frame.bytes)
        let whole = tunnel.wrapSegments(
            cut, frame, packet, cause: index, verdict: .send(word.port), burst: &burst,
            identification: &identification)
        for _ in 0..<cut.count { tally.countMade() }
        return whole ? .consumed : .drop(.madeFramesUsedUp)
    }
}
