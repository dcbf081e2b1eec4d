// ICMP errors that open connections (`schedule_icmp`, ipvs-semantics 6.5).

extension Worker {
    /// Gives an error that quotes an unknown reply the connection that the reply's request would
    /// get, and forwards the error on it; nil when no service wants it.
    ///
    /// `reply` is the tuple of the quoted packet. State and timeout stay what a new entry has.
    func schedule(
        _ packet: Packet, answering reply: ConnectionTuple, _ index: Int, _ burst: inout Burst,
        _ path: FastPath
    ) -> Verdict? {
        guard parts.settings.schedulesICMP else { return nil }
        let mark = path.services.mark(of: packet, in: burst[index], telling: narrator)
        switch admitRequest(of: reply, mark: mark, path) {
        case .connection(let connection):
            // The connection stays even when the error turns out to be damaged.
            guard isSound(packet, .inbound, burst[index], of: connection) else {
                return .drop(.wrongChecksum)
            }
            return depart(connection, .inbound, packet, index, &burst, path)
        case .once(let connection):
            defer { admission.end(once: connection) }
            guard isSound(packet, .inbound, burst[index], of: connection) else {
                return .drop(.wrongChecksum)
            }
            return depart(connection, .inbound, packet, index, &burst, path)
        // Servers open nothing by errors.
        case .outgoing:
            narrator?.note(.notScheduled(.errorOfReply))
            return nil
        case .verdict(let verdict): return verdict.kind == .drop ? verdict : nil
        case .refused(let reason, _): return reason == .unknownReply ? nil : .drop(reason)
        }
    }

    /// Admits the shortest request that a reply with this tuple could answer.
    private func admitRequest(
        of reply: ConnectionTuple, mark: UInt32, _ path: FastPath
    ) -> Admitted {
        admission.isForError = true
        defer { admission.isForError = false }
        return unsafe withUnsafeTemporaryAllocation(byteCount: 128, alignment: 8) { memory in
            unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
            guard let start = memory.baseAddress else { return .verdict(.pass) }
            let length = unsafe Worker.writeRequest(reply.reversed, start)
            let frame = unsafe Frame(
                bytes: start, length: length, capacity: 128, headroom: 0, ingress: 0)
            return admission.admit(
                Packet(parsing: frame), mark: mark, services: path.services, now: path.now)
        }
    }

    /// Writes a frame that opens a connection of this tuple into zeroed memory; returns its length.
    private static func writeRequest(
        _ tuple: ConnectionTuple, _ frame: UnsafeMutableRawPointer
    ) -> Int {
        // A UDP header; TCP with SYN; SCTP with the chunk INIT.
        let payload = tuple.transport == 6 ? 20 : tuple.transport == 132 ? 32 : 8
        let network = unsafe frame + 14
        let isIPv4 = tuple.source.isV4
        let headerLength = isIPv4 ? 20 : 40
        unsafe frame.set(12, be16: isIPv4 ? 0x0800 : 0x86dd)
        if isIPv4 {
            unsafe network.set(0, byte: 0x45)
            unsafe network.set(2, be16: UInt16(headerLength + payload))
            unsafe network.set(8, byte: 64)
            unsafe network.set(9, byte: tuple.transport)
            unsafe network.set(12, be32: tuple.source.v4)
            unsafe network.set(16, be32: tuple.destination.v4)
        } else {
            unsafe network.set(0, byte: 0x60)
            unsafe network.set(4, be16: UInt16(payload))
            unsafe network.set(6, byte: tuple.transport)
            unsafe network.set(7, byte: 64)
            unsafe network.set(8, be64: tuple.source.high)
            unsafe network.set(16, be64: tuple.source.low)
            unsafe network.set(24, be64: tuple.destination.high)
            unsafe network.set(32, be64: tuple.destination.low)
        }
        let transport = unsafe network + headerLength
        unsafe transport.set(0, le32: tuple.ports)
        switch tuple.transport {
        case 6: unsafe transport.set(12, be16: 0x5002)
        case 17: unsafe transport.set(4, be16: UInt16(payload))
        default:
            unsafe transport.set(12, byte: 1)
            unsafe transport.set(14, be16: UInt16(payload - 12))
        }
        return 14 + headerLength + payload
    }
}
