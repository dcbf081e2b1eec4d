/// States of a TCP connection, numbered as IPVS numbers them (ipvs-semantics 4.5).
package enum TCPState: UInt8, CaseIterable, Sendable {
    case none = 0
    case established, synSent, synReceived, finWait, timeWait, close, closeWait, lastAck, listen
    case synAck

    /// The word in connection listings.
    package var name: String {
        switch self {
        case .none: "NONE"
        case .established: "ESTABLISHED"
        case .synSent: "SYN_SENT"
        case .synReceived: "SYN_RECV"
        case .finWait: "FIN_WAIT"
        case .timeWait: "TIME_WAIT"
        case .close: "CLOSE"
        case .closeWait: "CLOSE_WAIT"
        case .lastAck: "LAST_ACK"
        case .listen: "LISTEN"
        case .synAck: "SYNACK"
        }
    }

    /// Counted as active in the connection's destination (ipvs-semantics 4.4).
    package var isActive: Bool {
        switch self {
        case .established, .synSent, .synReceived, .synAck: true
        default: false
        }
    }

    /// Seconds without a packet after which a connection in this state ends, where no setting says
    /// otherwise.
    package var timeoutSeconds: UInt32 {
        switch self {
        case .none: 2
        case .established: 900
        case .synReceived, .closeWait: 60
        case .close: 10
        case .lastAck: 30
        case .synSent, .finWait, .timeWait, .listen, .synAck: 120
        }
    }
}

/// What a TCP header says to the state machine: the first of these flags that is set.
package enum TCPEvent: UInt8, CaseIterable, Sendable {
    case syn = 0
    case fin, ack, reset
    /// None of the four flags.
    case nothing

    /// The flags that decide on the event: FIN, SYN, RST and ACK.
    static let deciding: UInt8 = 0x17
    /// ACK alone.
    static let acknowledgement: UInt8 = 0x10

    /// The event of a header's flag byte.
    package init(flags: UInt8) {
        if flags & 4 != 0 {
            self = .reset
        } else if flags & 2 != 0 {
            self = .syn
        } else if flags & 1 != 0 {
            self = .fin
        } else if flags & 16 != 0 {
            self = .ack
        } else {
            self = .nothing
        }
    }
}

/// Which columns of the state tables a packet is looked up in.
package enum StateColumn: UInt8, CaseIterable, Sendable {
    /// From the client.
    case inbound = 0
    /// From the real server.
    case outbound
    /// From the client while no packet of the server is expected here (DR, TUN, local).
    case inputOnly
}

/// The state tables of TCP, the plain one and the one of `secure_tcp`, as text: rows are old states,
/// columns direction and event (ipvs-semantics 4.5).
package enum TCPTransitions {
    private static let columns =
        "NO ES SS SR FW TW CL CW LA LI SA"

    // Columns: inbound S F A R, outbound S F A R, input only S F A R.
    private static let rows: [(String, String)] = [
        ("NO", "SR CL ES CL SS TW ES CL SR CL ES CL"),
        ("ES", "ES CW ES CL ES FW ES CL ES FW ES CL"),
        ("SS", "ES SS SS CL SS SS SS SS ES SS SS CL"),
        ("SR", "SR TW ES SR SR TW ES CL SR TW ES SR"),
        ("FW", "SR TW FW CL SS FW FW CL SR FW FW CL"),
        ("TW", "SR TW TW CL SS TW TW TW SR TW TW CL"),
        ("CL", "SR CL CL CL SS CL CL CL SR CL CL CL"),
        ("CW", "SR CW CW CL SS TW CW CL SR CW CW CL"),
        ("LA", "SR LA CL LA SS LA LA CL SR LA CL LA"),
        ("LI", "SR LI LI LI LI LI ES CL SR LI LI LI"),
        ("SA", "SR TW ES SR SR TW ES CL SR TW ES CL"),
    ]

    /// What `secure_tcp` changes: column, event, and from -> to.
    private static let secureCells: [(StateColumn, TCPEvent, String)] = [
        (.inbound, .syn, "SA>SA"),
        (.inbound, .fin, "SA>SA"),
        (.inbound, .ack, "SR>SR SA>SA"),
        (.inbound, .reset, "SA>CL"),
        (.outbound, .syn, "SR>SA SA>SA"),
        (.inputOnly, .syn, "NO>SA FW>SA TW>SA CL>SA CW>SA LA>SA LI>SA SA>SA"),
    ]

    /// The new state: a byte for each (secure, column, event, old state); see `index`.
    static func table() -> [UInt8] {
        let names = columns.split(separator: " ").map(String.init)
        func number(_ name: some StringProtocol) -> UInt8 {
            UInt8(names.firstIndex(of: String(name)) ?? 0)
        }
        var cells = [UInt8](repeating: TCPState.close.rawValue, count: StateMachine.tableBytes)
        for secure in [false, true] {
            for (from, text) in rows {
                for (position, to) in text.split(separator: " ").enumerated() {
                    let index = StateMachine.index(
                        secure: secure, column: UInt8(position / 4), event: UInt8(position % 4),
                        state: number(from))
                    cells[index] = number(to)
                }
            }
        }
        for (column, event, text) in secureCells {
            for change in text.split(separator: " ") {
                let ends = change.split(separator: ">")
                let index = StateMachine.index(
                    secure: true, column: column.rawValue, event: event.rawValue,
                    state: number(ends[0]))
                cells[index] = number(ends[1])
            }
        }
        return cells
    }
}
