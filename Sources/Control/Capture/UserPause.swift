internal import Posix

/// Waits that the user can end: Ctrl-C and what else ends a program, told instead of ending it.
///
/// Where nobody comes back to waiting, since a director does not answer, the second one ends the program.
final class UserPause {
    private let ear: Ear

    /// What both threads look at.
    private final class Ear: Sendable {
        let signals: Signals
        let enough: WakeUp

        init() throws(SystemError) {
            // Before the other thread, which must not take them.
            signals = try Signals([Signals.interrupt, Signals.terminate, Signals.hangUp])
            enough = try WakeUp()
        }

        func listen() {
            var poller = Poller()
            poller.add(signals.descriptor, token: 0)
            var isFirst = true
            // Without a poll there is nothing to wait for any more.
            while (try? poller.wait(nanoseconds: nil) { _ in }) != nil {
                while signals.next() != nil {
                    guard isFirst else { Program.exit(1) }
                    isFirst = false
                    enough.signal()
                }
            }
        }
    }

    init() throws(SystemError) {
        ear = try Ear()
        Signals.ignoreBrokenPipes()
        _ = try Thread(name: "signals") { [ear] in ear.listen() }
    }

    /// Lets time pass; false when the user has seen enough.
    func wait(seconds: Double) -> Bool {
        var poller = Poller()
        poller.add(ear.enough.descriptor, token: 0)
        var goesOn = true
        // Waiting can only fail for want of memory: then without a pause.
        _ = try? poller.wait(nanoseconds: Int64(seconds * 1e9)) { _ in goesOn = false }
        return goesOn
    }
}
