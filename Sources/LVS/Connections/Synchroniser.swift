/// Decides for one thread whether other directors are to be told of a connection and of what that hangs on,
/// and puts them into its queue (ipvs-semantics 9.4).
@safe
struct Synchroniser {
    let table: ConnectionTable
    let settings: LiveSettings
    let marks: SyncMarks
    let queue: SyncQueue

    /// Looks at a connection after a packet of its client, which has been counted.
    func follow(_ connection: Connection, now: Instant) {
        follow(connection, settings.syncRules, now)
    }

    /// As above, under rules that have been looked up.
    @inline(never)
    func follow(_ connection: Connection, _ rules: SyncRules, _ now: Instant) {
        guard connection.number != Connection.noNumber else {
            // An entry for one packet is told of by nobody, but the template that it follows is.
            if !rules.isVersion0 { followControllers(of: connection, rules, now) }
            return
        }
        let packets = connection.inPackets
        // The entry was another connection's before.
        if packets == 1 { marks.forget(connection.number) }
        follow(connection, packets: packets, rules, now)
    }

    /// Looks at a connection after an ICMP error of its client, which may have been what opened it: nobody is
    /// told of that.
    func followError(_ connection: Connection) {
        if connection.number != Connection.noNumber, connection.inPackets <= 1 {
            marks.forget(connection.number)
        }
    }

    /// Looks at a connection as if it had had so many packets.
    func follow(_ connection: Connection, packets: UInt32, now: Instant) {
        follow(connection, packets: packets, settings.syncRules, now)
    }

    private func follow(
        _ connection: Connection, packets: UInt32, _ rules: SyncRules, _ now: Instant
    ) {
        let isTold = tell(connection, packets: packets, rules, now)
        if connection.controller != Connection.noNumber, isTold || !rules.isVersion0 {
            followControllers(of: connection, rules, now)
        }
    }

    private func followControllers(of connection: Connection, _ rules: SyncRules, _ now: Instant) {
        for controller in table.controllers(of: connection) {
            var packets = rules.packet
            if controller.isTemplate {
                controller.countInPackets(1)
                packets = controller.inPackets
                if packets == 1 { marks.forget(controller.number) }
            }
            let isTold = tell(controller, packets: packets, rules, now)
            if !isTold, rules.isVersion0 { return }
        }
    }

    /// Puts a connection into the queue when the rules want that; false when they do not.
    private func tell(
        _ connection: Connection, packets: UInt32, _ rules: SyncRules, _ now: Instant
    ) -> Bool {
        guard let mark = unsafe marks[connection.number],
            unsafe rules.wants(
                connection, packets: packets, mark, now: now,
                isOfTemplate: {
                    table.controllers(of: connection).contains { $0.isTemplate }
                })
        else { return false }
        // Of a connection with FULLNAT no message can tell: it has no place for the local port.
        if !connection.isFullNAT { queue.put(connection) }
        return true
    }
}
