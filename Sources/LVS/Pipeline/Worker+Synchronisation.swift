// The master's part of a worker: after each packet from a client, whether other directors are to be told.

extension Worker {
    /// The third wave while there is a master: as `finish`, with a look at each connection afterwards.
    @inline(never)
    func finishTelling(_ burst: inout Burst, _ count: Int, _ path: FastPath) {
        let rules = synchroniser.settings.syncRules
        var sent: UInt64 = 0
        for index in 0..<count {
            let exit = unsafe path.forward(pending + index)
            if exit == .sent {
                sent &+= 1
                synchroniseSent(index, rules, path)
            } else {
                finish(index, by: exit, &burst, path)
            }
        }
        tally.countFrames(received: UInt64(count), sent: sent)
    }

    /// Looks at the connection of a packet that the fast path has sent.
    func synchroniseSent(_ index: Int, _ path: FastPath) {
        synchroniseSent(index, synchroniser.settings.syncRules, path)
    }

    @inline(__always)
    private func synchroniseSent(_ index: Int, _ rules: SyncRules, _ path: FastPath) {
        let word = unsafe pending[index].word
        guard word >> 32 & 1 == 0 else { return }
        let connection = path.table.connection(UInt32(truncatingIfNeeded: word))
        guard !rules.passOver(connection) else { return }
        synchroniser.follow(connection, rules, path.now)
    }

    /// Looks at the connection of a packet of its client that went another way.
    @inline(never)
    func synchronise(_ connection: Connection, _ packet: Packet, _ path: FastPath) {
        guard packet.kind != .icmpError else { return synchroniser.followError(connection) }
        synchroniser.follow(connection, now: path.now)
    }
}
