/// States of an SCTP association, numbered as IPVS numbers them (ipvs-semantics 4.6).
package enum SCTPState: UInt8, CaseIterable, Sendable {
    case none = 0
    case firstInit, initiated, cookieSent, cookieReplied, cookieWait, cookie, cookieEchoed
    case established, shutdownSent, shutdownReceived, shutdownAckSent, rejected, closed

    /// The word in connection listings.
    package var name: String {
        switch self {
        case .none: "NONE"
        case .firstInit: "INIT1"
        case .initiated: "INIT"
        case .cookieSent: "C-SENT"
        case .cookieReplied: "C-REPLIED"
        case .cookieWait: "C-WAIT"
        case .cookie: "COOKIE"
        case .cookieEchoed: "C-ECHOED"
        case .established: "ESTABLISHED"
        case .shutdownSent: "S-SENT"
        case .shutdownReceived: "S-RECEIVED"
        case .shutdownAckSent: "S-ACK-SENT"
        case .rejected: "REJECTED"
        case .closed: "CLOSED"
        }
    }

    /// Counted as active in the connection's destination (ipvs-semantics 4.4).
    package var isActive: Bool { self == .established }

    /// Seconds without a packet after which a connection in this state ends; no setting changes it.
    package var timeoutSeconds: UInt32 {
        switch self {
        case .none: 2
        case .firstInit, .rejected: 4
        case .established: 900
        default: 61
        }
    }
}

/// What an SCTP packet says to the state machine, in the order of the table's columns.
package enum SCTPEvent: UInt8, CaseIterable, Sendable {
    /// Every chunk without an event of its own, unknown ones included.
    case data = 0
    case initiate, initiateAck, cookieEcho, cookieAck, shutdown, shutdownAck, shutdownComplete
    case error, abort

    /// The event of a chunk type (RFC 9260 section 3.2).
    package init(chunk type: UInt8) {
        switch type {
        case 1: self = .initiate
        case 2: self = .initiateAck
        case 6: self = .abort
        case 7: self = .shutdown
        case 8: self = .shutdownAck
        case 9: self = .error
        case 10: self = .cookieEcho
        case 11: self = .cookieAck
        case 14: self = .shutdownComplete
        default: self = .data
        }
    }
}

extension Packet {
    /// The event of an SCTP packet: its first chunk, or an ABORT behind COOKIE ECHO or COOKIE ACK;
    /// nil when it ends before the first chunk's header does.
    var sctpEvent: SCTPEvent? {
        guard let first = sctpChunkForStates(at: 0) else { return nil }
        let event = SCTPEvent(chunk: first.type)
        guard event == .cookieEcho || event == .cookieAck, first.length >= 4,
            let second = sctpChunkForStates(at: (Int(first.length) + 3) & ~3),
            SCTPEvent(chunk: second.type) == .abort
        else { return event }
        return .abort
    }
}

/// The state table of SCTP as text: a block for each of `StateColumn`, rows are old states, columns
/// events (ipvs-semantics 4.6).
package enum SCTPTransitions {
    private static let names = "NO I1 IN CS CR CW CO CE ES SS SR SA RJ CL"

    private static let inbound = """
        NO ES I1 CW CR ES SR CL CL CL CL
        I1 I1 IN CW IN I1 I1 IN CL I1 CL
        IN IN IN CW IN IN IN IN CL IN CL
        CS CS CS CS CR CS CS CS CS CS CL
        CR CR CR CR CR CR CR CR CR CR CL
        CW CW CW CO CW CW CW CW CW CW RJ
        CO CO CO CO CO CO CO CO CO CO CL
        CE CE CE CE CE ES CE CE CE CL CL
        ES ES ES ES ES ES SR ES ES ES CL
        SS SS SS SS SS SS SS CL SS SS CL
        SR SR SR SR SR SR SR SR SR SR CL
        SA SA SA SA SA SA SA CL CL SA CL
        RJ RJ IN RJ RJ RJ RJ RJ RJ RJ CL
        CL CL IN CL CL CL CL CL CL CL CL
        """

    private static let outbound = """
        NO ES CW CS CE ES SS SA CL CL CL
        I1 I1 CW CS CE ES SS SA I1 CL RJ
        IN IN CW CS CE ES SS SA IN CL CL
        CS CS CW CS CE ES SS SA CS CL CL
        CR CR CW CR CE ES SS SA CR CL CL
        CW CW CW CW CE ES SS CW CW CW CL
        CO CO CW CO CE ES SS CO CO CO CL
        CE CE CW CE CE ES SS CE CE CE CL
        ES ES ES ES ES ES SS ES ES ES CL
        SS SS CW SS SS SS SS SA SS SS CL
        SR SR CW SR SR SR SR SA SR SR CL
        SA SA CW SA SA SA SA SA SA SA CL
        RJ RJ CW RJ RJ RJ RJ RJ RJ RJ CL
        CL CL CW CL CL CL CL CL CL CL CL
        """

    private static let inputOnly = """
        NO ES I1 CE ES ES SR CL CL CL CL
        I1 I1 IN CE ES I1 I1 IN CL I1 CL
        IN IN IN CE ES IN IN IN CL IN CL
        CS CS IN CE ES ES CS CS CL CS CL
        CR CR IN CE ES ES CR CR CL CR CL
        CW ES IN CE ES CW CW CW CW CW RJ
        CO CO CO CO CO ES CO CO CO CO CL
        CE CE CE CE CE ES CE CE CE CE CL
        ES ES ES ES ES ES SR CL ES ES CL
        SS SS SS SS SS SS SS CL SS SS CL
        SR SR SR SR SR SR SR SR CL SR CL
        SA SA SA SA SA SA SA CL CL SA CL
        RJ RJ IN RJ RJ RJ RJ RJ RJ RJ CL
        CL CL IN CL CL CL CL CL CL CL CL
        """

    /// The new state: a byte for each (column, event, old state); see `StateMachine.sctpIndex`.
    static func table() -> [UInt8] {
        let names = names.split(separator: " ")
        func number(_ name: Substring) -> UInt8 { UInt8(names.firstIndex(of: name) ?? 0) }
        var cells = [UInt8](
            repeating: SCTPState.closed.rawValue, count: StateMachine.sctpTableBytes)
        for (column, block) in [inbound, outbound, inputOnly].enumerated() {
            for row in block.split(separator: "\n") {
                let words = row.split(separator: " ")
                for (event, to) in words.dropFirst().enumerated() {
                    let index = StateMachine.sctpIndex(
                        column: UInt8(column), event: UInt8(event), state: number(words[0]))
                    cells[index] = number(to)
                }
            }
        }
        return cells
    }
}
