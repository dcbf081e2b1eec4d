internal import Posix

/// Waits that the user can end: Ctrl-C and what else ends a program, told instead of ending it.
final class UserPause {
    private let signals: Signals

    init() throws(SystemError) {
        signals = try Signals([Signals.interrupt, Signals.terminate, Signals.hangUp])
        Signals.ignoreBrokenPipes()
    }

    /// Lets time pass; false when the user has seen enough.
    func wait(seconds: Double) -> Bool {
        var poller = Poller()
        poller.add(signals.descriptor, token: 0)
        // Waiting can only fail for want of memory: then without a pause.
        _ = try? poller.wait(nanoseconds: Int64(seconds * 1e9)) { _ in }
        return signals.next() == nil
    }
}
