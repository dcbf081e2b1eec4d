// Packets that leave in pieces (ipvs-semantics 6.1 step 4, 6.2).

extension Worker {
    /// Sends a finished packet in fragments of at most `longest` bytes each, in frames of the burst.
    ///
    /// The checksums of the packet are complete; its network header is at `network` of the frame.
    /// `inside` is the family of what a tunnel has put into it, nil when it is no tunnel's.
    func sendFragments(
        _ frame: Frame, at network: Int, longest: Int, around inside: AddressFamily? = nil,
        to number: NextHopIndex, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        let header = unsafe frame.bytes + network
        let isIPv6 = unsafe header.byte(0) >> 4 == 6
        let least = isIPv6 ? Fragments.leastOfIPv6 : 0
        // How long pieces were is forgotten where a tunnel leads into the other family.
        let isRemembered = isReassembled && (inside == nil || (inside == .v6) == isIPv6)
        guard
            var cut = unsafe Fragments.Cut(
                header,
                longest: isRemembered ? min(longest, max(reassembly.longest, least)) : longest,
                identification: UInt32(identifications.next))
        else { return .drop(.tooLongForRoute) }
        if isIPv6 { _ = identifications.take() }
        // What came in fragments leaves in the same ones when these fit.
        // As the kernel has it, whose buffers have no room for further headers to repeat.
        let keepsHeaders =
            !isIPv6
            || (inside != .v4 && cut.headerLength <= reassembly.unfragmentableLength)
        // In a tunnel the first of them grows by the headers that were put before it.
        let first =
            inside == nil || !isReassembled
            ? Int(reassembly.sizes.first ?? 0) : cut.rest(behind: reassembly.sizes)
        let keepsSizes =
            isReassembled && keepsHeaders && cut.accepts(reassembly.sizes, first: first)
        cut.keepsDontFragment =
            unsafe isReassembled && !isIPv6 && !keepsSizes && header.byte(6) & 0x40 != 0
        var start = 0
        var position = 0
        while start < cut.payload {
            let count =
                !keepsSizes
                ? cut.size(from: start) : start == 0 ? first : Int(reassembly.sizes[position])
            position += 1
            let length = network + cut.newHeaderLength + count
            guard var made = burst.make(length: length, ingress: frame.ingress, cause: index)
            else { return .drop(.madeFramesUsedUp) }
            unsafe made.bytes.copyMemory(from: frame.bytes, byteCount: network)
            unsafe cut.write(from: start, count: count, to: made.bytes + network)
            made.vlan = frame.vlan
            made.verdict = send(&made, number, path)
            settle(made, at: burst.madeCount - 1, &burst)
            start += count
        }
        return .consumed
    }

    /// Takes over what became of a frame that the burst has made at a position, and counts it.
    func settle(_ made: Frame, at position: Int, _ burst: inout Burst) {
        burst.setMadeFrame(position, made)
        if made.verdict.kind == .send { tally.countMade() }
        if made.verdict.kind == .drop { tally.count(made.verdict) }
    }

    /// Chooses segments that fit the way where the driver was not told the sender's; false when it is
    /// not for us to choose, since datagrams begin where segments do.
    func fitSegments(
        _ index: Int, _ packet: Packet, _ mtu: UInt32, inTunnel: Bool, _ burst: inout Burst
    ) -> Bool {
        guard burst[index].segmentSizeIsOpen, let cut = Offload.cut(burst[index], packet) else {
            return true
        }
        let isTooLong = cut.longest > Int(mtu)
        guard packet.protocolNumber == 6 else { return !isTooLong && !inTunnel }
        if isTooLong, Int(mtu) > cut.headers {
            burst[index].segmentSize = UInt16(clamping: Int(mtu) - cut.headers)
        }
        return true
    }

    /// Sends a super-frame without DF whose segments are too long for the way: each segment becomes
    /// a packet of its own, and that goes in reassembly.
    func sendSegments(
        _ errand: Errand, _ packet: Packet, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        let frame = burst[index]
        guard let cut = Offload.cut(frame, packet) else { return .drop(.malformedHeader) }
        let link = Int(packet.networkOffset)
        for number in 0..<cut.count {
            let length = link + cut.length(number)
            guard var segment = burst.make(length: length, ingress: frame.ingress, cause: index)
            else { return .drop(.madeFramesUsedUp) }
            unsafe segment.bytes.copyMemory(from: frame.bytes, byteCount: link)
            unsafe Offload.writeSegment(
                number, of: cut, packet, from: frame.bytes + link, to: segment.bytes + link)
            segment.vlan = frame.vlan
            segment.verdict = .consumed
            let position = burst.madeCount - 1
            segment.verdict = dispatch(
                &segment, Packet(parsing: segment), errand, index, &burst, path)
            settle(segment, at: position, &burst)
        }
        return .consumed
    }

    // MARK: Fragments that come in

    /// A fragment of anything: kept when it may be ours, until its datagram is whole and goes the
    /// way of all packets (ipvs-semantics 0.3 step 3, 6.2).
    func reassemble(
        _ packet: Packet, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        // ICMP is not kept from the host, which does its own reassembly.
        let isShared = packet.transport == .icmp(of: packet.family)
        guard isOurs(packet, path.services) else {
            listener?.note(.fragment(.hosts))
            return .pass
        }
        // A sum that the sender left undone covers one frame: that of a fragment which is all of its
        // packet (RFC 6946), and counts from where the fragment header is about to go.
        if let flow = packet.asFlow { unsafe Offload.complete(burst.base + index, flow) }
        let received = burst[index]
        guard unsafe packet.hasRightHeaderChecksum(received.bytes) else {
            return .drop(.malformedHeader)
        }
        let taken = parts.commons.take(packet, received, into: &reassembly, now: path.now)
        for _ in 0..<taken.evicted { tally.countDrop(.fragmentsFull) }
        switch taken.outcome {
        case .waiting:
            listener?.note(.fragment(.waiting))
            return isShared ? .pass : .consumed
        case .odd:
            listener?.note(.fragment(.odd))
            return followOdd(packet, index, &burst, path)
        case .refused(let reason):
            listener?.note(.fragment(.refused(reason)))
            return isShared ? .pass : .drop(reason)
        case .complete:
            guard let datagram = reassembly.frame else { return .drop(.fragment) }
            listener?.note(.fragment(.complete(length: Int(datagram.length))))
            isReassembled = true
            defer { isReassembled = false }
            burst[index] = datagram
            let whole = Packet(parsing: datagram)
            let verdict =
                switch whole.kind {
                case .flow: lookUp(whole, index, &burst, path)
                // Another fragment header behind the one that is gone: nothing is put together twice.
                case .fragment: followOdd(whole, index, &burst, path)
                default: classify(whole, index, &burst, path)
                }
            if verdict.kind == .send { return sendWhole(verdict, index, received, &burst) }
            guard verdict.usesDoor else {
                burst[index] = received
                return verdict
            }
            return lend(index, received, &burst) ? verdict : .drop(.madeFramesUsedUp)
        }
    }

    /// An IPv6 fragment that is not put together: a first one with its ports goes the way of a packet.
    private func followOdd(
        _ packet: Packet, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        guard let flow = packet.asFlow else { return path.services.pass(packet) }
        return lookUp(flow, index, &burst, path)
    }

    /// Sends a datagram that leaves whole as a frame of the burst's, which lasts until it is sent.
    private func sendWhole(
        _ verdict: Verdict, _ index: Int, _ received: Frame, _ burst: inout Burst
    ) -> Verdict {
        guard lend(index, received, &burst) else { return .drop(.madeFramesUsedUp) }
        var whole = burst[index]
        burst[index] = received
        whole.verdict = verdict
        burst.setMadeFrame(burst.madeCount - 1, whole)
        tally.countMade()
        return .consumed
    }

    /// Moves a whole datagram from the store's memory into the burst's, which lasts until the host
    /// has it; false when there is none left.
    private func lend(_ index: Int, _ received: Frame, _ burst: inout Burst) -> Bool {
        var datagram = burst[index]
        burst[index] = received
        guard
            let lent = burst.make(
                length: Int(datagram.length), ingress: received.ingress, cause: index)
        else { return false }
        unsafe lent.bytes.copyMemory(from: datagram.bytes, byteCount: Int(datagram.length))
        unsafe datagram.bytes = lent.bytes
        datagram.capacity = lent.capacity
        datagram.headroom = lent.headroom
        datagram.slot = received.slot
        burst[index] = datagram
        return true
    }

    /// True for a fragment of a flow that the director serves, or of an ICMP message that may be an
    /// error about one.
    private func isOurs(_ packet: Packet, _ services: ServiceTable) -> Bool {
        // With IPv6 what the pieces carry may be behind further headers, which the first alone has.
        let isAny = packet.isIPv6 || packet.transport == .icmp
        let transport = isAny ? nil : packet.transport
        let destination = packet.destination
        if packet.isSecurity { return services.isService(.udp, destination, port: 500) }
        return services.isServiceAddress(transport, destination)
            || (services.isServerAddress(transport, packet.source)
                && !services.isHostsAlone(destination))
    }

    /// Gives up on datagrams that were not whole in time, and tells their senders.
    func expireFragments(_ burst: inout Burst, _ path: FastPath) {
        while let expired = parts.commons.nextExpired(into: &reassembly, now: path.now) {
            tally.countDrop(.fragmentTimeout)
            guard expired == .first, let frame = reassembly.frame else { continue }
            let packet = Packet(parsing: frame)
            // The host tells about its own share, which ICMP is.
            guard packet.transport != .icmp(of: packet.family) else { continue }
            var own: IPAddress? = packet.destination
            if !path.services.isServiceAddress(
                packet.isIPv6 ? nil : packet.transport, packet.destination)
            {
                own = ownAddress(towards: packet.source, path)
                // Forwarding had taken one off the TTL before the fragment began to wait; with IPv6
                // it comes after that.
                if !packet.isIPv6 { unsafe DirectRouting.rewrite(frame.bytes, packet) }
            }
            guard let own,
                let made = errors.make(
                    .reassemblyTimeExceeded, about: packet, in: frame, from: own,
                    routeBits: path.hops.prefixLength(to: packet.source), cause: Burst.capacity,
                    burst: &burst,
                    now: path.now)
            else { continue }
            sendError(made, to: packet.source, like: frame, on: nil, &burst, path)
        }
    }
}
