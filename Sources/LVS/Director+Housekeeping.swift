extension Director {
    /// Seconds that ports of the long rest have at least: as long as servers stay in TIME_WAIT.
    private static let longRestSeconds: UInt64 = 60

    /// Does what passes with time: expiry, estimates, the trash, memory nobody holds any more.
    ///
    /// Call it every 250 ms or more often; a time before the last one counts as that.
    package func tick(_ time: Instant) {
        if time > now { now = time }
        sweep()
        if isTableStale { publish() }
        freeRetired()
        nextHops.reclaim()
        for entry in trash.look(now, isReferenced: isReferenced) {
            directory?.clear(entry.record.number)
            numbers.giveBack(entry.record.number)
        }
        if now >= nextSecond {
            endLingeringReplies()
            endLingeringLocals()
            decideDefences()
            dropEntries()
            for record in records { record.object.tick(now) }
            cells.ports.turn(.short)
            secondsOfPorts += 1
            if secondsOfPorts % Director.longRestSeconds == 0 { cells.ports.turn(.long) }
            nextSecond = now.advanced(bySeconds: 1)
        }
        estimate()
    }

    /// True while a deleted server has connections, or its service's scheduler may come back to it.
    private func isReferenced(_ entry: Trash.Entry) -> Bool {
        if cells[entry.record.number].isReferenced { return true }
        guard let record = record(entry.service), record.object.generation == entry.generation
        else { return false }
        return record.object.remembers(entry.record.number)
    }

    /// Ends every connection whose timeout has passed.
    private func sweep() {
        let housekeeper = configuration.workers
        var position: UInt32 = 0
        repeat {
            position = table.sweep(
                from: position, count: 1 << 16, worker: housekeeper, now: now,
                removed: cells.release, renewed: tellOfRenewal)
        } while position != 0
        table.reclaim(housekeeper)
    }

    /// Runs the estimator once for each period that has passed (ipvs-semantics 8.2).
    private func estimate() {
        // After a long sleep old periods have no rate left to show.
        let longest: UInt64 = 64 * Estimator.periodNanoseconds
        if now.nanoseconds > nextEstimate.nanoseconds &+ longest {
            nextEstimate = Instant(nanoseconds: now.nanoseconds - longest)
        }
        while now >= nextEstimate {
            nextEstimate = Instant(
                nanoseconds: nextEstimate.nanoseconds &+ Estimator.periodNanoseconds)
            guard isEstimating else { continue }
            for record in records {
                for index in record.servers.indices {
                    record.servers[index].meter.step(read(record.servers[index].number))
                }
                record.meter.step(counters(of: record))
            }
            totalMeter.step(totalCounters())
        }
    }

    /// Ends the connections of servers that were deleted, when `expire_nodest_conn=1` says so, and
    /// then the control connections and templates that nothing hangs on any more.
    func expireConnectionsWithoutDestination() {
        guard live.expiresConnectionsWithoutDestination else { return }
        let housekeeper = configuration.workers
        // First what hangs on others, then control connections, which hang on templates, then those.
        for rank in 0..<3 {
            table.forEach { connection in
                let number = connection.destination
                let own = connection.isTemplate ? 2 : connection.hasHelper ? 1 : 0
                guard own == rank, number != Destination.none, !cells[number].isAvailable else {
                    return
                }
                if table.expireUnheld(connection, worker: housekeeper) {
                    cells.release(connection)
                }
            }
        }
        table.reclaim(housekeeper)
    }
}
