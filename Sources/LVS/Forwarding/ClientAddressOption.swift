/// TOA, the TCP option that tells a server the address and port of a client (ipvs-semantics 11.4).
///
/// ```
/// kind 254 | length 8, or 20 with IPv6 | port 2 | address 4, or 16
/// ```
/// It stands directly behind the fixed header. One that a client has sent itself is blanked, so that
/// nobody is taken in by it.
enum ClientAddressOption {
    private static let kind: UInt8 = 254
    /// What the Alibaba version sends for IPv6 clients; blanked as well.
    private static let otherKind: UInt8 = 253
    private static let shortLength = 8
    private static let longLength = 20
    /// Longest TCP header, bytes.
    private static let longestHeader = 60

    /// Bytes of the option for a client.
    static func length(of client: IPAddress) -> Int { client.isV4 ? shortLength : longLength }

    static func text(client: IPAddress, port: UInt16) -> ShortText {
        var text = ShortText()
        text.append(be16: UInt16(kind) << 8 | UInt16(length(of: client)))
        text.append(be16: port)
        text.append(wireBytesOf: client)
        return text
    }

    /// True for what a receiver would take for the option.
    static func isOne(_ option: TCPOptions.Option) -> Bool {
        switch (option.kind, option.length) {
        case (kind, shortLength), (kind, longLength), (otherKind, longLength): true
        default: false
        }
    }

    /// The options of a segment with the client's in front, as long a list as a header and `room` bytes
    /// more of the packet allow; nil when there is no way.
    ///
    /// First NOPs are left out, then options that a connection can do without (as DPVS does).
    static func options(
        of segment: UnsafeMutableRawPointer, length: Int, with own: ShortText, isOpener: Bool,
        room: Int
    ) -> ShortText? {
        let header = unsafe TCPOptions.headerLength(segment)
        let longest = min(longestHeader, header + room) - 20
        if header - 20 + own.count <= longest {
            var text = own
            for offset in 20..<header { unsafe text.append(byte: segment.byte(offset)) }
            return text
        }
        for keepsAll in [true, false] {
            var text = own
            var options = unsafe TCPOptions(segment, length: length)
            while let option = options.next() {
                guard !isOne(option), keepsAll || isNeeded(option, isOpener: isOpener) else {
                    continue
                }
                for offset in option.offset..<option.offset + option.length {
                    unsafe text.append(byte: segment.byte(offset))
                }
            }
            while text.count % 4 != 0 { text.append(byte: TCPOptions.endOfList) }
            if !options.isMalformed, text.count <= longest { return text }
        }
        return nil
    }

    /// Whether a connection would suffer without the option: of a SYN segment size, window scale,
    /// SACK-permitted, timestamps, MPTCP and fast open, later timestamps and SACK.
    private static func isNeeded(_ option: TCPOptions.Option, isOpener: Bool) -> Bool {
        switch option.kind {
        case TCPOptions.timestamps, TCPOptions.selectiveAcknowledgement: true
        case 2, 3, 4, 30, TCPOptions.fastOpen: isOpener
        default: false
        }
    }
}
