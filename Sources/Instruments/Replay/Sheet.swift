package import LVS

/// Everything a replay is told in files: rules, settings and the network around the director.
///
/// A line is one of
/// ```
/// -A -t 192.0.2.1:80 -s wrr                   what ipvsadm -Sn and directorctl -Sn write
/// --set 900 120 300                           timeouts, as ipvsadm takes them
/// net.ipv4.vs.conn_reuse_mode = 0             a setting, as sysctl -p reads it
/// neighbour add 10.2.0.11 lladdr ... dev srv  the network, as ip -batch reads it
/// ```
/// Rules are left to who reads rules files; they come out with all other lines blank, so that their
/// numbers stay.
package struct Sheet: Hashable, Sendable {
    /// A line that cannot be followed.
    package struct Mistake: Error, Hashable, Sendable, CustomStringConvertible {
        /// Counted from 1.
        package var line: Int
        package var text: String
        /// The line as it stands in the file.
        package var content: String

        package var description: String { "line \(line): \(text): \(content)" }
    }

    /// A setting `net.ipv4.vs.*`, which the engine accepts.
    package struct Setting: Hashable, Sendable {
        package var name: String
        package var value: Int

        package init(name: String, value: Int) {
            self.name = name
            self.value = value
        }
    }

    /// The lines of rules, and blank ones for all others.
    package private(set) var rules = ""
    package private(set) var network = NetworkSheet()
    /// In their order.
    package private(set) var settings: [Setting] = []
    /// 0 where a timeout stays.
    package private(set) var timeouts = Timeouts(tcp: 0, tcpFin: 0, udp: 0)

    package init() {}

    /// Reads a file's text on top of what was read before; `rules` are those of this text only.
    package mutating func read(_ text: String) throws(Mistake) {
        var rules: [Substring] = []
        // By bytes, as a carriage return before the line's end would hide it among characters.
        let lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, bytes) in lines.enumerated() {
            let line = Substring(bytes)
            let first = Sheet.firstWord(bytes)
            guard !first.isEmpty, !first.hasPrefix("#") else {
                rules.append("")
                continue
            }
            do throws(NetworkSheet.Mistake) {
                if NetworkSheet.begins(with: first) {
                    try network.take(line)
                } else if first.hasPrefix("net."), let setting = Sheet.setting(line) {
                    try take(setting)
                } else if first == "--set" {
                    let words = line.split(whereSeparator: \.isWhitespace)
                    try takeTimeouts(words.dropFirst().map(String.init))
                } else {
                    rules.append(line)
                    continue
                }
            } catch {
                throw Mistake(line: index + 1, text: error.description, content: String(line))
            }
            rules.append("")
        }
        self.rules = rules.joined(separator: "\n")
    }

    /// What a line begins with, up to a blank; most lines are rules, and are split where they are read.
    private static func firstWord(_ line: Substring.UTF8View) -> Substring {
        func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
        return Substring(line.drop(while: isBlank).prefix { !isBlank($0) })
    }

    /// Name and value of a line `net.ipv4.NAME = VALUE`; nil for other lines.
    private static func setting(_ line: Substring) -> (name: String, value: String)? {
        let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            .map { $0.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
        guard parts.count == 2, parts[0].hasPrefix("net.ipv4.") else { return nil }
        return (parts[0], parts[1])
    }

    private mutating func take(
        _ setting: (name: String, value: String)
    ) throws(NetworkSheet.Mistake) {
        guard let value = Int(setting.value) else {
            throw NetworkSheet.Mistake(
                description: "\(setting.name): '\(setting.value)' is not a number")
        }
        // The engine's own judgement, so that the line is named here.
        var trial = Settings()
        do throws(CommandRefusal) {
            for earlier in settings { try trial.set(earlier.name, earlier.value) }
            try trial.set(setting.name, value)
        } catch {
            switch error {
            case .invalid(let text), .notSupported(let text):
                throw NetworkSheet.Mistake(description: text)
            default: throw NetworkSheet.Mistake(description: "\(setting.name) is refused")
            }
        }
        settings.append(Setting(name: setting.name, value: value))
    }

    private mutating func takeTimeouts(_ words: [String]) throws(NetworkSheet.Mistake) {
        let seconds = words.compactMap { UInt32($0) }
        guard words.count == 3, seconds.count == 3,
            seconds.allSatisfy({ $0 <= Timeouts.longest })
        else {
            throw NetworkSheet.Mistake(
                description: "--set: three timeouts in seconds are accepted (tcp, tcpfin, udp; at "
                    + "most \(Timeouts.longest); 0 keeps one)")
        }
        timeouts = Timeouts(tcp: seconds[0], tcpFin: seconds[1], udp: seconds[2])
    }
}
