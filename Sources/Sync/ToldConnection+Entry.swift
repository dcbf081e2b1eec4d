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
        isSynchronised = entry.flags.contains(.synchronised)
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

extension SyncEntry {
    /// What a message says of a connection that others are told of.
    package init(_ told: ToldConnection) {
        var flags = Flags(rawValue: UInt32(told.method & 7))
        if told.isTemplate { flags.insert(.isTemplate) }
        if told.isInactive { flags.insert(.isInactive) }
        if told.hasNoOutput { flags.insert(.hasNoOutput) }
        if told.hasUnknownPort { flags.insert(.hasNoClientPort) }
        if told.isSynchronised { flags.insert(.synchronised) }
        self.init(
            family: told.client.family, transport: told.transport, flags: flags,
            state: told.state, client: told.client, clientPort: told.clientPort,
            virtual: told.virtual, virtualPort: told.virtualPort, real: told.real,
            realPort: told.realPort)
        mark = told.mark
        timeoutSeconds = told.timeoutSeconds
        engineData = told.engineData
        engineName = told.engineName.map { Array($0.utf8) }
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
