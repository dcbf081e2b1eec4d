package import LVS

/// Builds frames for tests, IPv4 or IPv6 as the addresses are, with right checksums unless told
/// otherwise.
package struct PacketBuilder: Sendable {
    package var sourceHardware: HardwareAddress
    package var destinationHardware: HardwareAddress
    package var source: IPAddress
    package var destination: IPAddress
    package var timeToLive: UInt8 = 64
    package var typeOfService: UInt8 = 0
    package var identification: UInt16 = 0x1001
    package var hasDontFragment = true
    /// IPv6 extension headers, and the number of the first; the last names the transport.
    package var extensions: (first: UInt8, bytes: [UInt8])?

    package init(
        from source: IPAddress, at sourceHardware: HardwareAddress, to destination: IPAddress,
        at destinationHardware: HardwareAddress
    ) {
        self.source = source
        self.sourceHardware = sourceHardware
        self.destination = destination
        self.destinationHardware = destinationHardware
    }

    /// A TCP segment; `flags` is the header's flag byte (SYN is 2, ACK 16).
    package func tcp(
        from sourcePort: UInt16, to destinationPort: UInt16, flags: UInt8, payload: [UInt8] = [],
        sequence: UInt32 = 1, acknowledgement: UInt32 = 0
    ) -> [UInt8] {
        var header: [UInt8] = []
        header.append(be16: sourcePort)
        header.append(be16: destinationPort)
        header.append(be32: sequence)
        header.append(be32: acknowledgement)
        header += [5 << 4, flags]
        header.append(be16: 0xfaf0)
        header += [0, 0, 0, 0]
        return frame(transport: 6, checksumAt: 16, header + payload)
    }

    /// A UDP datagram.
    package func udp(
        from sourcePort: UInt16, to destinationPort: UInt16, payload: [UInt8] = [1, 2, 3, 4]
    ) -> [UInt8] {
        var header: [UInt8] = []
        header.append(be16: sourcePort)
        header.append(be16: destinationPort)
        header.append(be16: UInt16(8 + payload.count))
        header += [0, 0]
        return frame(transport: 17, checksumAt: 6, header + payload)
    }

    /// Any packet; the checksum of the transport is filled in at an offset, or left alone.
    package func frame(
        transport: UInt8, checksumAt offset: Int?, _ packet: [UInt8]
    ) -> [UInt8] {
        var frame: [UInt8] = []
        frame.append(hardware: destinationHardware)
        frame.append(hardware: sourceHardware)
        guard source.isV4 else {
            let extensions = extensions ?? (transport, [])
            frame.append(be16: 0x86dd)
            frame.append(be32: 6 << 28 | UInt32(typeOfService) << 20)
            frame.append(be16: UInt16(extensions.bytes.count + packet.count))
            frame += [extensions.first, timeToLive]
            frame += source.wireBytes + destination.wireBytes + extensions.bytes + packet
            if let offset { frame.fillTransportChecksum(at: frame.count - packet.count + offset) }
            return frame
        }
        frame.append(be16: 0x0800)
        frame += [0x45, typeOfService]
        frame.append(be16: UInt16(20 + packet.count))
        frame.append(be16: identification)
        frame.append(be16: hasDontFragment ? 0x4000 : 0)
        frame += [timeToLive, transport, 0, 0]
        frame.append(be32: source.v4)
        frame.append(be32: destination.v4)
        frame += packet
        frame.fillHeaderChecksum()
        if let offset { frame.fillTransportChecksum(at: 34 + offset) }
        return frame
    }
}

extension [UInt8] {
    /// Appends a value in network order.
    package mutating func append(be16 value: UInt16) {
        self += [UInt8(value >> 8), UInt8(value & 0xff)]
    }

    /// Appends a value in network order.
    package mutating func append(be32 value: UInt32) {
        append(be16: UInt16(value >> 16))
        append(be16: UInt16(value & 0xffff))
    }

    /// Appends the six bytes of an Ethernet address.
    package mutating func append(hardware: HardwareAddress) {
        append(be16: UInt16(hardware.value >> 32))
        append(be32: UInt32(hardware.value & 0xffff_ffff))
    }

    /// Value in network order at an offset; 0 behind the end.
    package func be16(_ offset: Int) -> UInt16 {
        offset + 2 <= count ? UInt16(self[offset]) << 8 | UInt16(self[offset + 1]) : 0
    }

    /// Value in network order at an offset; 0 behind the end.
    package func be32(_ offset: Int) -> UInt32 {
        UInt32(be16(offset)) << 16 | UInt32(be16(offset + 2))
    }

    /// Writes a value in network order.
    package mutating func set(_ offset: Int, be16 value: UInt16) {
        self[offset] = UInt8(value >> 8)
        self[offset + 1] = UInt8(value & 0xff)
    }

    /// Folded big-endian sum of a range, straight from RFC 1071: the tests' own arithmetic, so that
    /// the engine's is not judged by itself.
    package func onesSum(_ range: Range<Int>, from initial: UInt32 = 0) -> UInt16 {
        var sum = initial
        for offset in stride(from: range.lowerBound, to: range.upperBound, by: 2) {
            let low = offset + 1 < range.upperBound ? UInt32(self[offset + 1]) : 0
            sum += UInt32(self[offset]) << 8 | low
            sum = (sum & 0xffff) + (sum >> 16)
        }
        return UInt16(sum)
    }

    /// True when an IPv6 packet is at 14.
    package var isIPv6: Bool { count >= 54 && be16(12) == 0x86dd }

    /// Where the transport header of the packet at 14 begins, and which it is; extension headers of
    /// IPv6 are passed over.
    package func transport() -> (start: Int, number: UInt8) {
        guard isIPv6 else { return (14 + Int(self[14] & 15) * 4, self[23]) }
        var (start, number) = (54, self[20])
        while [0, 43, 44, 60].contains(number), start + 2 <= count {
            number = self[start]
            start += 8 + Int(self[start + 1]) * 8
        }
        return (start, number)
    }

    /// Sum of the pseudo-header of the packet at 14 (RFC 9293 section 3.1, RFC 8200 section 8.1).
    package func pseudoHeaderSum() -> UInt16 {
        guard !isIPv6 else {
            let (start, number) = transport()
            let length = 54 + UInt32(be16(18)) - UInt32(start)
            return onesSum(22..<54, from: UInt32(number) + length)
        }
        let headerBytes = Int(self[14] & 15) * 4
        let length = UInt32(be16(16)) - UInt32(headerBytes)
        return onesSum(26..<34, from: UInt32(self[23]) + length)
    }

    /// Fills the checksum of the IPv4 header at 14.
    package mutating func fillHeaderChecksum() {
        let end = 14 + Int(self[14] & 15) * 4
        set(24, be16: 0)
        set(24, be16: ~onesSum(14..<end))
    }

    /// Fills the transport checksum at an offset of the frame; UDP's 0 becomes 0xffff.
    package mutating func fillTransportChecksum(at offset: Int) {
        let (start, number) = transport()
        let end = isIPv6 ? 54 + Int(be16(18)) : 14 + Int(be16(16))
        set(offset, be16: 0)
        let sum = ~onesSum(start..<end, from: UInt32(pseudoHeaderSum()))
        set(offset, be16: sum == 0 && number == 17 ? 0xffff : sum)
    }
}
