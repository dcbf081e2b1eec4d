/// The entry of one worker's connections that last for one packet: written anew for each of them,
/// never in the table, never listed (ipvs-semantics 1.4).
@safe
struct OnePacketEntry: @unchecked Sendable {
    private let memory: UnsafeMutableRawPointer

    /// Takes its memory from the heap; `deallocate` gives it back.
    init() { unsafe memory = .allocate(byteCount: Connection.bytes, alignment: 64) }

    func deallocate() { unsafe memory.deallocate() }

    /// The connection to forward one packet on; good until the next one is made.
    func connection(_ spec: ConnectionSpec, now: Instant) -> Connection {
        let connection = unsafe Connection(entry: memory, number: Connection.noNumber)
        connection.write(spec, now: now)
        return connection
    }
}
