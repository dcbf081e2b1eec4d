/// The state table of TCP as ipvs-semantics 4.5 prints it, with its timeouts; read from the text for
/// each packet.
enum PlainTCP {
    /// From, then inbound S F A R, outbound S F A R, input only S F A R.
    private static let rows = """
        NO SR CL ES CL SS TW ES CL SR CL ES CL
        ES ES CW ES CL ES FW ES CL ES FW ES CL
        SS ES SS SS CL SS SS SS SS ES SS SS CL
        SR SR TW ES SR SR TW ES CL SR TW ES SR
        FW SR TW FW CL SS FW FW CL SR FW FW CL
        TW SR TW TW CL SS TW TW TW SR TW TW CL
        CL SR CL CL CL SS CL CL CL SR CL CL CL
        CW SR CW CW CL SS TW CW CL SR CW CW CL
        LA SR LA CL LA SS LA LA CL SR LA CL LA
        LI SR LI LI LI LI LI ES CL SR LI LI LI
        SA SR TW ES SR SR TW ES CL SR TW ES CL
        """
    /// Column and event, then from:to with `secure_tcp`.
    private static let secure = """
        IN S SA:SA
        IN F SA:SA
        IN A SR:SR SA:SA
        IN R SA:CL
        OUT S SR:SA SA:SA
        INO S NO:SA FW:SA TW:SA CL:SA CW:SA LA:SA LI:SA SA:SA
        """
    private static let cells: [String: [String]] = {
        var cells: [String: [String]] = [:]
        for row in rows.split(separator: "\n") {
            let words = row.split(separator: " ").map(String.init)
            cells[words[0]] = Array(words.dropFirst())
        }
        return cells
    }()
    private static let secureCells: [String: String] = {
        var cells: [String: String] = [:]
        for row in secure.split(separator: "\n") {
            let words = row.split(separator: " ").map(String.init)
            for change in words.dropFirst(2) {
                let ends = change.split(separator: ":")
                cells["\(words[0]) \(words[1]) \(ends[0])"] = String(ends[1])
            }
        }
        return cells
    }()

    static let names = [
        "NO": "NONE", "ES": "ESTABLISHED", "SS": "SYN_SENT", "SR": "SYN_RECV", "FW": "FIN_WAIT",
        "TW": "TIME_WAIT", "CL": "CLOSE", "CW": "CLOSE_WAIT", "LA": "LAST_ACK", "LI": "LISTEN",
        "SA": "SYNACK",
    ]

    /// The new state; `column` is IN, OUT or INO, `flags` the flag byte of the segment.
    static func next(_ state: String, column: String, flags: Int, secure: Bool) -> String {
        let event =
            flags & 4 != 0
            ? "R" : flags & 2 != 0 ? "S" : flags & 1 != 0 ? "F" : flags & 16 != 0 ? "A" : "-"
        guard let position = ["S", "F", "A", "R"].firstIndex(of: event) else { return "CL" }
        if secure, let changed = secureCells["\(column) \(event) \(state)"] { return changed }
        let offset = column == "IN" ? 0 : column == "OUT" ? 4 : 8
        return cells[state]?[offset + position] ?? "CL"
    }

    static func isActive(_ state: String) -> Bool { ["ES", "SS", "SR", "SA"].contains(state) }

    /// Seconds; `established` and `finWait` are the operator's.
    static func timeout(_ state: String, established: Int, finWait: Int) -> Int {
        switch state {
        case "NO": 2
        case "ES": established
        case "SR", "CW": 60
        case "FW": finWait
        case "CL": 10
        case "LA": 30
        default: 120
        }
    }
}
