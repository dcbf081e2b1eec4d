package import LVS
package import Posix

/// Brings what a director remembers to its file, soon after each change and never in anybody's way.
///
/// The housekeeper's thread says what changed and renders the contents; a thread of its own waits
/// for the disk.
package final class StateKeeper {
    package let path: String
    private let lock: FileLock
    private let file: FileKeeper
    /// What the file is to hold now; set before the first change is noted.
    package var contents: () -> [StateItem] = { [] }
    private var isOld = false
    private var next = Instant(nanoseconds: 0)
    private var toldFailure: SystemError?

    /// Least time between two writes: a program of many commands makes few files of them.
    private static let pauseNanoseconds: UInt64 = 200_000_000
    /// Time before contents that could not be written are tried again.
    private static let retryNanoseconds: UInt64 = 5_000_000_000

    /// Takes the file for this process; one that another director uses is EAGAIN.
    package init(path: String) throws(SystemError) {
        self.path = path
        lock = try FileLock(path: path + ".lock")
        file = try FileKeeper(path: path)
    }

    package func noteChange() { isOld = true }

    /// Writes what changed, if it is time; a sentence when writing begins to fail or works again.
    package func tick(_ now: Instant) -> String? {
        if isOld, now >= next, file.isIdle {
            isOld = false
            let began = MonotonicClock.now()
            file.put(StateFile.bytes(of: contents()))
            // A large table costs the housekeeper at most a tenth of its time.
            let pause = max(Self.pauseNanoseconds, 10 * (MonotonicClock.now() - began))
            next = Instant(nanoseconds: now.nanoseconds + pause)
        }
        guard file.isIdle else { return nil }
        let failure = file.failure
        if failure != nil, !isOld {
            isOld = true
            next = Instant(nanoseconds: now.nanoseconds + Self.retryNanoseconds)
        }
        guard failure != toldFailure else { return nil }
        toldFailure = failure
        guard let failure else { return "state file \(path): written again" }
        return "state file \(path) cannot be written, a restart would lose what changed: \(failure)"
    }

    /// Writes everything now and waits for it.
    package func save() throws(SystemError) {
        isOld = false
        if let failure = file.write(StateFile.bytes(of: contents())) { throw failure }
    }

    /// What an operator should know of the file; nil while all is well.
    package var trouble: String? { toldFailure.map { "state file \(path): \($0)" } }

    /// Writes what is left; the reason when that fails.
    package func end() -> SystemError? {
        if isOld || file.failure != nil { file.put(StateFile.bytes(of: contents())) }
        isOld = false
        file.end()
        return file.failure
    }
}
