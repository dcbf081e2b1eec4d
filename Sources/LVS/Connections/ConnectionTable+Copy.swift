import Synchronization

// Entries copied from one table into another, for directors that are asked in place of a live one.

extension ConnectionSpec {
    /// What an entry like this one is made from, but for the entry that controls it.
    ///
    /// The destination keeps its number. Nil for templates of a persistence engine, which are told apart
    /// by what a packet says.
    init?(copying known: Connection) {
        guard known.engineData == nil else { return nil }
        self.init(
            tuple: ConnectionTuple(
                source: known.client, sourcePort: known.clientPort, destination: known.virtual,
                destinationPort: known.virtualPort, transport: known.transport),
            real: known.real, realPort: known.realPort, method: known.method,
            destination: known.destination)
        state = known.state
        isInactive = known.isInactive
        hasNoOutput = known.hasNoOutput
        isTemplate = known.isTemplate
        timeoutSeconds = known.timeoutSeconds
        mark = known.mark
        hasUnknownPort = known.hasUnknownPort
        isSynchronised = known.isSynchronised
        local = known.isFullNAT ? known.local : nil
        if known.hasHelper {
            hasHelper = true
            extraLines += 1
        }
        if let record = known.clientRecord { bind(record.options) }
    }
}

extension ConnectionTable {
    /// Makes an entry like one of another table, with its state and the time it has left; nil when there
    /// is no room or the entry is gone.
    ///
    /// The entry that controls it comes along. Only for a table that nobody else uses; the other one
    /// may be in use by workers, and the caller keeps its entries from being used again.
    func copy(_ known: Connection, of other: ConnectionTable, now: Instant) -> Connection? {
        guard known.isLive, var spec = ConnectionSpec(copying: known) else { return nil }
        if known.controller != Connection.noNumber,
            let controller = copy(other.connection(known.controller), of: other, now: now),
            hold(controller)
        {
            spec.controller = controller.number
        }
        switch insert(spec, worker: 0, now: now) {
        case .inserted(let made):
            made.takeOver(known, extraLines: spec.extraLines)
            return made
        case .existing(let made): return made
        case .full: return nil
        }
    }
}

extension Connection {
    /// Takes over what has changed in an entry of another table since it was made.
    fileprivate func takeOver(_ known: Connection, extraLines: Int) {
        // How many entries share a reply's key is the table's own business; templates have none.
        let kept = known.control.rawValue & (isTemplate ? .max : ~ConnectionControl.duplicate)
        _ = exchange(control, for: ConnectionControl(rawValue: kept))
        touch(known.lastSeen)
        setTimeout(known.timeoutSeconds)
        countInPackets(known.inPackets)
        if isTemplate { takeOverWords(of: known, at: [52]) }
        if hasShortRecord { takeOverWords(of: known, at: [32, 36]) }
        for index in 0..<extraLines {
            guard let old = unsafe known.extraLine(index), let new = unsafe extraLine(index) else {
                return
            }
            for offset in stride(from: 0, to: Connection.lineBytes, by: 4) {
                let from = unsafe (old + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
                let to = unsafe (new + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
                unsafe to.pointee.store(
                    from.pointee.load(ordering: .acquiring), ordering: .relaxed)
            }
        }
    }

    private func takeOverWords(of known: Connection, at offsets: [Int]) {
        for offset in offsets {
            unsafe word(offset).pointee.store(
                known.word(offset).pointee.load(ordering: .acquiring), ordering: .relaxed)
        }
    }
}
