/// What the command line asks of a director (the requests of ipvsadm-cli section 7).
///
/// Services and servers are asked for by their identity; the other fields count only where a
/// request adds or edits.
package protocol DirectorTable: AnyObject {
    /// Size of the connection table, as listings show it.
    func tableSize() throws(Refusal) -> UInt32

    /// Asks for a change without waiting for what becomes of it; changes are made in their order.
    func begin(_ change: TableChange) throws(Refusal)
    /// Waits for the oldest change that was begun and not finished.
    func finish() throws(Refusal)
    func flush() throws(Refusal)
    /// Zeroes the counters of one service, of all when there is none.
    func zero(_ service: ServiceRecord?) throws(Refusal)

    /// Every service in the order of the table.
    func services() throws(Refusal) -> [ServiceRecord]
    func service(_ service: ServiceRecord) throws(Refusal) -> ServiceRecord
    /// A service's servers, newest first.
    func servers(of service: ServiceRecord) throws(Refusal) -> [DestinationRecord]

    /// A service's local addresses, in the order they were added.
    func locals(of service: ServiceRecord) throws(Refusal) -> [LocalRecord]

    func timeouts() throws(Refusal) -> TimeoutsRecord
    func setTimeouts(_ timeouts: TimeoutsRecord) throws(Refusal)

    func daemons() throws(Refusal) -> [DaemonRecord]
    func startDaemon(_ daemon: DaemonRecord) throws(Refusal)
    func stopDaemon(_ daemon: DaemonRecord) throws(Refusal)

    /// Tells the pieces of a text of the director's: `ip_vs_conn`, `status` and others.
    func read(_ name: String, piece: (ArraySlice<UInt8>) -> Void) throws(Refusal)
    func setting(_ name: String) throws(Refusal) -> String
    /// What would become of a packet given in words, for people or for programs.
    func explanation(of packet: String, forPrograms: Bool) throws(Refusal) -> String
    /// Waits for the next packet that a filter wants (`start`), or no more (`stop`); `next` is the text.
    func expectPacket(_ command: String, _ filter: String) throws(Refusal)
    /// Begins a capture (`start`, with a `CaptureRequest`'s text) or ends it (`stop`); the blocks are
    /// the text `capture`, how far it has come `capture.state`.
    func capture(_ command: String, _ request: String) throws(Refusal)
    func changeSetting(_ name: String, to value: String) throws(Refusal)
    /// Has the director bring its state file up to date.
    func saveState() throws(Refusal)
    /// Adds (`-A`) or removes (`-D`) a marking rule, or removes all of them (`-F`).
    func changeMarks(_ command: String, _ rule: String) throws(Refusal)
}

extension DirectorTable {
    /// The whole of a text.
    func text(_ name: String) throws(Refusal) -> String {
        var bytes: [UInt8] = []
        try read(name) { bytes.append(contentsOf: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}
