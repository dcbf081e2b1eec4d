import Synchronization

// Control connections of a helper: what it remembers of them, in their first extra line, so that any
// worker can read it.
//
// ```
//  0  version of the shifts: odd while one is being changed
//  4  shift of the server's sequence numbers: position | before | after
// 16  the answer that is waited for
// 20  connections that hang on this one
// 24  how it has ended so far: `Ending`
// 28  shift of the client's sequence numbers, as above
// ```

extension Connection {
    /// In byte 49: a helper looks at the connection's packets.
    static let helperTrait: UInt8 = 0x80
    /// In byte 49: the client's port is not known yet, and stands as 0 in the keys.
    static let unknownPortTrait: UInt8 = 0x08
    /// Where the helper's line counts the connections that hang on this one.
    static let holdersOffset = 20

    /// True when a helper looks at the connection's packets.
    package var hasHelper: Bool { methodAndTraits & Connection.helperTrait != 0 }

    /// True for a data connection that a helper expects, until the client has opened it
    /// (NO_CPORT, ipvs-semantics 4.1).
    package var hasUnknownPort: Bool { methodAndTraits & Connection.unknownPortTrait != 0 }

    /// A word of the helper's line; nil for connections that no helper looks at.
    func helperWord(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt32>>? {
        guard hasHelper, let line = unsafe extraLine(0) else { return nil }
        return unsafe (line + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    /// The answer of the server that the helper waits for.
    var awaitedAnswer: FTP.Mode {
        get {
            guard let word = unsafe helperWord(16) else { return .active }
            return unsafe FTP.Mode(
                rawValue: UInt8(truncatingIfNeeded: word.pointee.load(ordering: .acquiring)))
                ?? .active
        }
        nonmutating set {
            guard let word = unsafe helperWord(16) else { return }
            unsafe word.pointee.store(UInt32(newValue.rawValue), ordering: .releasing)
        }
    }

    /// What connection tracking would remember of the end of a connection.
    struct Ending: OptionSet {
        var rawValue: UInt32

        /// One side has sent a FIN.
        static let finished = Ending(rawValue: 1)
        /// The last reset came from the server.
        static let resetByServer = Ending(rawValue: 2)
    }

    private var ending: Ending {
        guard let word = unsafe helperWord(24) else { return [] }
        return unsafe Ending(rawValue: word.pointee.load(ordering: .relaxed))
    }

    /// Notes a FIN or a reset.
    func noteEnding(_ packet: Packet, _ direction: Direction) {
        guard packet.tcpFlags & 5 != 0, let word = unsafe helperWord(24) else { return }
        if packet.tcpFlags & 1 != 0 {
            unsafe word.pointee.bitwiseOr(Ending.finished.rawValue, ordering: .relaxed)
        }
        guard packet.isReset else { return }
        let bit = Ending.resetByServer.rawValue
        if direction == .outbound {
            unsafe word.pointee.bitwiseOr(bit, ordering: .relaxed)
        } else {
            unsafe word.pointee.bitwiseAnd(~bit, ordering: .relaxed)
        }
    }

    /// True when connection tracking, on which IPVS leans for FTP, takes an opener for one more packet
    /// of this connection: its server has reset it without any FIN (ipvs-semantics 4.7).
    var isTrackedOn: Bool {
        hasHelper && ending == .resetByServer && state == TCPState.close.rawValue
    }

    /// How far a side's sequence numbers are from what the other side sees.
    ///
    /// A reader waits while a worker is between its few stores.
    package func shift(of sender: Direction) -> SequenceShift {
        guard let version = unsafe helperWord(0) else { return SequenceShift() }
        while true {
            let before = unsafe version.pointee.load(ordering: .acquiring)
            let shift = readShift(sender)
            let after = unsafe version.pointee.load(ordering: .relaxed)
            if before == after, before & 1 == 0 { return shift }
        }
    }

    /// Changes a side's shift; others see all of the change or nothing.
    func changeShift(of sender: Direction, _ change: (inout SequenceShift) -> Void) {
        guard let version = unsafe helperWord(0) else { return }
        var old = unsafe version.pointee.load(ordering: .relaxed)
        while true {
            old &= ~1
            let result = unsafe version.pointee.compareExchange(
                expected: old, desired: old | 1, ordering: .acquiringAndReleasing)
            if result.exchanged { break }
            old = result.original
        }
        var shift = readShift(sender)
        change(&shift)
        let start = Connection.shiftOffset(sender)
        let words = [(start, shift.position), (start + 4, shift.before), (start + 8, shift.after)]
        for (offset, value) in words {
            unsafe helperWord(offset)?.pointee.store(value, ordering: .releasing)
        }
        unsafe version.pointee.store(old &+ 2, ordering: .releasing)
    }

    private static func shiftOffset(_ sender: Direction) -> Int { sender == .outbound ? 4 : 28 }

    private func readShift(_ sender: Direction) -> SequenceShift {
        let start = Connection.shiftOffset(sender)
        var shift = SequenceShift()
        shift.position = unsafe helperWord(start)?.pointee.load(ordering: .acquiring) ?? 0
        shift.before = unsafe helperWord(start + 4)?.pointee.load(ordering: .acquiring) ?? 0
        shift.after = unsafe helperWord(start + 8)?.pointee.load(ordering: .acquiring) ?? 0
        return shift
    }

    /// Puts the connection into a state that only a helper knows of, and restarts its timer.
    func enter(_ state: TCPState, timeoutSeconds: UInt32, now: Instant) {
        var old = control
        while old.isLive {
            var new = old
            new.state = state.rawValue
            if exchange(old, for: new) { break }
            old = control
        }
        restart(timeoutSeconds: timeoutSeconds, now: now)
    }
}

/// What a connection hangs on, from one to the next: a control connection, a template.
struct Controllers: Sequence, IteratorProtocol {
    /// A connection that a helper expected hangs on its control connection, and that on a template.
    private static let longest = 3

    let table: ConnectionTable
    var number: UInt32
    private var left = Controllers.longest

    init(table: ConnectionTable, number: UInt32) {
        self.table = table
        self.number = number
    }

    mutating func next() -> Connection? {
        guard number != Connection.noNumber, left > 0 else { return nil }
        left -= 1
        let controller = table.connection(number)
        number = controller.controller
        return controller
    }
}

extension ConnectionTable {
    func controllers(of connection: Connection) -> Controllers {
        Controllers(table: self, number: connection.controller)
    }

    /// Gives a connection the client's port that its first packet has shown, and with FULLNAT a local
    /// one; nil when another worker was first, or the table is full.
    ///
    /// Keys never change, so it moves into a new entry, and with it its place in the destination's
    /// counts; `release` takes it off these when there is no new entry.
    package func learnPort(
        _ port: UInt16, by local: LocalEndpoint?, of known: Connection, worker: Int, now: Instant,
        release: (Connection) -> Void
    ) -> Connection? {
        let control = known.control
        var spec = ConnectionSpec(
            tuple: ConnectionTuple(
                source: known.client, sourcePort: port, destination: known.virtual,
                destinationPort: known.virtualPort, transport: known.transport),
            real: known.real, realPort: known.realPort, method: known.method,
            destination: control.destination)
        spec.state = control.state
        spec.isInactive = control.isInactive
        spec.hasNoOutput = control.hasNoOutput
        spec.timeoutSeconds = known.timeoutSeconds
        spec.mark = known.mark
        spec.local = local
        spec.isSynchronised = known.isSynchronised && local == nil
        spec.bindHelper()
        // The old entry's hold ends with it; this one keeps the control connection meanwhile.
        if known.controller != Connection.noNumber, hold(connection(known.controller)) {
            spec.controller = known.controller
        }
        guard expire(known, worker: worker) else {
            releaseHold(spec.controller)
            return nil
        }
        guard case .inserted(let made) = insert(spec, worker: worker, now: now) else {
            release(known)
            return nil
        }
        return made
    }

    /// True while some connection waits for its client's port.
    var hasUnknownPorts: Bool {
        unsafe header.pointee.unknownPorts.load(ordering: .acquiring) != 0
    }

    /// The connection that waits for a packet of this tuple, whatever its client's port.
    func findUnknownPort(_ tuple: ConnectionTuple, now: Instant) -> Connection? {
        guard hasUnknownPorts else { return nil }
        var key = tuple
        // The source's half of the word.
        key.ports &= 0xffff_0000
        guard let match = find(key, now: now), match.direction == .inbound,
            match.connection.hasUnknownPort
        else { return nil }
        return match.connection
    }
}
