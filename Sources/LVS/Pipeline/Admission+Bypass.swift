// Packets that go on to their own destination past all servers (ipvs-semantics 1.3, 6.7).

extension Admission {
    /// A connection without a server for what a service by mark has no server for, when the operator
    /// wants that (`cache_bypass`) and the packet is not for the host itself; else nil.
    func bypass(
        _ packet: Packet, mark: UInt32, _ service: Service, _ services: ServiceTable, now: Instant
    ) -> Admitted? {
        let destination = packet.destination
        guard service.port == nil, settings.bypassesCache, !isForError,
            !services.isHost(destination), destination.isUnicast
        else { return nil }
        var spec = ConnectionSpec(
            tuple: packet.tuple, real: destination.isV4 ? .anyV4 : .anyV6, realPort: 0,
            method: .bypass, destination: Destination.none)
        spec.mark = mark
        if service.isOnePacket, packet.transport == .udp {
            let connection = onePacket.connection(spec, now: now)
            note(connection, .bypass, now: now)
            return .once(connection)
        }
        switch table.insert(spec, worker: worker, now: now) {
        case .inserted(let connection), .existing(let connection):
            note(connection, .bypass, now: now)
            return .connection(connection)
        case .full: return .verdict(.drop(.tableFull))
        }
    }
}
