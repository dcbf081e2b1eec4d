internal import Synchronization

/// What one worker did with the frames it received, since its start.
package struct WorkerCounts: Hashable, Sendable {
    package var bursts: UInt64 = 0
    package var frames: UInt64 = 0
    /// Left to the host, which has them already.
    package var passed: UInt64 = 0
    /// Handed to the host through its door.
    package var throughDoor: UInt64 = 0
    /// Sent on, frames the engine made included.
    package var sent: UInt64 = 0
    package var consumed: UInt64 = 0
    package var dropped: UInt64 = 0
    /// ARP requests answered.
    package var answered: UInt64 = 0
    /// Frames for the door of a director without one.
    package var doorClosed: UInt64 = 0
    /// Frames for a port that this worker has no driver for.
    package var portMissing: UInt64 = 0
    /// Times the worker slept until something came.
    package var sleeps: UInt64 = 0

    package init() {}
}

/// The same as cells, written by the worker and read by the housekeeper.
final class WorkerCells: Sendable {
    let bursts = CounterCell()
    let frames = CounterCell()
    let passed = CounterCell()
    let throughDoor = CounterCell()
    let sent = CounterCell()
    let consumed = CounterCell()
    let dropped = CounterCell()
    let answered = CounterCell()
    let doorClosed = CounterCell()
    let portMissing = CounterCell()
    let sleeps = CounterCell()

    var snapshot: WorkerCounts {
        var counts = WorkerCounts()
        counts.bursts = bursts.count
        counts.frames = frames.count
        counts.passed = passed.count
        counts.throughDoor = throughDoor.count
        counts.sent = sent.count
        counts.consumed = consumed.count
        counts.dropped = dropped.count
        counts.answered = answered.count
        counts.doorClosed = doorClosed.count
        counts.portMissing = portMissing.count
        counts.sleeps = sleeps.count
        return counts
    }
}
