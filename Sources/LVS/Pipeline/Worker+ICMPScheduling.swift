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
        let mark = path.services.mark(of: packet, in: burst[index], telling: listener)
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
            listener?.note(.notScheduled(.errorOfReply))
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
            let length = unsafe RequestFrame.write(reply.reversed, start)
            let frame = unsafe Frame(
                bytes: start, length: length, capacity: 128, headroom: 0, ingress: 0)
            return admission.admit(
                Packet(parsing: frame), mark: mark, services: path.services, now: path.now)
        }
    }
}
