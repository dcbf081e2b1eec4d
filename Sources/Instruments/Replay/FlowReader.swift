internal import LVS

/// Reads what packets of captures say of flows, and nothing else of them, in constant memory.
///
/// Packets without ports, fragments and all that is no IP are passed over. Safe because a frame is
/// written only where the whole of it has room.
@safe
final class FlowReader {
    /// One packet of a flow; its sender stands where a client does.
    struct Sighting: Hashable {
        /// Nanoseconds since 1970.
        var time: Int64
        var flow: ClientFlow
        /// TCP: SYN without ACK; SCTP: INIT.
        var isOpener: Bool
        /// TCP: FIN or RST; SCTP: ABORT.
        var isEnd: Bool
        /// TCP's sequence number; 0 for other protocols.
        var sequence: UInt32
        /// The machine that captured it sent it.
        var isOutgoing: Bool
    }

    let capture: MergedCapture
    /// Packets so far, with those that have no flow.
    private(set) var packets: UInt64 = 0
    /// Packets that are no frames.
    private(set) var unreadable = ReplayRun.Trouble()
    private let memory: UnsafeMutableRawPointer
    private static let capacity = ReplayRoom.longest

    init(_ capture: MergedCapture) {
        self.capture = capture
        unsafe memory = .allocate(byteCount: Self.capacity, alignment: 64)
    }

    deinit { unsafe memory.deallocate() }

    /// The next packet of a flow; nil at the end of the captures.
    func next() -> Sighting? {
        while let packet = capture.next() {
            packets += 1
            if let sighting = sighting(packet) { return sighting }
        }
        return nil
    }

    private func sighting(_ captured: CapturedPacket) -> Sighting? {
        let shape: LinkLayer.FrameShape
        switch unsafe LinkLayer.frame(
            of: captured, on: capture.link(of: captured), into: memory, capacity: Self.capacity,
            hardware: (
                HardwareAddress.made(for: .assumedGatewayV4), HardwareAddress.made(forPort: 0)
            ))
        {
        case .frame(let frame): shape = frame
        case .refused(let why):
            unreadable.note(captured.number, why.description)
            return nil
        }
        let length = max(shape.length, shape.fullLength)
        guard length <= Self.capacity else {
            unreadable.note(captured.number, "\(length) bytes are more than a frame has")
            return nil
        }
        // Headers say how long the packet was: what was not captured is taken to be zeros.
        unsafe (memory + shape.length).initializeMemory(
            as: UInt8.self, repeating: 0, count: length - shape.length)
        let packet = unsafe Packet(
            parsing: Frame(
                bytes: memory, length: length, capacity: Self.capacity, headroom: 0, ingress: 0))
        guard packet.kind == .flow || packet.kind == .optioned else { return nil }
        let isTCP = packet.transport == .tcp
        return Sighting(
            time: captured.time,
            flow: ClientFlow(
                transport: packet.transport, client: packet.source,
                clientPort: packet.sourcePort, virtual: packet.destination,
                virtualPort: packet.destinationPort),
            isOpener: packet.isOpener && (!isTCP || packet.tcpFlags & 0x10 == 0),
            isEnd: packet.isReset || packet.tcpFlags & 1 != 0,
            sequence: isTCP ? sequence(at: Int(packet.transportOffset)) : 0,
            isOutgoing: shape.direction == .outbound)
    }

    /// The four bytes behind the ports of a TCP header that lies within the frame (RFC 9293).
    private func sequence(at transport: Int) -> UInt32 {
        UInt32(
            bigEndian: unsafe memory.loadUnaligned(fromByteOffset: transport + 4, as: UInt32.self))
    }
}
