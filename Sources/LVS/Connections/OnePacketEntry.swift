/// The entry of one worker's connections that last for one packet: written anew for each of them,
/// never in the table, never listed (ipvs-semantics 1.4).
@safe
struct OnePacketEntry: @unchecked Sendable {
    private let memory: UnsafeMutableRawPointer

    /// Lines that lie behind the entry.
    private static let lines = 4

    /// Takes its memory from the heap; `deallocate` gives it back.
    init() {
        unsafe memory = .allocate(
            byteCount: (1 + OnePacketEntry.lines) * Connection.bytes, alignment: 64)
    }

    func deallocate() { unsafe memory.deallocate() }

    /// The connection to forward one packet on; good until the next one is made.
    func connection(_ spec: ConnectionSpec, now: Instant) -> Connection {
        let connection = unsafe Connection(entry: memory, number: Connection.noNumber)
        var first = Connection.noNumber
        precondition(spec.lines <= OnePacketEntry.lines, "no line for each that a helper wants")
        for line in (0..<spec.lines).reversed() {
            // The numbers go on from the entry's own, and so begin at 0.
            let number = UInt32(line)
            unsafe Connection(
                entry: memory + (1 + line) * Connection.bytes, number: number
            ).becomeLine(before: first)
            first = number
        }
        let tuples = (spec.inboundTuple, spec.outboundTuple)
        let keys = (
            ConnectionKey(tuples.0, seed: (0, 0)), ConnectionKey(tuples.1, seed: (0, 0))
        )
        connection.write(spec, keys: keys, tuples: tuples, lines: first, now: now)
        return connection
    }
}
