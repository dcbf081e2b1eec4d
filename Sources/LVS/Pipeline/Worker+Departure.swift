// The long way of forwarding: every rule of ipvs-semantics 6.1 to 6.6 that the fast path leaves out.

extension Worker {
    /// Forwards a packet on a connection.
    func depart(
        _ connection: Connection, _ direction: Direction, _ arrived: Packet, _ index: Int,
        _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        var packet = arrived
        let inbound = direction == .inbound
        // A client's packet counts and moves the state on even when it cannot be forwarded; a
        // reply was refused by the host's forwarding before IPVS saw it.
        if inbound { account(connection, packet, direction, path) }
        if connection.method == .masquerading, packet.hasPartialSCTPHeader {
            return .drop(.headerTooShort)
        }
        let isError = packet.kind == .icmpError
        // An error about a client's packet need not go to that client.
        let number =
            isError && !inbound
            ? path.hops.resolve(
                connection.isFullNAT ? connection.client : packet.destination,
                from: connection.virtual)
            : nextHop(connection, direction, path)
        let hop = path.hops[number]
        listener?.note(
            .way(
                Way(
                    hop,
                    to: inbound
                        ? connection.method == .bypass ? connection.virtual : connection.real
                        : connection.client, isToServer: inbound)))
        let teller = teller(connection, direction, packet, path)
        let isLocal = inbound && connection.method == .localNode
        var errand = Errand(
            connection: connection, direction: direction, number: number, width: hop.mtu)
        switch isLocal ? .local : hop.word.kind {
        case .noRoute:
            if inbound, let teller {
                tell(.hostUnreachable, from: teller, packet, index, &burst, path, on: connection)
            }
            return .drop(.noRoute)
        case .local:
            let longest = UInt32(UInt16.max)
            errand.width = longest
            let reason = revise(&packet, mtu: longest, for: errand, index, &burst, path)
            if let reason { return .drop(reason) }
            if !inbound { account(connection, packet, direction, path) }
            return deliver(connection, direction, packet, over: hop, index, &burst, path)
        case .unresolved, .resolved: break
        }
        guard packet.timeToLive > 1 else {
            if let teller {
                tell(
                    .timeExceeded, from: teller, packet, index, &burst, path,
                    on: inbound ? connection : nil)
            }
            return .drop(.ttlExceeded)
        }
        if connection.translatesFamily {
            return departTranslated(&errand, packet, from: teller, index, &burst, path)
        }
        var mtu = hop.mtu
        if inbound, connection.method == .tunnel {
            guard let tunnel = tunnel(of: connection, from: hop, burst[index], packet, path) else {
                return .drop(.noRoute)
            }
            errand.tunnel = tunnel
            errand.width = pathMTU(to: connection, over: hop, path)
            mtu = errand.width - min(errand.width, UInt32(tunnel.overhead))
            guard mtu >= tunnel.smallestMTU else { return .drop(.tooLongForRoute) }
        }
        guard fitSegments(index, packet, mtu, inTunnel: errand.tunnel != nil, &burst) else {
            return .drop(.segmentsUnknown)
        }
        let isTooLong = isTooLong(burst[index], packet, for: mtu, direction)
        guard !isTooLong || mayFragment(packet, errand) else {
            return refuseLength(
                packet, mtu, from: teller, index, &burst, path, on: inbound ? connection : nil)
        }
        if let reason = revise(&packet, mtu: mtu, for: errand, index, &burst, path) {
            return .drop(reason)
        }
        if !inbound { account(connection, packet, direction, path) }
        guard
            packet.ipLength <= arrived.ipLength || length(burst[index], packet) <= Int(mtu)
                || !packet.hasDontFragment
        else { return refuseGrown(packet, mtu, on: connection, index, &burst, path) }
        if burst[index].segmentSize != 0 {
            if isTooLong { return sendSegments(errand, packet, index, &burst, path) }
            if let tunnel = errand.tunnel {
                return encapsulateSegments(tunnel, packet, hop, index, &burst)
            }
        }
        return dispatch(whole: packet, errand, index, &burst, path)
    }

    /// Has helpers and the service's wishes change a packet; returns why it is to be dropped instead.
    ///
    /// The packet is the parsed one of the frame afterwards; `mtu` is the longest of the way.
    func revise(
        _ packet: inout Packet, mtu: UInt32, for errand: Errand, _ index: Int,
        _ burst: inout Burst, _ path: FastPath
    ) -> DropReason? {
        help(errand.connection, errand.direction, &packet, index, &burst, path)
            ?? adapt(&packet, mtu: mtu, for: errand, index, &burst, path)
    }

    /// Rewrites and sends the packet of a received frame.
    func dispatch(
        whole packet: Packet, _ errand: Errand, _ index: Int, _ burst: inout Burst,
        _ path: FastPath
    ) -> Verdict {
        var frame = burst[index]
        let verdict = dispatch(&frame, packet, errand, index, &burst, path)
        burst[index] = frame
        return verdict
    }

    /// What a packet is on its way for.
    struct Errand {
        var connection: Connection
        var direction: Direction
        /// The next hop's number.
        var number: NextHopIndex
        /// The longest packet that goes this way, a tunnel's outer header included, bytes.
        var width: UInt32

        /// What wraps the packet; nil when it goes as it is.
        var tunnel: Tunnel?
    }

    /// Rewrites one packet as its connection wants it, and sends it, in fragments when it is longer
    /// than the way is wide; the frame is then used up.
    func dispatch(
        _ frame: inout Frame, _ packet: Packet, _ errand: Errand, _ index: Int,
        _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        let link = Int(packet.networkOffset)
        let widest = Int(errand.width)
        if let tunnel = errand.tunnel {
            unsafe DirectRouting.rewrite(frame.bytes, packet)
            if !tunnel.isPartial { unsafe Offload.complete(&frame, packet) }
            guard
                let wrapped = tunnel.wrap(
                    frame, packet, cause: index, burst: &burst, identifications: &identifications)
            else { return .drop(.madeFramesUsedUp) }
            frame = wrapped
        } else if errand.connection.translatesFamily {
            let obstacle = translate(
                &frame, packet, errand.connection, errand.direction, over: path.hops[errand.number],
                width: widest, cause: index, &burst, path)
            if let obstacle { return .drop(obstacle) }
        } else {
            if frame.segmentSize == 0, Int(packet.ipLength) > widest {
                unsafe Offload.complete(&frame, packet)
            }
            rewrite(&frame, errand.connection, errand.direction, packet)
        }
        let outer = unsafe IPHeader(frame.bytes + link)
        let total = outer.totalLength
        // What lay behind the packet stays behind.
        if frame.segmentSize == 0 { frame.length = UInt32(link + total) }
        let isCut: Bool
        if !isReassembled || outer.isIPv6 != packet.isIPv6 {
            isCut = frame.segmentSize == 0 && total > widest
        } else {
            // A whole of IPv6 that is no longer than its longest piece was leaves as it is.
            isCut = !packet.isIPv6 || total > min(reassembly.longest, widest)
        }
        guard isCut else { return send(&frame, errand.number, path) }
        return sendFragments(
            frame, at: link, longest: widest,
            around: outer.isIPv6 == packet.isIPv6 && errand.tunnel == nil ? nil : packet.family,
            to: errand.number, index, &burst, path)
    }

    /// Whether a packet may be cut when it does not fit (ipvs-semantics 6.1 step 4).
    ///
    /// Without DF, and in a tunnel that is not told to discover the path's MTU; errors from the
    /// client's side always, since nobody can be told about them. IPv6 packets never.
    private func mayFragment(_ packet: Packet, _ errand: Errand) -> Bool {
        guard !packet.isIPv6 else { return false }
        return !packet.hasDontFragment
            || (errand.tunnel != nil && !parts.settings.discoversPathMTU)
            || (packet.kind == .icmpError && errand.direction == .inbound)
    }

    /// Counts a packet on its connection, and moves state and timeout on unless it is an ICMP error.
    func account(
        _ connection: Connection, _ packet: Packet, _ direction: Direction, _ path: FastPath
    ) {
        move(connection, direction) {
            if packet.kind == .icmpError {
                countError(connection, packet, direction)
            } else if packet.isWithoutState {
                path.count(connection, packet)
            } else {
                path.advance(connection, packet.asStatesSeeIt, direction)
            }
        }
        if direction == .inbound, parts.settings.isMaster {
            synchronise(connection, packet, path)
        }
    }

    private func rewrite(
        _ frame: inout Frame, _ connection: Connection, _ direction: Direction, _ packet: Packet,
        timeToLive hops: UInt8 = 1
    ) {
        guard connection.method == .masquerading else {
            // Nobody behind a port completes this checksum: the offload is for Internet checksums.
            if packet.protocolNumber == 132 { unsafe Offload.complete(&frame, packet) }
            return unsafe DirectRouting.rewrite(frame.bytes, packet)
        }
        guard packet.kind != .icmpError else {
            return translateError(&frame, packet, connection, direction, timeToLive: hops)
        }
        let side = Int(direction.rawValue)
        switch packet.protocolNumber {
        case 132:
            unsafe NAT.rewriteSCTP(&frame, packet, connection, side: side, timeToLive: hops)
        case 50, 51:
            unsafe NAT.rewriteAddresses(&frame, packet, connection, side: side, timeToLive: hops)
        default:
            unsafe NAT.rewrite(&frame, packet, connection, side: side, timeToLive: hops)
        }
    }

    /// The next hop's number: the destination's, or the client's, found again after routes changed.
    private func nextHop(
        _ connection: Connection, _ direction: Direction, _ path: FastPath
    ) -> NextHopIndex {
        if direction == .inbound {
            guard connection.destination == Destination.none else {
                return path.cells[connection.destination].nextHop
            }
            return path.hops.resolve(
                connection.method == .bypass ? connection.virtual : connection.real)
        }
        let stored = connection.clientHop
        if stored >> 16 == path.generation { return NextHopIndex(truncatingIfNeeded: stored) }
        // Replies are routed as if they came from the director (`snat_reroute`, ipvs-semantics 6.2).
        let number = path.hops.resolve(connection.client, from: connection.virtual)
        connection.setClientHop(UInt32(number) | path.generation << 16)
        return number
    }

    /// In whose name the sender of a packet is told of an error; nil when in nobody's: what was
    /// bypassed went to an address that is not the director's.
    private func teller(
        _ connection: Connection, _ direction: Direction, _ packet: Packet, _ path: FastPath
    ) -> IPAddress? {
        guard direction == .inbound else {
            // A server with FULLNAT is told by the address it has sent to.
            return connection.isFullNAT
                ? packet.destination : ownAddress(towards: packet.source, path)
        }
        let destination = packet.destination
        return connection.method == .bypass && !path.services.isHost(destination)
            ? nil : destination
    }

    /// The address the director itself uses towards another.
    func ownAddress(towards address: IPAddress, _ path: FastPath) -> IPAddress? {
        path.hops[path.hops.resolve(address)].preferredSource
    }

    /// Bytes that count against the MTU: the packet's, or those of a super-frame's longest segment.
    func length(_ frame: Frame, _ packet: Packet) -> Int {
        guard frame.segmentSize != 0, let cut = Offload.cut(frame, packet) else {
            return Int(packet.ipLength)
        }
        return cut.longest
    }

    /// Whether a packet is longer than what its way takes.
    func isTooLong(
        _ frame: Frame, _ packet: Packet, for mtu: UInt32, _ direction: Direction
    ) -> Bool {
        // Of an IPv6 packet that came in pieces the longest one counts, which is not cut again.
        if packet.isIPv6, isReassembled { return reassembly.longest > Int(mtu) }
        // Forwarding does not cut replies with DF again, however they came (the kernel's rule).
        return length(frame, packet) > Int(mtu)
            || (isReassembled && direction == .outbound && packet.hasDontFragment)
    }

    /// Drops a packet that does not fit and must not be cut, and tells its sender; `connection` is
    /// nil for a reply.
    func refuseLength(
        _ packet: Packet, _ mtu: UInt32, from teller: IPAddress?, _ index: Int,
        _ burst: inout Burst, _ path: FastPath, on connection: Connection?
    ) -> Verdict {
        guard packet.hasDontFragment, let teller else { return .drop(.tooLongForRoute) }
        // What is quoted shows the TTL as it would have left (ipvs-semantics 6.1), but that forwarding
        // measures a reply before it takes one off, unless it was put together afterwards, which is
        // done with IPv4.
        if connection != nil || (isReassembled && !packet.isIPv6) {
            unsafe DirectRouting.rewrite(burst[index].bytes, packet)
        }
        tell(
            .fragmentationNeeded(mtu: UInt16(clamping: mtu)), from: teller, packet, index, &burst,
            path, on: connection)
        return .drop(.tooLongForRoute)
    }

    /// The real server, or the client, is the host itself (ipvs-semantics 6.6): no TTL change, no
    /// MTU check, and through the door.
    private func deliver(
        _ connection: Connection, _ direction: Direction, _ packet: Packet, over hop: NextHop,
        _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        guard connection.method != .bypass else { return .drop(.noRoute) }
        guard connection.method == .masquerading else { return .passThroughDoor }
        // The host takes nothing for its loopback from outside.
        if direction == .inbound, connection.real.isLoopback, !connection.client.isLoopback {
            return .drop(.loopbackServer)
        }
        var frame = burst[index]
        if connection.translatesFamily {
            let obstacle = translate(
                &frame, packet, connection, direction, over: hop, timeToLive: 0, cause: index,
                &burst, path)
            if let obstacle { return .drop(obstacle) }
        } else {
            rewrite(&frame, connection, direction, packet, timeToLive: 0)
        }
        burst[index] = frame
        return .passThroughDoor
    }
}
