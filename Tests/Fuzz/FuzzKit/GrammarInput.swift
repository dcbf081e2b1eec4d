import Control
import LVS

/// Lines of ipvsadm's grammar, as a command line, as a restore, and as files of rules and state.
enum GrammarInput {
    static func run(_ input: [UInt8]) {
        let text = withoutNames(String(decoding: input, as: UTF8.self))
        // A listing that goes on for ever does so on purpose.
        var lines = text.split(separator: "\n").filter { !$0.contains("--watch") }.map(String.init)
        for line in lines.prefix(4) {
            _ = session().run(line.split(separator: " ").map(String.init))
        }
        lines.reverse()
        _ = session { lines.popLast() }.run(["-R"])
        if let rules = try? RulesFile.parse(text) {
            // What a rules file can say a state file keeps.
            let items = rules.map(StateItem.rule)
            let reading = StateFile.read(StateFile.bytes(of: items))
            precondition(reading.damage.isEmpty, "\(reading.damage) of \(text)")
            precondition(reading.items.map(\.item) == items, "a state is not what was kept")
        }
        _ = StateFile.read(input)
        _ = NetfilterMarks(text, .v4, origin: "fuzz")
    }

    private static func session(
        _ readLine: @escaping () -> String? = { nil }
    ) -> CommandSession {
        let table = PatientTable()
        return CommandSession(
            program: "directorctl", output: { _ in }, complain: { _ in }, readLine: readLine,
            surface: Surface(size: { nil }, wait: { _ in }, nanoseconds: { 0 }),
            connect: { () throws(DirectorUnreachable) in table })
    }

    /// The text without what could be the name of a host, for which a name server would be asked.
    ///
    /// Letters of words that are neither options nor in the grammar become digits, those of IPv6
    /// addresses excepted.
    private static func withoutNames(_ text: String) -> String {
        var result = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let words = line.split(separator: " ", omittingEmptySubsequences: false)
            result += words.map { plain($0) }.joined(separator: " ") + "\n"
        }
        return result
    }

    private static let known: Set<String> = [
        "rr", "wrr", "lc", "wlc", "sh", "mh", "none", "master", "backup", "ipip", "gue", "gre",
        "sip",
        "mark", "get", "set", "status", "MARK", "RETURN", "ACCEPT", "CONNMARK", "PREROUTING",
        "mangle",
        "tcp", "udp", "sctp", "icmp", "multiport", "sh-port", "sh-fallback", "mh-port", "flag-1",
        "lo", "ack", "syn", "v1", "v2",
        "*mangle", "COMMIT", "ipvsadm",
    ]

    private static func plain(_ word: Substring) -> String {
        if known.contains(String(word)) { return String(word) }
        if word.hasPrefix("--") {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { return String(word) }
            return parts[0] + "=" + plain(parts[1])
        }
        let head = word.hasPrefix("-") ? word.prefix(2) : ""
        let rest = word.dropFirst(head.count)
        let isWide = rest.count { $0 == ":" } > 1
        return head
            + String(
                String.UnicodeScalarView(
                    rest.unicodeScalars.map { scalar in
                        guard scalar.properties.isAlphabetic,
                            !(isWide && scalar.properties.isHexDigit)
                        else { return scalar }
                        return Unicode.Scalar(UInt8(0x30 + scalar.value % 10))
                    }))
    }
}

/// A table that takes everything and holds little.
private final class PatientTable: DirectorTable {
    private var service: ServiceRecord?

    func tableSize() throws(Refusal) -> UInt32 { 4096 }

    func begin(_ change: TableChange) throws(Refusal) {
        if case .addService(let service) = change { self.service = service }
    }

    func finish() throws(Refusal) {}
    func flush() throws(Refusal) {}
    func zero(_ service: ServiceRecord?) throws(Refusal) {}
    func services() throws(Refusal) -> [ServiceRecord] { service.map { [$0] } ?? [] }
    func service(_ service: ServiceRecord) throws(Refusal) -> ServiceRecord { service }
    func servers(of service: ServiceRecord) throws(Refusal) -> [DestinationRecord] { [] }
    func locals(of service: ServiceRecord) throws(Refusal) -> [LocalRecord] { [] }
    func timeouts() throws(Refusal) -> TimeoutsRecord { TimeoutsRecord() }
    func setTimeouts(_ timeouts: TimeoutsRecord) throws(Refusal) {}
    func daemons() throws(Refusal) -> [DaemonRecord] { [] }
    func startDaemon(_ daemon: DaemonRecord) throws(Refusal) {}
    func stopDaemon(_ daemon: DaemonRecord) throws(Refusal) {}
    func read(_ name: String, piece: (ArraySlice<UInt8>) -> Void) throws(Refusal) {}
    func explanation(of packet: String, forPrograms: Bool) throws(Refusal) -> String { packet }
    func expectPacket(_ command: String, _ filter: String) throws(Refusal) {}
    func capture(_ command: String, _ request: String) throws(Refusal) {
        throw Refusal(.notSupported, "nothing is captured here")
    }
    func setting(_ name: String) throws(Refusal) -> String { "0" }
    func changeSetting(_ name: String, to value: String) throws(Refusal) {}
    func saveState() throws(Refusal) {}
    func changeMarks(_ command: String, _ rule: String) throws(Refusal) {}
}
