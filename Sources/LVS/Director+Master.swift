// Connections that this director tells others of: the engine's side of a master (ipvs-semantics 9.4).

extension Director {
    /// Tells whether the master of connection synchronisation runs; each start forgets what was told.
    ///
    /// Before the first one, `syncQueues` stay empty, whatever happens.
    package func setMasterDaemon(isRunning: Bool) {
        guard isRunning != live.isMaster else { return }
        guard isRunning else { return live.take(isMaster: false) }
        synchroniser.marks.clear()
        for queue in syncQueues { queue.open() }
        live.take(isMaster: true)
    }

    /// What workers and the housekeeper have others told of; for one reader, whatever its thread, which
    /// keeps the director meanwhile.
    package var syncQueues: [SyncQueue] {
        (workers.map(\.synchroniser) + [synchroniser]).map(\.queue)
    }

    /// Has others told of a template or control connection that lives on although its time has passed, since
    /// others hang on it, and of what it hangs on itself.
    func tellOfRenewal(_ renewed: Connection) {
        guard live.isMaster else { return }
        synchroniser.follow(renewed, packets: live.syncRules.packet, now: now)
    }
}
