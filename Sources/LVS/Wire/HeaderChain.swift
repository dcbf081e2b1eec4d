/// Walks the headers of an IPv6 packet, from the first behind the fixed one (RFC 8200 section 4).
///
/// As the kernel walks them: in any order, and over AH as well (RFC 4302), so that what is behind it
/// counts as the packet's transport.
@safe
struct HeaderChain {
    private let bytes: UnsafeMutableRawPointer
    /// Behind the packet's last byte.
    private let end: Int
    /// Where the header stands that the walk has come to.
    private(set) var offset: Int
    /// Protocol number of that header.
    private(set) var number: UInt8
    /// Where that number is written.
    private(set) var numberOffset: Int

    static let hopByHop: UInt8 = 0
    static let routing: UInt8 = 43
    static let fragment: UInt8 = 44
    static let authentication: UInt8 = 51
    static let destinationOptions: UInt8 = 60

    /// The chain of the packet whose fixed header, which is there whole, begins at `network`.
    init(at network: Int, end: Int, in bytes: UnsafeMutableRawPointer) {
        unsafe self.bytes = bytes
        self.end = end
        offset = network + 40
        numberOffset = network + 6
        number = unsafe bytes.byte(network + 6)
    }

    /// True at a header behind which another one follows.
    var isExtension: Bool {
        switch number {
        case HeaderChain.hopByHop, HeaderChain.routing, HeaderChain.fragment,
            HeaderChain.authentication, HeaderChain.destinationOptions:
            true
        default: false
        }
    }

    /// Offset and flags of the fragment header the walk has come to, as they stand there.
    ///
    /// nil when it is not one, or not whole.
    var fragmentField: UInt16? {
        guard number == HeaderChain.fragment, end - offset >= 8 else { return nil }
        return unsafe bytes.be16(offset + 2)
    }

    /// Goes on to the next header; false when this one is cut short.
    ///
    /// The next one may begin behind the end of the packet.
    mutating func advance() -> Bool {
        guard end - offset >= (number == HeaderChain.fragment ? 8 : 2) else { return false }
        let length = unsafe Int(bytes.byte(offset + 1))
        let size: Int
        switch number {
        case HeaderChain.fragment: size = 8
        case HeaderChain.authentication: size = (length + 2) * 4
        default: size = (length + 1) * 8
        }
        numberOffset = offset
        number = unsafe bytes.byte(offset)
        offset += size
        return true
    }

    /// Goes to where a fragment header belongs (RFC 8200 section 4.5): behind hop-by-hop options, and
    /// behind a routing header with the destination options before it; false when a header is cut
    /// short.
    mutating func skipUnfragmentable() -> Bool {
        var hasRouting = false
        while true {
            switch number {
            case HeaderChain.hopByHop: break
            case HeaderChain.routing: hasRouting = true
            case HeaderChain.destinationOptions where !hasRouting: break
            default: return offset <= end
            }
            guard advance() else { return false }
        }
    }
}
