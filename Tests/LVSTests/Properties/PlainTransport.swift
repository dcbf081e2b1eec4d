import LVS

/// What a model of connections asks about TCP and SCTP.
///
/// A packet is a number: the flag byte of a segment, or the type of the first chunk.
enum PlainTransport {
    case tcp, sctp

    private static let abort = 6
    private static let initiate = 1

    /// The new state; `column` is IN, OUT or INO.
    func next(_ state: String, column: String, packet: Int, secure: Bool) -> String {
        self == .tcp
            ? PlainTCP.next(state, column: column, flags: packet, secure: secure)
            : PlainSCTP.next(state, column: column, chunk: packet)
    }

    func isActive(_ state: String) -> Bool {
        self == .tcp ? PlainTCP.isActive(state) : state == "ES"
    }

    /// Seconds; `established` and `finWait` are the operator's, for TCP.
    func timeout(_ state: String, established: Int, finWait: Int) -> Int {
        self == .tcp
            ? PlainTCP.timeout(state, established: established, finWait: finWait)
            : PlainSCTP.timeout(state)
    }

    /// The state's word in listings.
    func name(_ state: String) -> String {
        (self == .tcp ? PlainTCP.names[state] : PlainSCTP.names[state]) ?? ""
    }

    func isOpener(_ packet: Int) -> Bool {
        self == .tcp ? packet & 2 != 0 : packet == PlainTransport.initiate
    }

    /// Whether a packet without a connection asks for one (ipvs-semantics 1.2).
    func opens(_ packet: Int, isSloppy: Bool) -> Bool {
        let isReset = self == .tcp ? packet & 4 != 0 : packet == PlainTransport.abort
        return !isReset && (isOpener(packet) || isSloppy)
    }

    /// Whether an opener takes the place of a connection in this state (ipvs-semantics 4.7).
    func isReused(_ state: String, mode: Int, isInputOnly: Bool) -> Bool {
        guard mode != 0 else { return false }
        guard self == .tcp else { return state == "CL" }
        return state == "TW" || state == "CL" || (mode & 2 != 0 && state == "FW" && isInputOnly)
    }
}

/// The state tables of SCTP as ipvs-semantics 4.6 prints them, read from the text for each packet.
enum PlainSCTP {
    static let names = [
        "NO": "NONE", "I1": "INIT1", "IN": "INIT", "CS": "C-SENT", "CR": "C-REPLIED",
        "CW": "C-WAIT", "CO": "COOKIE", "CE": "C-ECHOED", "ES": "ESTABLISHED", "SS": "S-SENT",
        "SR": "S-RECEIVED", "SA": "S-ACK-SENT", "RJ": "REJECTED", "CL": "CLOSED",
    ]
    /// By column and state, the new states in the order of the table's events.
    private static let cells: [String: [String]] = {
        var cells: [String: [String]] = [:]
        for (column, text) in SCTPTests.rows {
            let name = column == .inbound ? "IN" : column == .outbound ? "OUT" : "INO"
            for row in text.split(separator: "\n") {
                let words = row.split(separator: " ").map(String.init)
                cells["\(name) \(words[0])"] = Array(words.dropFirst())
            }
        }
        return cells
    }()

    /// Chunk types (RFC 9260) in the order of the table; everything else counts as data.
    private static let events = [0, 1, 2, 10, 11, 7, 8, 14, 9, 6]

    static func next(_ state: String, column: String, chunk: Int) -> String {
        let event = events.firstIndex(of: chunk) ?? 0
        return cells["\(column) \(state)"]?[event] ?? "no row"
    }

    static func timeout(_ state: String) -> Int {
        switch state {
        case "NO": 2
        case "I1", "RJ": 4
        case "ES": 900
        default: 61
        }
    }
}
