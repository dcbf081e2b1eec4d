// ICMP errors about connections (ipvs-semantics 6.5), and about the director's own tunnels (6.4).

extension Worker {
    /// An error on its way to a client or a server: translated and forwarded when the packet it
    /// quotes is one of a connection, else none of our business.
    func lookUpError(
        _ packet: Packet, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        let other = path.services.pass(packet)
        guard let quoted = quoted(by: packet, burst[index]) else { return other }
        if !packet.isIPv6,
            let verdict = lookUpTunnelError(quoted, packet, index, &burst, path)
        {
            return verdict
        }
        let bytes = unsafe burst[index].bytes
        // The error travels against the packet it quotes.
        guard let tuple = unsafe quoted.tuple(in: bytes) else {
            listener?.note(.notScheduled(.notQuoted))
            return other
        }
        let match = path.table.find(tuple.reversed, now: path.now)
        note(.quoted, tuple.reversed, match, path)
        guard let match else {
            return schedule(packet, answering: tuple, index, &burst, path) ?? other
        }
        guard
            match.connection.destination != Destination.none
                || match.connection.goesWithoutDestination
        else { return other }
        guard match.direction == .inbound || match.connection.method == .masquerading else {
            return other
        }
        guard isSound(packet, match.direction, burst[index], of: match.connection) else {
            return .drop(.wrongChecksum)
        }
        return depart(match.connection, match.direction, packet, index, &burst, path)
    }

    func quoted(by packet: Packet, _ frame: Frame) -> QuotedPacket? {
        unsafe QuotedPacket(
            at: Int(packet.transportOffset) + 8,
            end: Int(packet.networkOffset) + Int(packet.ipLength), in: frame.bytes,
            family: packet.family)
    }

    /// True when the checksums of the packet and of the ICMP message are right; the kernel does not
    /// look at that of an ICMPv6 error from the client's side, which it never makes anew.
    func isSound(
        _ packet: Packet, _ direction: Direction, _ frame: Frame, of connection: Connection
    ) -> Bool {
        let isUnseen = packet.isIPv6 && direction == .inbound && !connection.translatesFamily
        return unsafe packet.hasRightHeaderChecksum(frame.bytes)
            && (isUnseen || isIntact(packet, frame))
    }

    /// True when the checksum of the ICMP message is right, was found right by the card, or was left
    /// undone by a sender on this machine.
    private func isIntact(_ packet: Packet, _ frame: Frame) -> Bool {
        guard frame.checksum == .complete else { return true }
        return unsafe messageSum(packet, frame.bytes) == 0xffff
    }

    /// The folded sum of an ICMP message, with the pseudo-header that ICMPv6 has (RFC 4443 section
    /// 2.3).
    func messageSum(_ packet: Packet, _ bytes: UnsafeMutableRawPointer) -> UInt16 {
        let length = Int(packet.ipLength) - packet.networkHeaderLength
        let message = unsafe Checksum.sum(bytes + Int(packet.transportOffset), count: length)
        guard packet.isIPv6 else { return message }
        let pseudo = unsafe Checksum.pseudoHeader(
            bytes + Int(packet.networkOffset), transport: packet.protocolNumber, length: length)
        return Checksum.fold(UInt32(pseudo) + UInt32(message))
    }

    /// Counts an error that belongs to a connection; it does not move state or timeout.
    func countError(_ connection: Connection, _ packet: Packet, _ direction: Direction) {
        let number = connection.destination
        if direction == .inbound, connection.method != .masquerading {
            connection.countInPackets(1)
        }
        guard number != Destination.none, parts.cells[number].isAvailable else { return }
        counters.count(
            number, side: Int(direction.rawValue), packets: 1, bytes: UInt64(packet.ipLength))
    }

    /// Translates an error about a NAT connection: the outer address and what it quotes.
    ///
    /// The sum of the quoted transport packet stays as it is, but for what FULLNAT adds to NAT.
    func translateError(
        _ frame: inout Frame, _ packet: Packet, _ connection: Connection, _ direction: Direction,
        timeToLive hops: UInt8
    ) {
        let bytes = unsafe frame.bytes
        guard let quoted = quoted(by: packet, frame) else { return }
        let outer = unsafe IPHeader(bytes + Int(packet.networkOffset), isIPv6: packet.isIPv6)
        let inner = unsafe quoted.header(in: bytes)
        if direction == .inbound {
            outer.destination = connection.real
            inner.source = connection.real
            if quoted.hasPorts { unsafe bytes.set(quoted.transport, be16: connection.realPort) }
            if connection.isFullNAT {
                // Whoever tells it, the server knows the local address only (netfilter does the same).
                let local = connection.local
                outer.source = local.address
                inner.destination = local.address
                if quoted.hasPorts { unsafe bytes.set(quoted.transport + 2, be16: local.port) }
            }
        } else {
            outer.source = connection.virtual
            inner.destination = connection.virtual
            if quoted.hasPorts {
                unsafe bytes.set(quoted.transport + 2, be16: connection.virtualPort)
            }
            if connection.isFullNAT {
                outer.destination = connection.client
                inner.source = connection.client
                if quoted.hasPorts {
                    unsafe bytes.set(quoted.transport, be16: connection.clientPort)
                }
            }
        }
        if connection.isFullNAT {
            unsafe carryHiding(of: connection, direction, over: quoted, bytes)
        }
        // What the server complains about has a number that its client does not know.
        if direction == .outbound, quoted.protocolNumber == 6, !quoted.isLaterFragment,
            quoted.transport + 8 <= quoted.end, let numbers = connection.clientRecord?.numbers
        {
            let sequence = unsafe bytes.be32(quoted.transport + 4)
            unsafe bytes.set(quoted.transport + 4, be32: numbers.toClient(sequence))
        }
        outer.timeToLive = packet.timeToLive &- hops
        outer.seal(length: packet.networkHeaderLength)
        inner.seal(length: quoted.transport - quoted.network)
        let field = Int(packet.transportOffset) + 2
        unsafe bytes.set(field, le16: 0)
        let sum = unsafe ~messageSum(packet, bytes)
        // The kernel leaves the sum of ICMPv6 to the card, which writes no 0.
        unsafe bytes.set(field, le16: sum == 0 && packet.isIPv6 ? 0xffff : sum)
        frame.checksum = .complete
    }

    /// Carries the exchange of client and local endpoint over to the sum of a quoted packet whose
    /// transport header is whole: so does netfilter, which hides clients behind a kernel director.
    private func carryHiding(
        of connection: Connection, _ direction: Direction, over quoted: QuotedPacket,
        _ bytes: UnsafeMutableRawPointer
    ) {
        let headerLength: Int
        let field: Int
        switch quoted.protocolNumber {
        case 6: (headerLength, field) = (20, 16)
        case 17: (headerLength, field) = (8, 6)
        default: return
        }
        let header = unsafe bytes + quoted.transport
        guard !quoted.isLaterFragment, quoted.transport + headerLength <= quoted.end,
            unsafe field == 16 || header.le16(field) != 0
        else { return }
        let client = LocalEndpoint(address: connection.client, port: connection.clientPort)
        let (old, new) =
            direction == .inbound ? (client, connection.local) : (connection.local, client)
        let ports = Checksum.difference(
            from: UInt32(old.port.byteSwapped), to: UInt32(new.port.byteSwapped))
        // Linux 6.1 exchanges the addresses of IPv6 the wrong way round in what a client complains about.
        let isOdd = quoted.isIPv6 && direction == .inbound
        let addresses =
            isOdd
            ? Checksum.difference(from: new.address, to: old.address)
            : Checksum.difference(from: old.address, to: new.address)
        let difference = UInt32(addresses) + UInt32(ports)
        let sum = unsafe Checksum.updated(
            header.le16(field), adding: UInt32(Checksum.fold(difference)))
        unsafe header.set(field, le16: sum == 0 && field == 6 ? 0xffff : sum)
    }

    // MARK: Tunnels

    /// An error about a packet that the director has wrapped: the client is told the same about the
    /// packet inside; nil when it is about nothing the director has sent.
    private func lookUpTunnelError(
        _ outer: QuotedPacket, _ packet: Packet, _ index: Int, _ burst: inout Burst,
        _ path: FastPath
    ) -> Verdict? {
        let frame = burst[index]
        let bytes = unsafe frame.bytes
        guard !outer.isLaterFragment, path.services.isHost(packet.destination),
            let quoted = unsafe Encapsulation.quoted(by: outer, in: bytes),
            unsafe path.services.isTunnel(
                quoted.encapsulation, to: IPAddress(v4: bytes.be32(outer.network + 16))),
            let inner = unsafe QuotedPacket(at: quoted.inner, end: outer.end, in: bytes),
            let tuple = unsafe inner.tuple(in: bytes),
            let match = path.table.find(tuple, now: path.now), match.direction == .inbound,
            match.connection.method == .tunnel,
            match.connection.destination != Destination.none
        else { return nil }
        note(.tunnelled, tuple, match, path)
        guard isSound(packet, .inbound, frame, of: match.connection) else {
            return .drop(.wrongChecksum)
        }
        let message = Int(packet.transportOffset)
        let type = unsafe bytes.byte(message)
        let code = unsafe bytes.byte(message + 1)
        var rest = unsafe bytes.be32(message + 4)
        if type == 3, code == 4 {
            let told = learn(UInt32(UInt16(truncatingIfNeeded: rest)), match.connection, path)
            guard inner.hasDontFragment else { return .consumed }
            rest = told
        }
        relay(
            .relayed(type: type, code: code, rest: rest), about: inner, on: match.connection,
            index, &burst, path)
        return .consumed
    }

    /// Learns the path MTU to a server, and returns the length of packets that the client is told.
    private func learn(_ mtu: UInt32, _ connection: Connection, _ path: FastPath) -> UInt32 {
        let hop = path.hops[path.cells[connection.destination].nextHop]
        let known = parts.commons.learn(
            mtu, to: connection.real, width: hop.mtu, now: path.now)
        return known > 68 + Tunnel.toldOverhead ? known - Tunnel.toldOverhead : known
    }

    /// Tells a client of an error about its packet, in the name of the virtual service.
    private func relay(
        _ error: ICMPError, about inner: QuotedPacket, on connection: Connection, _ index: Int,
        _ burst: inout Burst, _ path: FastPath
    ) {
        let available = inner.end - inner.network
        counters.countOut(connection.destination, bytes: UInt64(available))
        guard !inner.isLaterFragment else { return }
        let frame = burst[index]
        let quote = unsafe ICMPErrors.Quote(
            packet: frame.bytes + inner.network, count: available)
        guard
            let made = errors.make(
                error, to: connection.client, quoting: quote, from: connection.virtual,
                routeBits: path.hops.prefixLength(to: connection.client), cause: index,
                burst: &burst, now: path.now)
        else {
            listener?.note(.told(error, isMade: false))
            return
        }
        listener?.note(.told(error, isMade: true))
        sendError(made, to: connection.client, like: frame, on: connection, &burst, path)
    }
}
