/// One netlink message as it lies in a packet.
///
///      0      4    6     8          12     16
///     +------+----+-----+----------+------+---------------- - - -
///     | size |type|flags| sequence | port | body, padded to 4
///     +------+----+-----+----------+------+---------------- - - -
///
/// All numbers host order. A generic-netlink body begins with command, version, two spare bytes.
package struct NetlinkMessage {
    package static let headerBytes = 16
    package static let genericHeaderBytes = 4

    package var type: UInt16
    package var flags: NetlinkFlags
    package var sequence: UInt32
    package var port: UInt32
    /// The whole message with its header, without padding.
    package var bytes: ArraySlice<UInt8>

    /// What follows the message header.
    package var body: ArraySlice<UInt8> { bytes.dropFirst(Self.headerBytes) }

    /// Command of a generic-netlink message; nil when the body is too short for one.
    package var command: UInt8? {
        body.count >= Self.genericHeaderBytes ? body.first : nil
    }

    /// Attributes of a generic-netlink message.
    package var attributes: NetlinkAttributes {
        NetlinkAttributes(body.dropFirst(Self.genericHeaderBytes))
    }

    /// Takes the first message off a packet; nil (and nothing taken) when what is left holds none,
    /// as when its size says less than a header or more than there is.
    package init?(takingFrom packet: inout ArraySlice<UInt8>) {
        guard packet.count >= Self.headerBytes, let size: UInt32 = packet.number(at: 0),
            let type: UInt16 = packet.number(at: 4), let flags: UInt16 = packet.number(at: 6),
            let sequence: UInt32 = packet.number(at: 8), let port: UInt32 = packet.number(at: 12),
            size >= UInt32(Self.headerBytes), Int(size) <= packet.count
        else { return nil }
        self.type = type
        self.flags = NetlinkFlags(rawValue: flags)
        self.sequence = sequence
        self.port = port
        bytes = packet.prefix(Int(size))
        packet = packet.dropFirst((Int(size) + 3) & ~3)
    }
}

extension ArraySlice<UInt8> {
    /// The number in host order `offset` bytes behind the start; nil when it is not all there.
    package func number<Number: FixedWidthInteger>(at offset: Int) -> Number? {
        let width = Number.bitWidth / 8
        guard count >= offset + width else { return nil }
        var value: Number = 0
        for index in (0..<width).reversed() {
            value = value << 8 | Number(truncatingIfNeeded: self[startIndex + offset + index])
        }
        return Number(littleEndian: value)
    }
}
