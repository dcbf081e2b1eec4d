package import LVS

/// A TCP segment without data, for those that make up packets instead of reading them.
package struct MadeSegment: Hashable, Sendable {
    package var client: IPAddress
    /// Ports are host order.
    package var clientPort: UInt16
    package var virtual: IPAddress
    package var virtualPort: UInt16
    /// The flag bits of RFC 9293: 2 SYN, 16 ACK, 17 FIN and ACK.
    package var flags: UInt8

    package static let syn: UInt8 = 0x02
    package static let ack: UInt8 = 0x10
    package static let fin: UInt8 = 0x11

    package init(
        client: IPAddress, clientPort: UInt16, virtual: IPAddress, virtualPort: UInt16,
        flags: UInt8
    ) {
        self.client = client
        self.clientPort = clientPort
        self.virtual = virtual
        self.virtualPort = virtualPort
        self.flags = flags
    }
}

extension Replay {
    /// Takes a made-up segment as a packet of a capture, `time` nanoseconds since 1970.
    package func take(
        _ segment: MadeSegment, packet number: UInt64, at time: Int64, by port: PortIndex
    ) {
        let network = segment.virtual.isV4 ? 20 : 40
        let length = 14 + network + 20
        guard let frame = unsafe place(packet: number, at: time, length: length) else { return }
        // Ethernet: from any machine to the interface, whose address is not checked here.
        unsafe store(0x0200_0000_0001_0200, 8, frame)
        unsafe store(segment.virtual.isV4 ? 0x0000_0002_0800 : 0x0000_0002_86dd, 6, frame + 8)
        let header = unsafe frame + 14
        if segment.virtual.isV4 {
            // IPv4 (RFC 791): 40 bytes, do not fragment, 64 hops, TCP.
            unsafe store(0x4500_0028_0000_4000, 8, header)
            unsafe store(0x4006_0000, 4, header + 8)
            unsafe store(UInt64(segment.client.v4), 4, header + 12)
            unsafe store(UInt64(segment.virtual.v4), 4, header + 16)
            unsafe Checksum.writeHeader(header, count: 20)
        } else {
            // IPv6 (RFC 8200): 20 bytes of TCP, 64 hops.
            unsafe store(0x6000_0000_0014_0640, 8, header)
            unsafe store(segment.client.wireHigh, 8, header + 8)
            unsafe store(segment.client.low, 8, header + 16)
            unsafe store(segment.virtual.wireHigh, 8, header + 24)
            unsafe store(segment.virtual.low, 8, header + 32)
        }
        // TCP (RFC 9293): sequence numbers that nobody looks at, no options.
        let tcp = unsafe header + network
        unsafe store(UInt64(segment.clientPort) << 16 | UInt64(segment.virtualPort), 4, tcp)
        unsafe store(segment.flags == MadeSegment.syn ? 0 : 1 << 32 | 1, 8, tcp + 4)
        unsafe store(0x5000_ffff_0000_0000 | UInt64(segment.flags) << 48, 8, tcp + 12)
        unsafe Checksum.writeTransport(tcp, length: 20, network: header, transport: 6)
        take(length: length, by: port)
    }

    /// Writes the low `count` bytes of a value in network order.
    private func store(_ value: UInt64, _ count: Int, _ bytes: UnsafeMutableRawPointer) {
        for offset in 0..<count {
            let byte = UInt8(truncatingIfNeeded: value >> UInt64(8 * (count - 1 - offset)))
            unsafe bytes.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
        }
    }
}

extension ReplayNetwork {
    /// The IPv4 address whose neighbour a frame goes to, or the last four bytes of an IPv6 one, where the
    /// network made that one up; nil for a frame that has none.
    static func madeUpReceiver(of frame: Frame) -> UInt32? {
        guard frame.length >= 14 else { return nil }
        let hardware = unsafe HardwareAddress(at: frame.bytes)
        let beginning = hardware.value >> 32
        guard beginning == 0x0200 || beginning == 0x0206 else { return nil }
        return UInt32(truncatingIfNeeded: hardware.value)
    }
}
