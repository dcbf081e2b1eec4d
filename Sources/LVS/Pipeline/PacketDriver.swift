/// The port between the engine and whatever frames come from and go to: a ring, a socket, a file,
/// memory.
///
/// One driver object serves one interface for one worker and is used by that worker's thread only,
/// except `statistics`, which the housekeeper reads. The order of calls within a turn is:
/// `receive` into a burst, then `Worker.process`, then `enqueue` of every frame to be sent on the
/// driver of its egress port, `flush` of every driver, and `release` of the driver that received.
package protocol PacketDriver: AnyObject {
    /// The port this driver serves.
    var port: PortIndex { get }

    /// Appends what is there, up to the room left in the burst, without waiting; returns how many
    /// frames were appended.
    func receive(into burst: inout Burst) -> Int

    /// Takes a frame for transmission. The frame's memory stays valid until `flush` has returned.
    func enqueue(_ frame: Frame)

    /// Hands everything enqueued to the kernel; what it refuses is counted, never retried in a loop.
    func flush()

    /// Gives the memory of all frames received since the last release back.
    func release()

    /// Descriptor that becomes readable when frames arrive; nil when there is none to wait for.
    var descriptor: Int32? { get }

    /// Frames, bytes and losses since the driver was opened.
    var statistics: DriverStatistics { get }
}

/// Frames, bytes and losses of one driver since it was opened.
package struct DriverStatistics: Hashable, Sendable {
    package var receivedFrames: UInt64 = 0
    package var receivedBytes: UInt64 = 0
    package var sentFrames: UInt64 = 0
    package var sentBytes: UInt64 = 0
    /// Frames that the kernel dropped because the receive ring or socket buffer was full.
    package var ringFull: UInt64 = 0
    /// Frames that came cut and could not be fetched whole.
    package var truncated: UInt64 = 0
    /// Frames that the kernel refused to send (queue full, interface down, too long).
    package var sendFailed: UInt64 = 0
    /// Frames that were left alone: for another station's MAC address, or tagged for a VLAN that
    /// the host serves by an interface of its own.
    package var ignored: UInt64 = 0

    package init() {}

    package static func + (left: DriverStatistics, right: DriverStatistics) -> DriverStatistics {
        var sum = left
        sum.receivedFrames += right.receivedFrames
        sum.receivedBytes += right.receivedBytes
        sum.sentFrames += right.sentFrames
        sum.sentBytes += right.sentBytes
        sum.ringFull += right.ringFull
        sum.truncated += right.truncated
        sum.sendFailed += right.sendFailed
        sum.ignored += right.ignored
        return sum
    }
}
