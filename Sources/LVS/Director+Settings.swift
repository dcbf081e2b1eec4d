extension Director {
    /// Changes the timeouts; 0 keeps a value.
    package func setTimeouts(_ new: Timeouts) throws(CommandRefusal) {
        for seconds in [new.tcp, new.tcpFin, new.udp] where seconds > Timeouts.longest {
            throw .invalid("a timeout is at most \(Timeouts.longest) seconds, not \(seconds)")
        }
        if new.tcp != 0 { timeouts.tcp = new.tcp }
        if new.tcpFin != 0 { timeouts.tcpFin = new.tcpFin }
        if new.udp != 0 { timeouts.udp = new.udp }
        live.take(timeouts)
    }

    /// Changes a setting `net.ipv4.vs.*`; the prefix may be left out.
    package func set(name: String, value: Int) throws(CommandRefusal) {
        try change { settings throws(CommandRefusal) in try settings.set(name, value) }
    }

    /// Changes a setting to what a text says; `sync_threshold` may have two numbers.
    package func set(name: String, text: String) throws(CommandRefusal) {
        try change { settings throws(CommandRefusal) in try settings.set(name, text: text) }
    }

    private func change(
        _ body: (inout Settings) throws(CommandRefusal) -> Void
    ) throws(CommandRefusal) {
        let old = settings
        try body(&settings)
        live.take(settings)
        live.take(isOnlyBackup: hasBackupDaemon && settings["backup_only"] != 0)
        if EntryDefence.names.contains(where: { old[$0] != settings[$0] }) { decideDefences() }
        let wasEstimating = old["run_estimation"] != 0
        if wasEstimating != isEstimating { freezeCounters(!isEstimating) }
        for record in records { record.object.take(options(record.service)) }
    }

    /// False while `run_estimation=0` holds what statistics show (ipvs-semantics 8.2).
    var isEstimating: Bool { settings["run_estimation"] != 0 }

    private func freezeCounters(_ on: Bool) {
        for record in records {
            for index in record.servers.indices {
                let counters = read(record.servers[index].number)
                record.servers[index].meter.freeze(at: on ? counters : nil)
            }
            record.meter.freeze(at: on ? counters(of: record) : nil)
        }
        totalMeter.freeze(at: on ? totalCounters() : nil)
    }
}
