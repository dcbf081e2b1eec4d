/// State tables and timeouts as the packet path reads them: flat memory, no strings.
///
/// One for each worker, so that a changed timeout is copied in at the beginning of a burst and
/// packets ask no shared word.
@safe
package struct StateMachine: @unchecked Sendable {
    /// secure 2 x column 3 (of 4) x event 5 (of 8) x state 11 (of 16).
    static let tableBytes = 2 * 4 * 8 * 16
    private static let stateCount = 16
    /// column 3 (of 4) x event 10 (of 16) x state 14 (of 16).
    static let sctpTableBytes = 4 * 16 * 16

    /// New states, then the event of each of 256 flag bytes.
    private let cells: UnsafeMutablePointer<UInt8>
    /// Timeout of every TCP state, then of UDP, seconds.
    private let timeouts: UnsafeMutablePointer<UInt32>
    /// New states of SCTP.
    private let sctpCells: UnsafeMutablePointer<UInt8>
    /// Timeout of every SCTP state, seconds.
    private let sctpTimeouts: UnsafeMutablePointer<UInt32>

    /// Takes its memory from the heap; `deallocate` gives it back.
    package init() {
        unsafe cells = .allocate(capacity: StateMachine.tableBytes + 256)
        for (index, cell) in TCPTransitions.table().enumerated() {
            unsafe (cells + index).initialize(to: cell)
        }
        for flags in UInt8.min...UInt8.max {
            unsafe (cells + StateMachine.tableBytes + Int(flags)).initialize(
                to: TCPEvent(flags: flags).rawValue)
        }
        unsafe timeouts = .allocate(capacity: StateMachine.stateCount + 1)
        unsafe timeouts.initialize(repeating: 0, count: StateMachine.stateCount + 1)
        for state in TCPState.allCases {
            unsafe timeouts[Int(state.rawValue)] = state.timeoutSeconds
        }
        unsafe timeouts[StateMachine.stateCount] = 300
        unsafe sctpCells = .allocate(capacity: StateMachine.sctpTableBytes)
        for (index, cell) in SCTPTransitions.table().enumerated() {
            unsafe (sctpCells + index).initialize(to: cell)
        }
        unsafe sctpTimeouts = .allocate(capacity: StateMachine.stateCount)
        unsafe sctpTimeouts.initialize(repeating: 0, count: StateMachine.stateCount)
        for state in SCTPState.allCases {
            unsafe sctpTimeouts[Int(state.rawValue)] = state.timeoutSeconds
        }
    }

    package func deallocate() {
        unsafe cells.deallocate()
        unsafe timeouts.deallocate()
        unsafe sctpCells.deallocate()
        unsafe sctpTimeouts.deallocate()
    }

    @inline(__always)
    static func index(secure: Bool, column: UInt8, event: UInt8, state: UInt8) -> Int {
        (secure ? 512 : 0) &+ Int(column) &* 128 &+ Int(event) &* 16 &+ Int(state & 15)
    }

    /// Takes the operator's timeouts over; they reach existing connections with their next packet.
    package func setTimeouts(_ new: Timeouts) {
        unsafe timeouts[Int(TCPState.established.rawValue)] = new.tcp
        unsafe timeouts[Int(TCPState.finWait.rawValue)] = new.tcpFin
        unsafe timeouts[StateMachine.stateCount] = new.udp
    }

    /// The state a TCP connection goes to.
    package func tcp(
        from state: TCPState, _ event: TCPEvent, _ column: StateColumn, secure: Bool = false
    ) -> TCPState {
        let index = StateMachine.index(
            secure: secure, column: column.rawValue, event: event.rawValue,
            state: state.rawValue)
        return unsafe TCPState(rawValue: cells[index]) ?? .close
    }

    /// The control word after a packet with these TCP flags: state, the inactive flag that follows
    /// from it, and the no-output flag, which the first packet of the server clears.
    @inline(__always)
    func nextTCP(
        _ old: ConnectionControl, flags: UInt8, side: Int, secure: Bool
    ) -> ConnectionControl {
        // Computed, not chosen: a branch on the direction would be guessed wrong half of the time.
        let outbound = UInt32(truncatingIfNeeded: side)
        let column = old.rawValue >> 9 & 2 & (outbound &- 1) | outbound
        let event = unsafe cells[StateMachine.tableBytes &+ Int(flags)]
        let index = StateMachine.index(
            secure: secure, column: UInt8(truncatingIfNeeded: column), event: event,
            state: old.state)
        let state = unsafe cells[index]
        // ESTABLISHED, SYN_SENT, SYN_RECV and SYNACK are the active states.
        let isActive = 0b100_0000_1110 as UInt32 &>> UInt32(state & 15) & 1
        let cleared = 0xff | ConnectionControl.inactive | outbound &* ConnectionControl.noOutput
        return ConnectionControl(
            rawValue: old.rawValue & ~cleared | UInt32(state)
                | (isActive ^ 1) &* ConnectionControl.inactive)
    }

    /// Seconds a TCP connection in this state lives without a packet.
    @inline(__always)
    package func tcpTimeoutSeconds(_ state: UInt8) -> UInt32 {
        unsafe timeouts[Int(state & 15)]
    }

    package var udpTimeoutSeconds: UInt32 {
        @inline(__always) get { unsafe timeouts[StateMachine.stateCount] }
    }

    // MARK: SCTP

    static func sctpIndex(column: UInt8, event: UInt8, state: UInt8) -> Int {
        Int(column & 3) &* 256 &+ Int(event & 15) &* 16 &+ Int(state & 15)
    }

    /// The state an SCTP connection goes to.
    package func sctp(
        from state: SCTPState, _ event: SCTPEvent, _ column: StateColumn
    ) -> SCTPState {
        let index = StateMachine.sctpIndex(
            column: column.rawValue, event: event.rawValue, state: state.rawValue)
        return unsafe SCTPState(rawValue: sctpCells[index]) ?? .closed
    }

    /// The control word after an SCTP packet, as `nextTCP` for TCP.
    func nextSCTP(
        _ old: ConnectionControl, _ event: SCTPEvent, _ direction: Direction
    ) -> ConnectionControl {
        let column: StateColumn =
            direction == .outbound ? .outbound : old.hasNoOutput ? .inputOnly : .inbound
        let state = sctp(
            from: SCTPState(rawValue: old.state) ?? .none, event, column)
        var new = old
        new.state = state.rawValue
        new.isInactive = !state.isActive
        if direction == .outbound { new.hasNoOutput = false }
        return new
    }

    /// Seconds an SCTP connection in this state lives without a packet.
    package func sctpTimeoutSeconds(_ state: UInt8) -> UInt32 {
        unsafe sctpTimeouts[Int(state & 15)]
    }
}

extension Connection {
    /// The state's word in connection listings; UDP has one only, templates have their own.
    package var stateName: String { stateName(state) }

    /// The word for another state of the connection.
    func stateName(_ state: UInt8) -> String {
        if isTemplate { return (TemplateState(rawValue: state) ?? .none).name }
        switch transport {
        case .tcp: return (TCPState(rawValue: state) ?? .none).name
        case .sctp: return (SCTPState(rawValue: state) ?? .none).name
        case .udp: return "UDP"
        default: return "NONE"
        }
    }
}
