internal import LVS

/// The connection table for programs, from the text of `connections`: one connection a line, written
/// while it is read.
struct ConnectionJSON {
    private var unfinished: [UInt8] = []
    private var isFirstLine = true
    private var count = 0

    /// What stands before the first connection.
    static let begin = "{\n  \"connections\": ["

    /// What stands behind the last one.
    var end: String { count == 0 ? "]\n}\n" : "\n  ]\n}\n" }

    /// The connections that are complete with this piece.
    mutating func take(_ piece: ArraySlice<UInt8>) -> String {
        var text = ""
        var rest = piece
        while let end = rest.firstIndex(of: 0x0a) {
            unfinished.append(contentsOf: rest[..<end])
            if let value = line(String(decoding: unfinished, as: UTF8.self)) {
                text += (count == 0 ? "" : ",") + "\n    " + value.line
                count += 1
            }
            unfinished.removeAll(keepingCapacity: true)
            rest = rest[(end + 1)...]
        }
        unfinished.append(contentsOf: rest)
        return text
    }

    /// One line of the table; the first is its header, and what is no entry is skipped.
    private mutating func line(_ text: String) -> JSONValue? {
        if isFirstLine {
            isFirstLine = false
            return nil
        }
        let fields = text.split(separator: " ")
        guard fields.count >= 11, let seconds = UInt64(fields[8]),
            let client = Self.endpoint(fields[1], fields[2]),
            let virtual = Self.endpoint(fields[3], fields[4]),
            let server = Self.endpoint(fields[5], fields[6])
        else { return nil }
        let hasEngine = fields.count >= 13
        return .members([
            "protocol": .text(fields[0].lowercased()), "state": .text(String(fields[7])),
            "expires": .large(seconds), "client": client, "virtual": virtual, "server": server,
            "local": Self.endpoint(fields[9], fields[10]),
            "engine": hasEngine ? .text(String(fields[11])) : nil,
            "engine_data": hasEngine
                ? .text(fields[12...].joined(separator: " ")) : nil,
        ])
    }

    private static func endpoint(_ address: Substring, _ port: Substring) -> JSONValue? {
        guard let port = UInt16(port, radix: 16) else { return nil }
        let text: String
        if address.contains(":") {
            guard let value = ValueWords.ipv6(String(address)) else { return nil }
            text = AddressNames.text(value, .v6)
        } else {
            guard let value = UInt32(address, radix: 16) else { return nil }
            text = AddressNames.ipv4(value)
        }
        return .members(["address": .text(text), "port": .count(port)])
    }
}
