package import LVS

/// A driver that takes all frames of a burst for its port with one call.
///
/// Calls through the port of the house cost a few nanoseconds each; once per burst that is nothing,
/// once per frame it would be.
package protocol BurstDriver: PacketDriver {
    /// Enqueues the frames whose verdict sends them by this driver's port, each made frame right
    /// after the frame that caused it.
    func enqueue(sendsOf burst: borrowing Burst)
}

/// A driver whose descriptor can report an error that must be taken away before the next wait.
package protocol RecoverableDriver: PacketDriver {
    /// Called by the worker when waiting reported an error on `descriptor`.
    func descriptorFailed()
}

/// A driver whose kernel waits for an answer about every frame that it handed over.
package protocol SettlingDriver: PacketDriver {
    /// False for a wrapper around a driver whose kernel does not wait.
    var settles: Bool { get }

    /// Answers for the received frames of the burst, by their verdicts, before any of them is sent.
    ///
    /// A frame that needs no sending any more becomes `.consumed`; one for the host's stack reaches it
    /// with the answer, host door or not.
    func settle(_ burst: inout Burst)
}

extension SettlingDriver {
    package var settles: Bool { true }
}

/// Visits the frames of a burst that leave by `port` in the order they must leave: received frames
/// as they came, made frames after their cause (frames made by timers come last).
@inline(__always)
package func forEachSend(
    of burst: borrowing Burst, on port: PortIndex, _ send: (borrowing Frame) -> Void
) {
    let frames = unsafe burst.base
    var made = 0
    let madeCount = burst.madeCount
    for index in 0..<burst.count {
        if unsafe frames[index].verdict.sends(by: port) { unsafe send(frames[index]) }
        while made < madeCount {
            let entry = burst.madeFrame(made)
            guard entry.cause <= index else { break }
            if entry.frame.verdict.sends(by: port) { send(entry.frame) }
            made += 1
        }
    }
    while made < madeCount {
        let entry = burst.madeFrame(made)
        if entry.frame.verdict.sends(by: port) { send(entry.frame) }
        made += 1
    }
}
