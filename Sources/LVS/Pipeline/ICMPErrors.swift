/// What a client is told by ICMP (RFC 792, RFC 1191, RFC 4443).
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

    /// The type and code that a family has for it.
    func numbers(_ family: AddressFamily) -> (type: UInt8, code: UInt8) {
        let isV4 = family == .v4
        switch self {
        case .portUnreachable: return isV4 ? (3, 3) : (1, 4)
        case .hostUnreachable: return isV4 ? (3, 1) : (1, 3)
        case .timeExceeded: return isV4 ? (11, 0) : (3, 0)
        case .reassemblyTimeExceeded: return isV4 ? (11, 1) : (3, 1)
        case .fragmentationNeeded: return isV4 ? (3, 4) : (2, 0)
        case .relayed(let type, let code, _): return (type, code)
        }
    }

    /// True for what path MTU discovery lives on.
    func saysMTU(_ family: AddressFamily) -> Bool {
        let numbers = numbers(family)
        return family == .v4 ? numbers == (3, 4) : numbers.type == 2
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

/// Makes one worker's ICMP errors, as many as a client may get.
///
/// As the kernel sends them (ipvs-semantics 1.3): TTL 64, the quoted packet cut; with IPv4 precedence
/// 0xc0 and at most 576 bytes, with IPv6 1280; as many as `ICMPRateLimiter` allows.
package struct ICMPErrors {
    /// Longest ICMP error, bytes of the IP packet (RFC 1812 section 4.3.2.3, RFC 4443 section 2.4).
    static func longest(_ family: AddressFamily) -> Int { family == .v4 ? 576 : 1280 }

    /// Errors carry no DF bit, so that these have to differ.
    private var identifications: Identifications
    private let settings: LiveSettings?
    private let commons: WorkerCommons

    /// Without settings the defaults hold.
    init(
        settings: LiveSettings? = nil, commons: WorkerCommons, identifications: Identifications
    ) {
        self.settings = settings
        self.commons = commons
        self.identifications = identifications
    }

    /// What an error quotes: a packet, IP header first, and how many of its bytes are there.
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
        routeBits: UInt8 = 128, cause: Int, burst: inout Burst, now: Instant
    ) -> Frame? {
        guard packet.isIP, !packet.isGroupAddressed, !packet.isLaterFragment,
            packet.kind != .icmpError
        else { return nil }
        let quote = unsafe Quote(
            packet: frame.bytes + Int(packet.networkOffset), count: Int(packet.ipLength))
        return make(
            error, to: packet.source, quoting: quote, from: source, routeBits: routeBits,
            cause: cause,
            burst: &burst, now: now)
    }

    /// As above, for a packet that its caller has found to be worth an error; `routeBits` are
    /// those of the prefix that leads to the client, within all of IPv6.
    mutating func make(
        _ error: ICMPError, to client: IPAddress, quoting quote: Quote, from source: IPAddress,
        routeBits: UInt8 = 128, cause: Int, burst: inout Burst, now: Instant
    ) -> Frame? {
        let family = client.family
        guard client.isUnicast, source.family == family else { return nil }
        let rate = settings?.icmpRate ?? ICMPRateLimiter.Rate()
        guard commons.allows(error, to: client, by: routeBits, rate, now: now) else { return nil }
        let headers = IPHeader.fixedLength(family) + 8
        let quoted = min(quote.count, ICMPErrors.longest(family) - headers)
        let length = headers + quoted
        guard let made = burst.make(length: 14 + length, ingress: 0, cause: cause) else {
            return nil
        }
        let transport = TransportProtocol.icmp(of: family).rawValue
        let header = unsafe IPHeader(made.bytes + 14, isIPv6: family == .v6)
        // With IPv4 the type of service goes on under the precedence of network control.
        let service = unsafe family == .v4 ? 0xc0 | quote.packet.byte(1) & 0x1e : 0
        header.write(
            from: source, to: client, transport: transport, payload: 8 + quoted,
            trafficClass: service, identification: identifications.take())
        let message = unsafe made.bytes + 14 + headers - 8
        let numbers = error.numbers(family)
        unsafe message.set(0, byte: numbers.type)
        unsafe message.set(1, byte: numbers.code)
        unsafe message.set(2, be16: 0)
        unsafe message.set(4, be32: error.rest)
        unsafe (message + 8).copyMemory(from: quote.packet, byteCount: quoted)
        let sum = unsafe Checksum.sum(message, count: 8 + quoted)
        let pseudo =
            unsafe family == .v4
            ? 0
            : Checksum.pseudoHeader(made.bytes + 14, transport: transport, length: 8 + quoted)
        unsafe message.set(2, le16: ~Checksum.fold(UInt32(sum) + UInt32(pseudo)))
        unsafe made.bytes.set(12, be16: IPHeader.etherType(family))
        return made
    }
}
