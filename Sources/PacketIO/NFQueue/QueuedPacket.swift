internal import CPacketIO

/// A message of a queue as it was read, for whoever wants to look at it by itself.
package enum QueueMessage: Hashable, Sendable {
    /// A packet: its number, hook, mark, interface and flags, and what came of it.
    package struct Packet: Hashable, Sendable {
        /// In the kernel's own byte order.
        package var id: UInt32
        package var hook: UInt8
        package var etherType: UInt16
        package var mark: UInt32
        package var interface: Int32
        package var isPartial: Bool
        package var isSuperFrame: Bool
        package var contents: [UInt8]
        /// Length before it was cut.
        package var whole: Int
    }

    case packet(Packet)
    /// The errno of a refused verdict.
    case refused(UInt32)
    case other

    /// Reads a message of the kernel; accepts any bytes.
    package init(_ bytes: [UInt8]) {
        var copy = bytes
        self = unsafe copy.withUnsafeMutableBytes { memory in
            guard let start = memory.baseAddress else { return .other }
            return unsafe QueueMessage(at: start, count: memory.count)
        }
    }

    /// Reads the message of so many bytes that lies there.
    package init(at start: UnsafeMutableRawPointer, count: Int) {
        var packet = unsafe lvs_nfq_packet()
        switch unsafe lvs_nfq_decode(start, count, &packet) {
        case Int32(LVS_NFQ_PACKET):
            let contents = unsafe UnsafeBufferPointer(
                start: packet.contents, count: Int(packet.length))
            self = unsafe .packet(
                Packet(
                    id: packet.id, hook: packet.hook, etherType: packet.protocol,
                    mark: packet.mark, interface: packet.ingress,
                    isPartial: packet.flags & UInt8(LVS_NFQ_PARTIAL) != 0,
                    isSuperFrame: packet.flags & UInt8(LVS_NFQ_SEGMENTS) != 0,
                    contents: Array(contents), whole: Int(packet.whole)))
        case Int32(LVS_NFQ_REFUSED): self = unsafe .refused(packet.id)
        default: self = .other
        }
    }
}
