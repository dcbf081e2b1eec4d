// What services ask of TCP segments of connections with FULLNAT: the client's address for the server,
// sequence numbers of the director's own, no timestamps (ipvs-semantics 11.3).

extension Worker {
    /// Changes a segment as the service asks for; returns why it is to be dropped instead.
    ///
    /// `mtu` is the longest packet of the way. Does nothing for connections without such wishes. The
    /// packet is the parsed one of the frame afterwards.
    func adapt(
        _ packet: inout Packet, mtu: UInt32, for errand: Errand, _ index: Int,
        _ burst: inout Burst, _ path: FastPath
    ) -> DropReason? {
        guard packet.kind == .flow, packet.protocolNumber == 6,
            let record = errand.connection.clientRecord
        else { return nil }
        let segment = unsafe burst[index].bytes + Int(packet.transportOffset)
        guard unsafe TCPOptions.addUp(segment, length: packet.transportLength) else {
            return .malformedHeader
        }
        if errand.direction == .outbound {
            return adaptAnswer(record, &packet, index, &burst, errand.connection)
        }
        if packet.isOpener, packet.tcpFlags & TCPEvent.acknowledgement == 0 {
            open(record, &packet, index, &burst, errand.connection, path)
        }
        if record.options.usesOption {
            blankOptions(of: packet, index, &burst, where: ClientAddressOption.isOne)
        }
        if let reason = renumber(record, &packet, mtu, errand, index, &burst, path) {
            return reason
        }
        if wantsOption(record, packet, burst[index]) {
            return introduce(&packet, mtu, errand.connection, index, &burst)
        }
        return nil
    }

    // MARK: Answers

    /// A server's segment: its client must not see what was done to the numbers, nor fill segments
    /// that the option is to fit into.
    private func adaptAnswer(
        _ record: ClientRecord, _ packet: inout Packet, _ index: Int, _ burst: inout Burst,
        _ connection: Connection
    ) -> DropReason? {
        let segment = unsafe burst[index].bytes + Int(packet.transportOffset)
        let isPartial = burst[index].checksum == .partial
        if packet.isOpener {
            unsafe record.noteAnswer(start: segment.be32(4) &+ 1)
            if record.options.usesOption {
                let option = UInt16(ClientAddressOption.length(of: connection.client))
                unsafe lowerSegmentSize(of: segment, packet.transportLength, isPartial, by: option)
            }
        }
        guard packet.tcpFlags & TCPEvent.acknowledgement != 0, let numbers = record.numbers else {
            return nil
        }
        if numbers.inserted != 0, unsafe numbers.hasInserted(segment.be32(8)) {
            record.note(.acknowledged)
        }
        guard numbers.gained != 0 || numbers.inserted != 0 else { return nil }
        let isSound = unsafe TCPFields.changeAcknowledged(
            of: segment, length: packet.transportLength, isPartial
        ) { numbers.toClient($0) }
        return isSound ? nil : .malformedHeader
    }

    private func lowerSegmentSize(
        of segment: UnsafeMutableRawPointer, _ length: Int, _ isPartial: Bool, by bytes: UInt16
    ) {
        var options = unsafe TCPOptions(segment, length: length)
        while let option = options.next() {
            guard option.kind == TCPOptions.segmentSize, option.length == 4 else { continue }
            let size = unsafe segment.be16(option.offset + 2)
            guard size > 2 * bytes else { return }
            let lowered = size - bytes
            unsafe TCPFields.change(
                option.offset + 2, of: segment, isPartial, to: UInt8(lowered >> 8))
            unsafe TCPFields.change(
                option.offset + 3, of: segment, isPartial, to: UInt8(lowered & 0xff))
        }
    }

    // MARK: Requests

    /// A client's SYN.
    private func open(
        _ record: ClientRecord, _ packet: inout Packet, _ index: Int, _ burst: inout Burst,
        _ connection: Connection, _ path: FastPath
    ) {
        let sequence = unsafe burst[index].bytes.be32(Int(packet.transportOffset) + 4)
        let gained =
            record.options.startsSequenceAnew ? initialSequence(connection, path) &- sequence : 0
        record.open(at: sequence, gaining: gained)
        if record.options.removesTimestamps {
            blankOptions(of: packet, index, &burst) { $0.kind == TCPOptions.timestamps }
        }
        // A header in front of data that comes with the SYN would be data there, too: the client gets
        // no acknowledgement for it and sends it again.
        guard let inserted = record.numbers?.inserted, inserted != 0 else { return }
        blankOptions(of: packet, index, &burst) { $0.kind == TCPOptions.fastOpen }
        if let payload = packet.payload, payload.count != 0 {
            _ = replace(0..<payload.count, by: ShortText(), in: &packet, index, &burst)
        }
    }

    /// An initial sequence number as RFC 6528 makes it: a keyed hash of the server's view of the
    /// connection, and a clock of 4 us.
    private func initialSequence(_ connection: Connection, _ path: FastPath) -> UInt32 {
        let local = connection.local
        let ports = UInt64(local.port) << 16 | UInt64(connection.realPort)
        let hash = SipHash13.hash(
            (
                local.address.low, connection.real.low,
                local.address.high ^ connection.real.high, ports
            ), key: path.table.seed)
        return UInt32(truncatingIfNeeded: hash)
            &+ UInt32(truncatingIfNeeded: path.now.nanoseconds >> 12)
    }

    /// Overwrites options with NOPs.
    private func blankOptions(
        of packet: Packet, _ index: Int, _ burst: inout Burst,
        where isUnwanted: (TCPOptions.Option) -> Bool
    ) {
        let frame = burst[index]
        let segment = unsafe frame.bytes + Int(packet.transportOffset)
        var options = unsafe TCPOptions(segment, length: packet.transportLength)
        while let option = options.next() {
            if isUnwanted(option) {
                unsafe TCPFields.blank(option, of: segment, frame.checksum == .partial)
            }
        }
    }

    /// Gives a client's segment the numbers its server expects, and the first one the PROXY header.
    ///
    /// Until the server has acknowledged the header, every segment that begins with the client's first
    /// byte carries it: each may be the first that arrives.
    private func renumber(
        _ record: ClientRecord, _ packet: inout Packet, _ mtu: UInt32, _ errand: Errand,
        _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> DropReason? {
        guard let numbers = record.numbers, numbers.gained != 0 || numbers.inserted != 0 else {
            return nil
        }
        let sequence = unsafe burst[index].bytes.be32(Int(packet.transportOffset) + 4)
        var number = numbers.toServer(sequence)
        if packet.isOpener {
            number &-= numbers.inserted
        } else if numbers.inserted != 0, !record.progress.contains(.acknowledged) {
            if packet.isReset {
                if !record.progress.contains(.announced) { number &-= numbers.inserted }
            } else if numbers.distance(sequence) == 0 {
                let first = number &- numbers.inserted
                switch announce(record, first, &packet, mtu, errand, index, &burst, path) {
                case .inPlace: number = first
                case .ahead: break
                case .noMemory: return .madeFramesUsedUp
                }
                record.note(.announced)
            }
        }
        let frame = burst[index]
        let segment = unsafe frame.bytes + Int(packet.transportOffset)
        unsafe TCPFields.change(4, of: segment, frame.checksum == .partial) { _ in number }
        return nil
    }

    /// How the PROXY header leaves.
    private enum Announcement {
        /// In front of the segment's payload.
        case inPlace
        /// In a segment of its own.
        case ahead
        case noMemory
    }

    private func announce(
        _ record: ClientRecord, _ sequence: UInt32, _ packet: inout Packet, _ mtu: UInt32,
        _ errand: Errand, _ index: Int, _ burst: inout Burst, _ path: FastPath
    ) -> Announcement {
        let connection = errand.connection
        let text = ProxyHeader.text(
            record.options.clientAddress, client: connection.client,
            clientPort: connection.clientPort,
            virtual: connection.virtual, virtualPort: connection.virtualPort)
        let longest = burst[index].segmentSize == 0 ? Int(mtu) : Int(UInt16.max)
        if Int(packet.ipLength) + text.count <= longest {
            guard replace(0..<0, by: text, in: &packet, index, &burst) != nil else {
                return .noMemory
            }
            return .inPlace
        }
        // A full segment: its headers go ahead with the text alone.
        let frame = burst[index]
        let start = Int(packet.transportOffset)
        let end = unsafe start + TCPOptions.headerLength(frame.bytes + start)
        guard
            var made = burst.make(
                length: end + text.count, ingress: frame.ingress, cause: index)
        else { return .noMemory }
        made.length = UInt32(end)
        let position = burst.madeCount - 1
        unsafe made.bytes.copyMemory(from: frame.bytes, byteCount: end)
        made.vlan = frame.vlan
        unsafe IPHeader(made.bytes + Int(packet.networkOffset), isIPv6: packet.isIPv6)
            .totalLength = end - Int(packet.networkOffset)
        let segment = unsafe made.bytes + start
        unsafe segment.set(4, be32: sequence)
        // Neither FIN nor PSH nor URG nor CWR: those are of the client's bytes.
        unsafe segment.set(13, byte: TCPEvent.acknowledgement)
        unsafe PayloadEdit.replace(0..<0, by: text, in: &made, Packet(parsing: made).withoutOptions)
        let whole = Packet(parsing: made).withoutOptions
        unsafe Checksum.writeTransport(
            made.bytes + start, length: whole.transportLength,
            network: made.bytes + Int(whole.networkOffset), transport: 6)
        made.verdict = dispatch(&made, whole, errand, index, &burst, path)
        settle(made, at: position, &burst)
        return .ahead
    }

    // MARK: TOA

    /// Whether a client's segment shall carry its address: until the server has sent data, which it
    /// does not before the handshake is done; by setting in the SYN as well.
    ///
    /// Super-frames do not: each of their segments would.
    private func wantsOption(_ record: ClientRecord, _ packet: Packet, _ frame: Frame) -> Bool {
        guard record.options.usesOption, !packet.isReset, frame.segmentSize == 0 else {
            return false
        }
        let isFromSYN = record.options.clientAddress == .toaFromSYN
        if packet.isOpener { return isFromSYN }
        guard packet.tcpFlags & TCPEvent.acknowledgement != 0,
            !isFromSYN || packet.tcpFlags & 1 == 0, let start = record.answerStart
        else { return false }
        return unsafe frame.bytes.be32(Int(packet.transportOffset) + 8) == start
    }

    /// Puts the option into the header; where there is no room for it the segment goes without.
    private func introduce(
        _ packet: inout Packet, _ mtu: UInt32, _ connection: Connection, _ index: Int,
        _ burst: inout Burst
    ) -> DropReason? {
        var frame = burst[index]
        let own = ClientAddressOption.text(
            client: connection.client, port: connection.clientPort)
        let segment = unsafe frame.bytes + Int(packet.transportOffset)
        guard
            let options = unsafe ClientAddressOption.options(
                of: segment, length: packet.transportLength, with: own,
                isOpener: packet.isOpener, room: Int(mtu) - Int(packet.ipLength))
        else { return nil }
        let gained = unsafe options.count + 20 - TCPOptions.headerLength(segment)
        if gained > Int(frame.headroom) {
            guard let copy = copy(frame, packet, room: 0, index, &burst) else {
                return .madeFramesUsedUp
            }
            frame = copy
        }
        unsafe HeaderEdit.replaceOptions(by: options, in: &frame, packet)
        burst[index] = frame
        packet = Packet(parsing: frame).withoutOptions
        return nil
    }
}
