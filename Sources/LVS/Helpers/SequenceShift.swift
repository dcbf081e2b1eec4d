/// How far the bytes that one side gets have moved against those the other sent, because a helper
/// changed the length of some.
///
/// All numbers are TCP sequence numbers and wrap; the arithmetic is that of the kernel's connection
/// tracking, which does it for IPVS.
package struct SequenceShift: Hashable, Sendable {
    /// Sequence number, as its sender counts, of the segment that was changed last.
    package var position: UInt32 = 0
    /// Bytes gained up to that segment, modulo 2^32.
    package var before: UInt32 = 0
    /// Bytes gained behind it.
    package var after: UInt32 = 0

    package init() {}

    /// True while nothing has moved.
    package var isNone: Bool { before == 0 && after == 0 }

    /// Notes that a segment that begins at `sequence` gained `bytes`; a segment that was changed
    /// before is not counted again.
    package mutating func add(_ bytes: Int, at sequence: UInt32) {
        guard bytes != 0 else { return }
        guard before == after || SequenceShift.isAfter(sequence, position) else { return }
        position = sequence
        before = after
        after = after &+ UInt32(truncatingIfNeeded: bytes)
    }

    /// The number the receiver sees for one of the sender's.
    package func toReceiver(_ sequence: UInt32) -> UInt32 {
        sequence &+ (SequenceShift.isAfter(sequence, position) ? after : before)
    }

    /// The number the sender knows for one that the receiver acknowledges.
    package func toSender(_ acknowledged: UInt32) -> UInt32 {
        let isBehind = SequenceShift.isAfter(acknowledged &- before, position)
        return acknowledged &- (isBehind ? after : before)
    }

    /// True when `first` comes after `second` in the order of sequence numbers (RFC 9293 section 3.4).
    private static func isAfter(_ first: UInt32, _ second: UInt32) -> Bool {
        Int32(bitPattern: second &- first) < 0
    }
}
