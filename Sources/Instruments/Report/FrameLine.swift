/// A frame in one line: addresses and ports of all its headers from the outside in, and what it says.
enum FrameLine {
    static func text(_ frame: [UInt8]) -> String {
        var parts: [String] = []
        var ends: (source: String, destination: String)?
        for layer in HeaderLayer.layers(of: frame) {
            let values = Dictionary(layer.fields.map { ($0.name, $0.value) }) { first, _ in first }
            if let source = values["source"], let destination = values["destination"],
                layer.name != "Ethernet"
            {
                ends = (source, destination)
                parts.append("\(source) → \(destination)")
            } else if let from = values["source port"], let to = values["destination port"] {
                let name = layer.name.split(separator: " ").last.map { $0.lowercased() } ?? ""
                let flags = values["flags"].map { " " + $0 } ?? ""
                if let ends, !parts.isEmpty {
                    parts[parts.count - 1] =
                        "\(name) \(end(ends.source, from)) → \(end(ends.destination, to))\(flags)"
                }
            } else if layer.name.contains("ICMP") {
                let what = [values["message"], values["type"].map { "type \($0)" }]
                parts.append("\(layer.name) " + (what.compactMap { $0 }.first ?? ""))
            }
        }
        let line = parts.joined(separator: " | ")
        return line.isEmpty ? "\(frame.count) bytes" : "\(line), \(frame.count) bytes"
    }

    /// The Ethernet address that a frame is sent to.
    static func receiver(_ frame: [UInt8]) -> String? {
        HeaderLayer.layers(of: frame).first?.fields.first { $0.name == "destination" }?.value
    }

    private static func end(_ address: String, _ port: String) -> String {
        address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
    }
}
