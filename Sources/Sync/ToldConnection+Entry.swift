package import LVS

extension ToldConnection {
    /// What an entry of a message tells the engine.
    package init(_ entry: SyncEntry) {
        self.init(
            transport: entry.transport, client: entry.client, clientPort: entry.clientPort,
            virtual: entry.virtual, virtualPort: entry.virtualPort, real: entry.real,
            realPort: entry.realPort, method: entry.flags.method, state: entry.state)
        isTemplate = entry.flags.contains(.isTemplate)
        isInactive = entry.flags.contains(.isInactive)
        hasNoOutput = entry.flags.contains(.hasNoOutput)
        hasUnknownPort = entry.flags.contains(.hasNoClientPort)
        mark = entry.mark
        timeoutSeconds = entry.timeoutSeconds
        if let shifts = entry.shifts {
            if entry.flags.contains(.hasInputShift) { clientShift = SequenceShift(shifts.input) }
            if entry.flags.contains(.hasOutputShift) { serverShift = SequenceShift(shifts.output) }
        }
        engineData = entry.engineData
        engineName = entry.engineName.map { String(decoding: $0, as: UTF8.self) }
    }
}

extension SequenceShift {
    fileprivate init(_ shift: SyncEntry.Shift) {
        self.init()
        position = shift.start
        before = shift.earlierDelta
        after = shift.delta
    }
}
