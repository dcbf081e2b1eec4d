internal import LVS

/// The table of a director that nobody commands, as a replay has one: it is shown as any other, and
/// every change is refused.
package final class StillTable: DirectorTable {
    private let target: any ControlTarget
    private let executor: CommandExecutor
    private let reason: String

    /// Shows the table of `target`; `reason` is what somebody who wants to change it is told.
    package init(_ target: any ControlTarget, reason: String) {
        self.target = target
        self.reason = reason
        executor = CommandExecutor(target: target, daemon: NoDaemon(reason: reason))
    }

    /// Where there is no process to ask about.
    private final class NoDaemon: DaemonTarget {
        private let reason: String

        init(reason: String) { self.reason = reason }

        func status() -> String { reason + "\n" }
        func statusForPrograms() -> JSONValue { .members(["status": .text(reason)]) }
        func saveState() throws(CommandRefusal) { throw .notSupported(reason) }
    }

    /// What the listing of `words` says, as directorctl prints it: `["-Lnc"]`.
    package func listing(_ words: [String]) -> String {
        var text = ""
        let session = CommandSession(
            program: "director", output: { text += $0 }, complain: { text += $0 },
            readLine: { nil }
        ) { [unowned self] () throws(DirectorUnreachable) in self }
        _ = session.run(words)
        return text
    }

    private static let isMissing = Refusal(.noSuchService)
    private var refusal: Refusal { Refusal(.notSupported, reason) }

    package func tableSize() throws(Refusal) -> UInt32 { target.tableSize }
    package func services() throws(Refusal) -> [ServiceRecord] { target.services() }

    package func service(_ service: ServiceRecord) throws(Refusal) -> ServiceRecord {
        guard let found = target.service(try key(service)) else { throw Self.isMissing }
        return found
    }

    package func servers(of service: ServiceRecord) throws(Refusal) -> [DestinationRecord] {
        target.destinations(of: try key(service))
    }

    package func locals(of service: ServiceRecord) throws(Refusal) -> [LocalRecord] {
        target.locals(of: try key(service))
    }

    private func key(_ service: ServiceRecord) throws(Refusal) -> ServiceKey {
        guard let key = service.key else { throw Self.isMissing }
        return key
    }

    package func timeouts() throws(Refusal) -> TimeoutsRecord { target.timeouts }
    package func daemons() throws(Refusal) -> [DaemonRecord] { [] }

    package func read(
        _ name: String, piece: (ArraySlice<UInt8>) -> Void
    ) throws(Refusal) {
        let next = try NamedText.named(name).read(nil, executor)
        while let bytes = next() { piece(bytes) }
    }

    package func setting(_ name: String) throws(Refusal) -> String {
        var bytes: [UInt8] = []
        let next = try NamedText.named("settings").read(name, executor)
        while let piece = next() { bytes += piece }
        return String(decoding: bytes.prefix { $0 != 0x0a }, as: UTF8.self)
    }

    package func begin(_ change: TableChange) throws(Refusal) { throw refusal }
    package func finish() throws(Refusal) { throw refusal }
    package func flush() throws(Refusal) { throw refusal }
    package func zero(_ service: ServiceRecord?) throws(Refusal) { throw refusal }
    package func setTimeouts(_ timeouts: TimeoutsRecord) throws(Refusal) { throw refusal }
    package func startDaemon(_ daemon: DaemonRecord) throws(Refusal) { throw refusal }
    package func stopDaemon(_ daemon: DaemonRecord) throws(Refusal) { throw refusal }
    package func changeSetting(_ name: String, to value: String) throws(Refusal) { throw refusal }
    package func saveState() throws(Refusal) { throw refusal }
    package func explanation(
        of packet: String, forPrograms: Bool
    ) throws(Refusal) -> String { throw refusal }
    package func expectPacket(_ command: String, _ filter: String) throws(Refusal) {
        throw refusal
    }
    package func capture(_ command: String, _ request: String) throws(Refusal) {
        throw refusal
    }
    package func changeMarks(_ command: String, _ rule: String) throws(Refusal) { throw refusal }
}
