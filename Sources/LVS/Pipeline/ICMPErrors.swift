/// What a client is told by ICMP (RFC 792, RFC 1191).
package enum ICMPError: Hashable, Sendable {
    case portUnreachable
    case hostUnreachable
    case timeExceeded
    /// Not all fragments of a datagram came in time.
    case reassemblyTimeExceeded
    /// The longest IP packet that fits, bytes.
    case fragmentationNeeded(mtu: UInt16)
    /// What a router said about a packet in one of the director's tunnels; `rest` is the second word
    /// of the message.
    case relayed(type: UInt8, code: UInt8, rest: UInt32)

    var type: UInt8 {
        switch self {
        case .hostUnreachable, .portUnreachable, .fragmentationNeeded: 3
        case .timeExceeded, .reassemblyTimeExceeded: 11
        case .relayed(let type, _, _): type
        }
    }

    var code: UInt8 {
        switch self {
        case .timeExceeded: 0
        case .hostUnreachable, .reassemblyTimeExceeded: 1
        case .portUnreachable: 3
        case .fragmentationNeeded: 4
        case .relayed(_, let code, _): code
        }
    }

    /// The second word of the message.
    var rest: UInt32 {
        switch self {
        case .fragmentationNeeded(let mtu): UInt32(mtu)
        case .relayed(_, _, let rest): rest
        default: 0
        }
    }
}

/// Makes one worker's ICMP errors, and limits how many a client gets.
///
/// As the kernel sends them (ipvs-semantics 1.3): TTL 64, precedence 0xc0, at most 576 bytes with the
/// quoted packet cut; as many as `ICMPRateLimiter` allows.
package struct ICMPErrors {
    /// Longest ICMP error, bytes of the IP packet (RFC 1812 section 4.3.2.3).
    private static let longest = 576
    private static let headers = 28

    private var limiter = ICMPRateLimiter()
    /// Identification of the next error; they carry no DF bit, so it has to differ.
    private var identification: UInt16 = 1

    private let settings: LiveSettings?

    /// Without settings the defaults hold.
    package init(settings: LiveSettings? = nil) { self.settings = settings }

    /// What an error quotes: an IPv4 packet, header first, and how many of its bytes are there.
    @safe
    struct Quote {
        let packet: UnsafeMutableRawPointer
        let count: Int
    }

    /// Appends the error about a packet to the burst, with the Ethernet header left to whoever sends
    /// it; nil when none may be sent (rate, group addresses, later fragments, errors about errors)
    /// or when the burst has no room.
    package mutating func make(
        _ error: ICMPError, about packet: Packet, in frame: Frame, from source: IPAddress,
        cause: Int, burst: inout Burst, now: Instant
    ) -> Frame? {
        guard packet.isIPv4, !packet.isGroupAddressed, !packet.isLaterFragment,
            packet.kind != .icmpError
        else { return nil }
        let quote = unsafe Quote(
            packet: frame.bytes + Int(packet.networkOffset), count: Int(packet.ipLength))
        return make(
            error, to: packet.source, quoting: quote, from: source, cause: cause, burst: &burst,
            now: now)
    }

    /// As above, for a packet that its caller has found to be worth an error.
    mutating func make(
        _ error: ICMPError, to client: IPAddress, quoting quote: Quote, from source: IPAddress,
        cause: Int, burst: inout Burst, now: Instant
    ) -> Frame? {
        guard ICMPErrors.isUnicast(client) else { return nil }
        let rate = settings?.icmpRate ?? ICMPRateLimiter.Rate()
        guard limiter.allows(error, to: client, rate, now: now) else { return nil }
        let quoted = min(quote.count, ICMPErrors.longest - ICMPErrors.headers)
        let length = ICMPErrors.headers + quoted
        guard let made = burst.make(length: 14 + length, ingress: 0, cause: cause) else {
            return nil
        }
        let header = unsafe made.bytes + 14
        // The type of service of the packet goes on under the precedence of network control.
        let service = unsafe quote.packet.byte(1) & 0x1e
        unsafe header.set(0, be16: 0x45c0 | UInt16(service))
        unsafe header.set(2, be16: UInt16(length))
        unsafe header.set(4, be16: identification)
        unsafe header.set(6, be16: 0)
        unsafe header.set(8, be16: 64 << 8 | 1)
        unsafe header.set(12, be32: source.v4)
        unsafe header.set(16, be32: client.v4)
        unsafe Checksum.writeHeader(header, count: 20)
        identification &+= 1
        let message = unsafe header + 20
        unsafe message.set(0, byte: error.type)
        unsafe message.set(1, byte: error.code)
        unsafe message.set(2, be16: 0)
        unsafe message.set(4, be32: error.rest)
        unsafe (message + 8).copyMemory(from: quote.packet, byteCount: quoted)
        unsafe message.set(2, le16: ~Checksum.sum(message, count: 8 + quoted))
        unsafe made.bytes.set(12, be16: 0x0800)
        return made
    }

    /// Nobody answers 0.0.0.0, multicast or broadcast.
    private static func isUnicast(_ address: IPAddress) -> Bool {
        address.isV4 && address.v4 != 0 && address.v4 >> 28 < 0xe
    }
}
