// Packets of connections between an IPv6 client and a server of IPv4 (RFC 7915), on their long way.

extension Worker {
    /// Forwards a packet of such a connection, with the rules that `depart` has for all others; lengths
    /// are those of the family it came in.
    func departTranslated(
        _ errand: inout Errand, _ arrived: Packet, from teller: IPAddress?, _ index: Int,
        _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        var packet = arrived
        let connection = errand.connection
        let direction = errand.direction
        if let obstacle = unsafe FamilyTranslation.obstacle(to: packet, in: burst[index].bytes) {
            return refuse(obstacle, packet, from: teller, index, &burst, path)
        }
        guard packet.kind != .icmpError else {
            if direction == .outbound { account(connection, packet, direction, path) }
            return dispatch(whole: packet, errand, index, &burst, path)
        }
        let width = errand.width
        // Nobody tells such a server, or it does not listen.
        if !packet.isIPv6, !packet.hasDontFragment {
            errand.width = min(width, FamilyTranslation.leastMTU)
        }
        let growth = FamilyTranslation.growth(packet)
        let mtu = UInt32(max(0, Int(errand.width) - growth))
        guard fitSegments(index, packet, mtu, inTunnel: false, &burst) else {
            return .drop(.segmentsUnknown)
        }
        let longest = length(burst[index], packet)
        let mayCut =
            packet.isIPv6
            ? isReassembled || longest + growth <= FamilyTranslation.longestWithoutDF
            : !packet.hasDontFragment
        let isTooLong =
            packet.isIPv6
            ? longest > Int(mtu) : isTooLong(burst[index], packet, for: mtu, direction)
        guard !isTooLong || mayCut else {
            let difference = UInt32(FamilyTranslation.headerDifference)
            let told =
                packet.isIPv6
                ? max(width + difference, FamilyTranslation.leastMTU)
                : width - min(width, difference)
            return refuseLength(
                packet, told, from: teller, index, &burst, path,
                on: packet.isIPv6 ? connection : nil)
        }
        if let reason = revise(&packet, mtu: mtu, for: errand, index, &burst, path) {
            return .drop(reason)
        }
        if direction == .outbound { account(connection, packet, direction, path) }
        guard
            packet.ipLength <= arrived.ipLength || length(burst[index], packet) <= Int(mtu)
                || !packet.hasDontFragment
        else { return refuseGrown(packet, mtu, on: connection, index, &burst, path) }
        let isTooBig = Int(packet.ipLength) + growth > Int(UInt16.max)
        if burst[index].segmentSize != 0, isTooLong || (packet.isIPv6 && isTooBig) {
            return sendSegments(errand, packet, index, &burst, path)
        }
        return dispatch(whole: packet, errand, index, &burst, path)
    }

    private func refuse(
        _ obstacle: FamilyTranslation.Obstacle, _ packet: Packet, from teller: IPAddress?,
        _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict {
        switch obstacle {
        case .fragment: return .drop(.fragment)
        case .authentication: return .drop(.untranslatable)
        case .routing(let pointer):
            if let teller {
                tell(
                    .relayed(type: 4, code: 0, rest: pointer), from: teller, packet, index, &burst,
                    path)
            }
            return .drop(.sourceRoute)
        }
    }

    // MARK: Rewriting

    /// Rewrites a packet into the other family, towards a next hop; returns why that cannot be.
    ///
    /// The TTL loses `hops`; what is longer than `width` will be cut. The frame may move into memory of
    /// the burst's.
    func translate(
        _ frame: inout Frame, _ packet: Packet, _ connection: Connection, _ direction: Direction,
        over hop: NextHop, width: Int = .max, timeToLive hops: UInt8 = 1, cause: Int,
        _ burst: inout Burst, _ path: FastPath
    ) -> DropReason? {
        guard packet.kind != .icmpError else {
            return translateErrorFamily(
                &frame, packet, connection, direction, over: hop, timeToLive: hops, cause: cause,
                &burst, path)
        }
        // A packet to a server on this host has not been asked yet.
        guard unsafe FamilyTranslation.obstacle(to: packet, in: frame.bytes) == nil else {
            return .untranslatable
        }
        let growth = FamilyTranslation.growth(packet)
        let total = Int(packet.ipLength) + growth
        guard !packet.isIPv6 || total <= Int(UInt16.max) else { return .tooLongForRoute }
        let longest = length(frame, packet) + growth
        if frame.checksumStart != packet.transportOffset { Offload.finish(&frame) }
        // What is cut into fragments has its checksum whole.
        if frame.segmentSize == 0, total > width { unsafe Offload.complete(&frame, packet) }
        let link = Int(packet.networkOffset)
        let addresses = FamilyTranslation.addresses(of: connection, direction)
        let header = FamilyTranslation.Header(
            source: addresses.source, destination: addresses.destination,
            transport: packet.protocolNumber, payload: packet.transportLength,
            trafficClass: unsafe IPHeader(frame.bytes + link, isIPv6: packet.isIPv6).trafficClass,
            timeToLive: packet.timeToLive &- hops, identification: identifications.take(),
            hasDontFragment: !isReassembled && longest > FamilyTranslation.longestWithoutDF)
        guard
            FamilyTranslation.resize(&frame, packet, by: growth, cause: cause, burst: &burst)
        else { return .madeFramesUsedUp }
        unsafe header.write(to: frame.bytes + link)
        translateTransport(
            &frame, packet, connection, direction, at: Int(packet.transportOffset) + growth)
        return nil
    }

    /// Rewrites ports and checksum behind the new header.
    private func translateTransport(
        _ frame: inout Frame, _ packet: Packet, _ connection: Connection, _ direction: Direction,
        at transport: Int
    ) {
        let side = Int(direction.rawValue)
        let bytes = unsafe frame.bytes
        switch packet.protocolNumber {
        case 6, 17:
            unsafe NAT.rewriteTransport(
                &frame, packet, connection, side: side, network: Int(packet.networkOffset),
                transport: transport, isStored: false, elsewhere: bytes)
        case 132:
            unsafe NAT.rewriteSCTPHeader(
                &frame, bytes + transport, packet, connection, side: side)
        // ESP has neither.
        default: break
        }
    }

    // MARK: ICMP errors

    /// Makes the error of the other family, about the packet that its receiver has sent.
    ///
    /// The sum of the quoted transport packet stays as it is, as with NAT; extensions (RFC 4884), and
    /// what is longer than errors of the family are, is cut off. A quoted fragment is quoted as a
    /// packet of its own.
    private func translateErrorFamily(
        _ frame: inout Frame, _ packet: Packet, _ connection: Connection, _ direction: Direction,
        over hop: NextHop, timeToLive hops: UInt8, cause: Int, _ burst: inout Burst,
        _ path: FastPath
    ) -> DropReason? {
        let old = unsafe frame.bytes
        guard let quoted = quoted(by: packet, frame) else { return .untranslatable }
        let inner = unsafe quoted.header(in: old)
        let innerPayload = inner.totalLength - (quoted.transport - quoted.network)
        let start = Int(packet.transportOffset)
        let told = unsafe ICMPTranslation.Message(
            type: old.byte(start), code: old.byte(start + 1), rest: old.be32(start + 4))
        guard innerPayload >= 0, innerPayload <= Int(UInt16.max) - 20,
            let message = ICMPTranslation.translate(
                told, from: packet.family, quoted: inner.totalLength,
                over: widths(connection, direction, hop, path))
        else { return .untranslatable }

        let family: AddressFamily = packet.isIPv6 ? .v4 : .v6
        let fixed = IPHeader.fixedLength(family)
        let headers = fixed + 8 + fixed
        var count = quoted.end - quoted.transport
        if let bytes = ICMPTranslation.quotedBytes(told, packet.family) {
            count = min(count, max(0, bytes - (quoted.transport - quoted.network)))
        }
        count = min(count, ICMPErrors.longest(family) - headers)
        let link = Int(packet.networkOffset)
        guard
            let made = burst.make(
                length: link + headers + count, ingress: frame.ingress, cause: cause)
        else { return .madeFramesUsedUp }
        unsafe made.bytes.copyMemory(from: old, byteCount: link)
        unsafe made.bytes.set(link - 2, be16: IPHeader.etherType(family))
        let addresses = FamilyTranslation.addresses(of: connection, direction)
        let network = unsafe made.bytes + link
        unsafe FamilyTranslation.Header(
            source: addresses.source, destination: addresses.destination,
            transport: TransportProtocol.icmp(of: family).rawValue, payload: 8 + fixed + count,
            trafficClass: IPHeader(old + link, isIPv6: packet.isIPv6).trafficClass,
            timeToLive: packet.timeToLive &- hops, identification: identifications.take()
        ).write(to: network)
        unsafe network.set(fixed, byte: message.type)
        unsafe network.set(fixed + 1, byte: message.code)
        unsafe network.set(fixed + 2, be16: 0)
        unsafe network.set(fixed + 4, be32: message.rest)
        // What is quoted went the other way.
        unsafe FamilyTranslation.Header(
            source: addresses.destination, destination: addresses.source,
            transport: quoted.protocolNumber, payload: innerPayload,
            trafficClass: inner.trafficClass, timeToLive: inner.timeToLive,
            hasDontFragment: innerPayload + fixed > FamilyTranslation.longestWithoutDF
        ).write(to: network + fixed + 8)
        unsafe (network + headers).copyMemory(from: old + quoted.transport, byteCount: count)
        if quoted.hasPorts, count >= 4 {
            let side = Int(direction.rawValue)
            unsafe network.set(headers, le32: connection.key(side: side ^ 1).ports)
        }
        if direction == .outbound, quoted.protocolNumber == 6, count >= 8,
            let numbers = connection.clientRecord?.numbers
        {
            let sequence = unsafe network.be32(headers + 4)
            unsafe network.set(headers + 4, be32: numbers.toClient(sequence))
        }
        unsafe seal(message: network + fixed, count: 8 + fixed + count, behind: network, family)

        unsafe frame.bytes = made.bytes
        frame.headroom = made.headroom
        frame.capacity = made.capacity
        frame.length = made.length
        frame.checksum = .complete
        frame.segmentSize = 0
        frame.segmentKind = 0
        return nil
    }

    /// Writes the checksum of an ICMP message behind its IP header.
    private func seal(
        message: UnsafeMutableRawPointer, count: Int, behind network: UnsafeMutableRawPointer,
        _ family: AddressFamily
    ) {
        let transport = TransportProtocol.icmp(of: family).rawValue
        guard family == .v4 else {
            return unsafe Checksum.writeTransport(
                message, length: count, network: network, transport: transport)
        }
        unsafe message.set(2, le16: ~Checksum.sum(message, count: count))
    }

    /// How long packets may be on both sides of the director.
    private func widths(
        _ connection: Connection, _ direction: Direction, _ hop: NextHop, _ path: FastPath
    ) -> ICMPTranslation.Widths {
        let client =
            direction == .outbound
            ? hop : path.hops[path.hops.resolve(connection.client, from: connection.virtual)]
        let number = connection.destination
        let server =
            direction == .inbound || number == Destination.none
            ? hop : path.hops[path.cells[number].nextHop]
        // A way that is not known says nothing.
        return ICMPTranslation.Widths(
            v4: server.mtu == 0 ? .max - 20 : server.mtu,
            v6: client.mtu == 0 ? .max : client.mtu)
    }

    /// A parameter problem of IPv4 about a request to a server that is translated to; nil for all
    /// others, which IPVS leaves alone (ipvs-semantics 6.5).
    func lookUpParameterProblem(
        _ packet: Packet, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Verdict? {
        let frame = burst[index]
        guard !packet.isIPv6, packet.icmpType == 12,
            let quoted = quoted(by: packet, frame),
            let tuple = unsafe quoted.tuple(in: frame.bytes),
            let match = path.table.find(tuple.reversed, now: path.now),
            match.direction == .outbound, match.connection.translatesFamily
        else { return nil }
        guard isSound(packet, .outbound, frame, of: match.connection) else {
            return .drop(.wrongChecksum)
        }
        var error = packet
        error.kind = .icmpError
        return depart(match.connection, .outbound, error, index, &burst, path)
    }
}
