/// A frame that a client would send: hypothetical packets, and the requests that ICMP errors stand for.
package struct RequestFrame: Hashable, Sendable {
    /// Ports host order; 0 for ICMP.
    package var source: IPAddress
    package var sourcePort: UInt16
    package var destination: IPAddress
    package var destinationPort: UInt16
    /// TCP, UDP, SCTP, or the control messages of the family, of which an echo request is made.
    package var transport: TransportProtocol
    /// Flag byte of the TCP header; SYN is 2.
    package var tcpFlags: UInt8 = 2
    /// Type of the SCTP chunk; INIT is 1.
    package var sctpChunk: UInt8 = 1
    /// TTL or hop limit.
    package var timeToLive: UInt8 = 64
    /// Bytes of payload behind the transport header, all 0.
    package var payloadBytes = 0
    package var sourceHardware = HardwareAddress(value: 0x0200_0000_0001)
    package var destinationHardware = HardwareAddress(value: 0x0200_0000_0002)

    package init(
        _ transport: TransportProtocol, from source: IPAddress, port sourcePort: UInt16,
        to destination: IPAddress, port destinationPort: UInt16
    ) {
        self.transport = transport
        self.source = source
        self.sourcePort = sourcePort
        self.destination = destination
        self.destinationPort = destinationPort
    }

    private var tuple: ConnectionTuple {
        ConnectionTuple(
            source: source, sourcePort: sourcePort, destination: destination,
            destinationPort: destinationPort, transport: transport)
    }

    /// The whole frame, with right checksums.
    package var bytes: [UInt8] {
        let room = 128 + payloadBytes
        return unsafe [UInt8](unsafeUninitializedCapacity: room) { memory, count in
            unsafe memory.initialize(repeating: 0)
            guard let base = memory.baseAddress else { return }
            let start = UnsafeMutableRawPointer(base)
            let length = unsafe RequestFrame.write(tuple, start)
            count = length + payloadBytes
            let network = unsafe start + 14
            let header = IPHeader.fixedLength(source.family)
            let transport = unsafe network + header
            let carried = count - 14 - header
            unsafe start.set(0, be16: UInt16(destinationHardware.value >> 32))
            unsafe start.set(2, be32: UInt32(truncatingIfNeeded: destinationHardware.value))
            unsafe start.set(6, be16: UInt16(sourceHardware.value >> 32))
            unsafe start.set(8, be32: UInt32(truncatingIfNeeded: sourceHardware.value))
            unsafe network.set(source.isV4 ? 8 : 7, byte: timeToLive)
            if source.isV4 {
                unsafe network.set(2, be16: UInt16(header + carried))
                unsafe network.set(6, be16: 0x4000)
                unsafe Checksum.writeHeader(network, count: header)
            } else {
                unsafe network.set(4, be16: UInt16(carried))
            }
            switch self.transport {
            case .tcp:
                unsafe transport.set(13, byte: tcpFlags)
                unsafe transport.set(14, be16: 0xfaf0)
            case .udp: unsafe transport.set(4, be16: UInt16(carried))
            case .sctp:
                unsafe transport.set(12, byte: sctpChunk)
                unsafe transport.set(14, be16: UInt16(carried - 12))
                unsafe CRC32C.writeSCTP(transport, length: carried)
                return
            default:
                unsafe transport.set(0, le32: source.isV4 ? 8 : 128)
                unsafe transport.set(4, be32: 0x0001_0001)
            }
            if self.transport == .icmp {
                unsafe transport.set(2, le16: ~Checksum.sum(transport, count: carried))
            } else {
                unsafe Checksum.writeTransport(
                    transport, length: carried, network: network,
                    transport: self.transport.rawValue)
            }
        }
    }

    /// Writes a frame that opens a connection of this tuple into zeroed memory of 128 bytes; returns its
    /// length.
    ///
    /// Checksums are left out.
    static func write(_ tuple: ConnectionTuple, _ frame: UnsafeMutableRawPointer) -> Int {
        // A UDP header; TCP with SYN; SCTP with the chunk INIT.
        let payload = tuple.transport == 6 ? 20 : tuple.transport == 132 ? 32 : 8
        let network = unsafe frame + 14
        let isIPv4 = tuple.source.isV4
        let headerLength = isIPv4 ? 20 : 40
        unsafe frame.set(12, be16: isIPv4 ? 0x0800 : 0x86dd)
        if isIPv4 {
            unsafe network.set(0, byte: 0x45)
            unsafe network.set(2, be16: UInt16(headerLength + payload))
            unsafe network.set(8, byte: 64)
            unsafe network.set(9, byte: tuple.transport)
            unsafe network.set(12, be32: tuple.source.v4)
            unsafe network.set(16, be32: tuple.destination.v4)
        } else {
            unsafe network.set(0, byte: 0x60)
            unsafe network.set(4, be16: UInt16(payload))
            unsafe network.set(6, byte: tuple.transport)
            unsafe network.set(7, byte: 64)
            unsafe network.set(8, be64: tuple.source.wireHigh)
            unsafe network.set(16, be64: tuple.source.low)
            unsafe network.set(24, be64: tuple.destination.wireHigh)
            unsafe network.set(32, be64: tuple.destination.low)
        }
        let transport = unsafe network + headerLength
        unsafe transport.set(0, le32: tuple.ports)
        switch tuple.transport {
        case 6: unsafe transport.set(12, be16: 0x5002)
        case 17: unsafe transport.set(4, be16: UInt16(payload))
        case 132:
            unsafe transport.set(12, byte: 1)
            unsafe transport.set(14, be16: UInt16(payload - 12))
        default: break
        }
        return 14 + headerLength + payload
    }
}
