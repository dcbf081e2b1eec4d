/// What lies between a tunnel's outer IP header and the packet inside (ipvs-semantics 6.4): one
/// case, and one file, for each encapsulation.
enum Encapsulation: Hashable {
    case ipip
    case gue(GUE)
    case gre(GRE)

    /// The encapsulation of a real server as configured.
    init(_ kind: TunnelKind) {
        switch kind {
        case .ipip: self = .ipip
        case .gue(let port, let flags): self = .gue(GUE(port: port, flags: TunnelFlags(flags)))
        case .gre(let flags): self = .gre(GRE(flags: TunnelFlags(flags)))
        }
    }

    /// The word that destinations keep: kind 8 | flags 8 | port 16.
    init(word: UInt32) {
        let flags = TunnelFlags(UInt16(word >> 8 & 0xff))
        switch word & 0xff {
        case 1: self = .gue(GUE(port: UInt16(word >> 16), flags: flags))
        case 2: self = .gre(GRE(flags: flags))
        default: self = .ipip
        }
    }

    var word: UInt32 {
        switch self {
        case .ipip: 0
        case .gue(let gue): 1 | UInt32(gue.flags.rawValue) << 8 | UInt32(gue.port) << 16
        case .gre(let gre): 2 | UInt32(gre.flags.rawValue) << 8
        }
    }

    /// True when a partial checksum of the packet inside is left to the real server.
    var takesPartialChecksum: Bool {
        if case .gue(let gue) = self { return gue.flags.contains(.remoteChecksum) }
        return false
    }

    /// Bytes between the two IP headers, for a packet inside whose checksum is partial or not.
    func length(isPartial: Bool) -> Int {
        switch self {
        case .ipip: IPIP.length
        case .gue: isPartial && takesPartialChecksum ? GUE.longLength : GUE.length
        case .gre(let gre): gre.length
        }
    }

    /// What the outer IP header says comes next.
    func protocolNumber(of inner: InnerPacket) -> UInt8 {
        switch self {
        case .ipip: inner.protocolNumber
        case .gue: GUE.protocolNumber
        case .gre: GRE.protocolNumber
        }
    }

    /// Writes the header, which ends where the packet inside begins; `addresses` is the sum of the
    /// outer ones.
    func write(before inner: InnerPacket, addresses: UInt16) {
        switch self {
        case .ipip: break
        case .gue(let gue): gue.write(before: inner, addresses: addresses)
        case .gre(let gre): gre.write(before: inner)
        }
    }

    /// What tells a tunnel to a server from other packets to it: the outer protocol, and a port
    /// where there is one.
    func endpoint(of server: IPAddress) -> ServedTraffic.Endpoint {
        var endpoint = ServedTraffic.Endpoint(
            address: server,
            transport: TransportProtocol(rawValue: InnerPacket.protocolOfIPv4), port: 0)
        switch self {
        case .ipip: break
        case .gue(let gue):
            endpoint.transport = .udp
            endpoint.port = gue.port
        case .gre: endpoint.transport = TransportProtocol(rawValue: GRE.protocolNumber)
        }
        return endpoint
    }

    /// What an ICMP error quotes of a packet in a tunnel: the encapsulation, options left out, and
    /// where the packet inside begins; nil for other packets, and those the kernel does not look
    /// into (IPv6 inside is one).
    static func quoted(
        by outer: QuotedPacket, in bytes: UnsafeMutableRawPointer
    ) -> (encapsulation: Encapsulation, inner: Int)? {
        switch outer.protocolNumber {
        case InnerPacket.protocolOfIPv4: (.ipip, outer.transport)
        case GUE.protocolNumber: unsafe GUE.quoted(by: outer, in: bytes)
        case GRE.protocolNumber: unsafe GRE.quoted(by: outer, in: bytes)
        default: nil
        }
    }
}

/// Options of a real server's tunnel, numbered as the kernel numbers them (ipvs-semantics 10.1).
struct TunnelFlags: OptionSet, Hashable {
    var rawValue: UInt8

    init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Takes the bits that mean something.
    init(_ flags: UInt16) { rawValue = UInt8(flags & 3) }

    static let checksum = TunnelFlags(rawValue: 1)
    static let remoteChecksum = TunnelFlags(rawValue: 2)
}

/// A packet that travels inside another one, its TTL decremented already.
@safe
struct InnerPacket {
    /// As an outer header or GUE names it (RFC 2003, RFC 4213).
    static let protocolOfIPv4: UInt8 = 4
    static let protocolOfIPv6: UInt8 = 41

    let bytes: UnsafeMutableRawPointer
    /// Bytes, its own header included.
    let length: Int
    /// Where a checksum that is still partial begins, and its field behind that; nil when the
    /// checksum is complete.
    var partial: (start: Int, field: Int)?

    init(_ bytes: UnsafeMutableRawPointer, length: Int) {
        unsafe self.bytes = bytes
        self.length = length
    }

    var isIPv6: Bool { unsafe bytes.byte(0) >> 4 == 6 }

    var protocolNumber: UInt8 {
        isIPv6 ? InnerPacket.protocolOfIPv6 : InnerPacket.protocolOfIPv4
    }

    var header: IPHeader { unsafe IPHeader(bytes) }

    /// Always false for IPv6, whose packets have no such bit to copy.
    var hasDontFragment: Bool { unsafe !isIPv6 && bytes.byte(6) & 0x40 != 0 }

    /// A number that is the same for all packets of a flow and spreads flows evenly.
    var flowHash: UInt32 {
        var word: UInt64
        let transport: Int
        let next: UInt8
        if isIPv6 {
            unsafe word = bytes.le64(8) &* 3 ^ bytes.le64(16) &* 5
            unsafe word ^= bytes.le64(24) &* 7 ^ bytes.le64(32) &* 11
            transport = 40
            next = unsafe bytes.byte(6)
        } else {
            word = unsafe bytes.le64(12)
            transport = unsafe Int(bytes.byte(0) & 15) * 4
            next = unsafe bytes.byte(9)
        }
        word ^= UInt64(next) << 56
        if next == 6 || next == 17 || next == 132, length >= transport + 4 {
            word ^= unsafe UInt64(bytes.le32(transport)) &* 0x9e37_79b9_7f4a_7c15
        }
        word = (word ^ word >> 32) &* 0xd6e8_feb8_6659_fd93
        return UInt32(truncatingIfNeeded: word >> 32)
    }
}
