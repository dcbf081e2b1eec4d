import Control

/// Lines that are carried out again and again, by a clock that their own waiting moves.
enum SteppedSession {
    /// Runs a line on a table, at a terminal of a size, or at none; `waiting` is told the turn, from 1.
    static func run(
        _ line: String, on table: MemoryTable, size: (lines: Int, columns: Int)? = nil,
        waiting: @escaping (Int) -> Void = { _ in }
    ) -> (status: Int32, output: String, errors: String) {
        nonisolated(unsafe) var seconds = 0.0
        nonisolated(unsafe) var turns = 0
        nonisolated(unsafe) let waiting = waiting
        var output = ""
        var errors = ""
        let surface = Surface(
            size: { size },
            wait: {
                unsafe seconds += $0
                unsafe turns += 1
                unsafe waiting(turns)
            }, nanoseconds: { unsafe UInt64(seconds * 1e9) })
        let session = CommandSession(
            program: "directorctl", output: { output += $0 }, complain: { errors += $0 },
            readLine: { nil }, surface: surface,
            connect: { () throws(DirectorUnreachable) in table })
        let status = session.run(line.split(separator: " ").map(String.init))
        return (status, output, errors)
    }
}
