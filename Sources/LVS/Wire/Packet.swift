/// The parsed view of a frame: where its headers lie and what the pipeline asks about them.
///
/// Made in one pass by `init(parsing:)`, which accepts any bytes; every offset it reports lies
/// within the frame's length. Addresses are read from the frame when asked for, so they show the
/// rewritten header once forwarding has begun.
@safe
package struct Packet {
    /// What the classifier sends a packet's way by.
    package enum Kind: UInt8, Sendable {
        /// A whole TCP or UDP packet with complete headers, or an SCTP packet with its ports.
        case flow
        /// A TCP or UDP packet that ends within its transport header, whose ports may be there, or SCTP
        /// within its ports.
        case short
        /// A whole AH or ESP packet, which goes the way of its key exchange (ipvs-semantics 4.2).
        case security
        /// An ICMP error as IPVS treats them: types 3, 4, 11; ICMPv6 below 128 (ipvs-semantics 6.5).
        case icmpError
        case icmpOther
        /// Any fragment, first or later.
        case fragment
        /// A flow or security packet with options in its IPv4 header, or for every host on the way of
        /// IPv6; `withoutOptions` tells which.
        case optioned
        case arp
        /// A protocol that IPVS leaves alone.
        case other
        /// An IP header that contradicts itself.
        case malformed
    }

    let bytes: UnsafeMutableRawPointer
    /// IPv4: the eight address bytes as a little-endian number, source in the low half.
    package private(set) var addressWord: UInt64 = 0
    /// The four port bytes as a little-endian number, source in the low half; 0 without ports.
    package private(set) var portWord: UInt32 = 0
    /// Length of the IP packet from its header on, without link header or padding, bytes.
    package private(set) var ipLength: UInt32 = 0
    /// Offset of the network header; 0 when there is none.
    package private(set) var networkOffset: UInt16 = 0
    /// Offset of the transport header (behind IPv6 extension headers); 0 when there is none.
    package private(set) var transportOffset: UInt16 = 0
    package internal(set) var kind: Kind = .other
    private var traits: UInt8 = 0
    /// IP protocol number of the transport header.
    package private(set) var protocolNumber: UInt8 = 0
    /// TTL or hop limit as it arrived.
    package private(set) var timeToLive: UInt8 = 0
    /// Flag byte of a TCP header (FIN is bit 0), else 0.
    package private(set) var tcpFlags: UInt8 = 0

    /// Port 500 both ways, as `portWord` has it: that of the key exchange of AH and ESP.
    static let keyExchangePorts: UInt32 = 0xf401_f401
    private static let version6: UInt8 = 1
    private static let dontFragment: UInt8 = 2
    private static let laterFragment: UInt8 = 4
    private static let groupAddressed: UInt8 = 8
    private static let plain: UInt8 = 16

    /// Parses a frame; never reads at or behind its length.
    package init(parsing frame: Frame) {
        if let plain = Packet(plain: frame) {
            self = plain
        } else {
            self.init(unusual: frame)
        }
    }

    /// The usual packet, untagged IPv4 without options or fragmentation, taken apart in one go; nil
    /// for all others.
    @inline(__always)
    init?(plain frame: Frame) {
        let bytes = unsafe frame.bytes
        let length = Int(frame.length)
        guard length >= 42, unsafe bytes.be16(12) == 0x0800, unsafe bytes.byte(14) == 0x45,
            unsafe bytes.be16(20) & 0x3fff == 0, unsafe bytes.byte(0) & 1 == 0
        else { return nil }
        let total = unsafe Int(bytes.be16(16))
        let transport = unsafe bytes.byte(23)
        let isTCP = transport == 6
        guard isTCP || transport == 17, total >= (isTCP ? 40 : 28), total <= length &- 14 else {
            return nil
        }
        unsafe self.init(
            bytes: bytes, addressWord: bytes.le64(26), portWord: bytes.le32(34),
            ipLength: UInt32(truncatingIfNeeded: total), protocolNumber: transport,
            timeToLive: bytes.byte(22), tcpFlags: isTCP ? bytes.byte(47) : 0)
    }

    /// A whole TCP or UDP packet behind an untagged Ethernet header and a plain IPv4 header.
    @inline(__always)
    private init(
        bytes: UnsafeMutableRawPointer, addressWord: UInt64, portWord: UInt32, ipLength: UInt32,
        protocolNumber: UInt8, timeToLive: UInt8, tcpFlags: UInt8
    ) {
        unsafe self.bytes = bytes
        self.addressWord = addressWord
        self.portWord = portWord
        self.ipLength = ipLength
        networkOffset = 14
        transportOffset = 34
        kind = .flow
        self.protocolNumber = protocolNumber
        self.timeToLive = timeToLive
        self.tcpFlags = tcpFlags
        traits = Packet.plain
    }

    /// VLAN tags inside the frame, IPv4 options and fragments, IPv6, ARP and everything else.
    @inline(never)
    init(unusual frame: Frame) {
        unsafe bytes = frame.bytes
        if frame.length >= 14 { parseUnusual(Int(frame.length)) }
    }

    /// A network header of IPv4 whose first `headerBytes` lie within the frame.
    private mutating func parseIPv4(at offset: Int, headerBytes: Int, length: Int) {
        networkOffset = UInt16(truncatingIfNeeded: offset)
        let total = unsafe Int(bytes.be16(offset + 2))
        guard total >= headerBytes, total <= length - offset else {
            kind = .malformed
            return
        }
        ipLength = UInt32(truncatingIfNeeded: total)
        timeToLive = unsafe bytes.byte(offset + 8)
        protocolNumber = unsafe bytes.byte(offset + 9)
        if unsafe bytes.byte(offset + 6) & 0x40 != 0 { traits |= Packet.dontFragment }
        addressWord = unsafe bytes.le64(offset + 12)
        parseTransport(at: offset + headerBytes, end: offset + total)
    }

    private mutating func parseTransport(at offset: Int, end: Int) {
        transportOffset = UInt16(truncatingIfNeeded: min(offset, end))
        let isTCP = protocolNumber == 6
        guard isTCP || protocolNumber == 17 else {
            parseOther(at: offset, end: end)
            return
        }
        if end - offset >= 4 { portWord = unsafe bytes.le32(offset) }
        guard end - offset >= (isTCP ? 20 : 8) else {
            kind = .short
            return
        }
        if isTCP { tcpFlags = unsafe bytes.byte(offset + 13) }
        kind = .flow
    }

    private mutating func parseOther(at offset: Int, end: Int) {
        switch protocolNumber {
        case 1 where !isIPv6:
            guard end - offset >= 8 else { return }
            let type = unsafe bytes.byte(offset)
            kind = type == 3 || type == 4 || type == 11 ? .icmpError : .icmpOther
        case 58 where isIPv6:
            guard end - offset >= 8 else { return }
            kind = unsafe bytes.byte(offset) < 128 ? .icmpError : .icmpOther
        case 132:
            guard end - offset >= 4 else {
                kind = .short
                return
            }
            portWord = unsafe bytes.le32(offset)
            kind = .flow
        case 50, 51:
            portWord = Packet.keyExchangePorts
            kind = .security
        default: kind = .other
        }
    }

    private mutating func parseUnusual(_ length: Int) {
        var typeOffset = 12
        var type = unsafe bytes.be16(typeOffset)
        while type == 0x8100 || type == 0x88a8 {
            guard typeOffset + 6 <= length, typeOffset < 20 else { return }
            typeOffset += 4
            type = unsafe bytes.be16(typeOffset)
        }
        let offset = typeOffset + 2
        switch type {
        case 0x0806: kind = .arp
        case 0x0800: parseAnyIPv4(at: offset, length: length)
        case 0x86dd: parseIPv6(at: offset, length: length)
        default: kind = .other
        }
        // What is not addressed to this host alone is never the director's (ipvs-semantics 0.1).
        if unsafe bytes.byte(0) & 1 != 0 {
            traits |= Packet.groupAddressed
            if kind != .arp { kind = .other }
        }
    }

    private mutating func parseAnyIPv4(at offset: Int, length: Int) {
        networkOffset = UInt16(truncatingIfNeeded: offset)
        guard length - offset >= 20 else {
            kind = .malformed
            return
        }
        let first = unsafe bytes.byte(offset)
        let headerBytes = Int(first & 15) * 4
        guard first >> 4 == 4, headerBytes >= 20, headerBytes <= length - offset else {
            kind = .malformed
            return
        }
        parseIPv4(at: offset, headerBytes: headerBytes, length: length)
        if headerBytes > 20, kind == .flow || kind == .security { kind = .optioned }
        let fragment = unsafe bytes.be16(offset + 6) & 0x3fff
        guard fragment != 0, kind != .malformed else { return }
        kind = .fragment
        if fragment & 0x1fff != 0 {
            traits |= Packet.laterFragment
            portWord = 0
            tcpFlags = 0
        }
    }

    private mutating func parseIPv6(at offset: Int, length: Int) {
        networkOffset = UInt16(truncatingIfNeeded: offset)
        traits |= Packet.version6 | Packet.dontFragment
        guard length - offset >= 40, unsafe bytes.byte(offset) >> 4 == 6 else {
            kind = .malformed
            return
        }
        let payload = unsafe Int(bytes.be16(offset + 4))
        guard payload <= length - offset - 40 else {
            kind = .malformed
            return
        }
        ipLength = UInt32(truncatingIfNeeded: payload + 40)
        timeToLive = unsafe bytes.byte(offset + 7)
        // The host takes no such packet from a wire (RFC 4291 sections 2.5.3 and 2.7).
        guard !source.isLoopback, !source.isMulticast, !destination.isLoopback else {
            kind = .malformed
            return
        }
        let end = offset + 40 + payload
        var chain = unsafe HeaderChain(at: offset, end: end, in: bytes)
        let hasOptions = chain.number == HeaderChain.hopByHop
        var isFragment = false
        while chain.isExtension, !isLaterFragment {
            if let field = chain.fragmentField {
                // One that says it is all of a packet is put together from one piece (RFC 6946).
                isFragment = true
                if field & 0xfff8 != 0 { traits |= Packet.laterFragment }
            }
            // IPVS does not know a transport then, and leaves the packet alone.
            guard chain.advance() else { return }
        }
        protocolNumber = chain.number
        transportOffset = UInt16(truncatingIfNeeded: min(chain.offset, end))
        if !isLaterFragment { parseTransport(at: chain.offset, end: end) }
        if hasOptions, kind == .flow || kind == .security { kind = .optioned }
        if isFragment { kind = .fragment }
    }
}

extension Packet {
    package var isIPv6: Bool { traits & Packet.version6 != 0 }
    /// The don't-fragment bit; always set for IPv6.
    package var hasDontFragment: Bool {
        // Asked for seldom, so a plain packet's is left in its header.
        isPlain ? unsafe bytes.byte(20) & 0x40 != 0 : traits & Packet.dontFragment != 0
    }
    /// A fragment that is not the first: it has no ports.
    package var isLaterFragment: Bool { traits & Packet.laterFragment != 0 }
    /// Sent to a broadcast or multicast MAC address.
    package var isGroupAddressed: Bool { traits & Packet.groupAddressed != 0 }
    /// A flow in an untagged frame behind a plain IPv4 header: the network header lies at 14, the
    /// transport header at 34.
    package var isPlain: Bool {
        @inline(__always) get { traits & Packet.plain != 0 }
    }
    package var isIPv4: Bool { networkOffset != 0 && !isIPv6 && kind != .malformed }
    /// True when the packet has a sound IP header, of either family.
    package var isIP: Bool { networkOffset != 0 && kind != .malformed }
    package var family: AddressFamily { isIPv6 ? .v6 : .v4 }
    package var transport: TransportProtocol { TransportProtocol(rawValue: protocolNumber) }

    /// Source address; `::` for frames that are not IP.
    package var source: IPAddress { address(at: 12, or: 8) }
    /// Destination address; `::` for frames that are not IP.
    package var destination: IPAddress { address(at: 16, or: 24) }
    /// Host order; 0 without ports.
    package var sourcePort: UInt16 { UInt16(truncatingIfNeeded: portWord).byteSwapped }
    /// Host order; 0 without ports.
    package var destinationPort: UInt16 { UInt16(truncatingIfNeeded: portWord >> 16).byteSwapped }
    /// Addresses, ports and transport; ports are 0 when there are none.
    ///
    /// AH and ESP have those of the key exchange whose connection they belong to.
    package var tuple: ConnectionTuple {
        ConnectionTuple(
            source: source, destination: destination,
            ports: isSecurity ? Packet.keyExchangePorts : portWord,
            transport: flowTransport.rawValue)
    }
    /// The key by which connection tables know an IPv4 packet; see `ConnectionTable.key(of:)`.
    @inline(__always)
    package var key: ConnectionKey {
        ConnectionKey(addresses: addressWord, ports: portWord, transport: protocolNumber)
    }

    /// The transport whose connection the packet belongs to: UDP for AH and ESP.
    var flowTransport: TransportProtocol { isSecurity ? .udp : transport }
    /// AH or ESP, or a fragment of such.
    var isSecurity: Bool { protocolNumber == 50 || protocolNumber == 51 }

    /// TCP: SYN set, whatever else is set; SCTP: INIT comes first (ipvs-semantics 0.2 step 4).
    package var isOpener: Bool { tcpFlags & 2 != 0 || sctpChunk(at: 0)?.type == 1 }
    /// TCP: RST set; SCTP: ABORT comes first.
    package var isReset: Bool { tcpFlags & 4 != 0 || sctpChunk(at: 0)?.type == 6 }

    /// The same packet as a plain flow, for whoever has dealt with its options.
    var withoutOptions: Packet {
        var packet = self
        if kind == .optioned { packet.kind = isSecurity ? .security : .flow }
        return packet
    }

    /// A fragment of AH or ESP as a packet of its own.
    var asWholeSecurity: Packet {
        var packet = self
        if isSecurity { packet.kind = .security }
        return packet
    }

    /// A first fragment that has its transport header whole, as a packet of its own; nil for others.
    var asFlow: Packet? {
        let length = Int(ipLength) - networkHeaderLength
        guard kind == .fragment, !isLaterFragment,
            (protocolNumber == 6 && length >= 20) || (protocolNumber == 17 && length >= 8)
        else { return nil }
        var packet = self
        packet.kind = .flow
        return packet
    }

    /// True for a packet that ends before what the kernel's state machine looks at.
    var isWithoutState: Bool {
        kind == .short && !(isIPv6 && protocolNumber == 6 && ipLength >= 60)
    }

    /// The packet with the TCP flags that the kernel's state machine sees: it looks for them where
    /// they are in IPv6 packets without extension headers (Linux 6.1; ipvs-semantics appendix B).
    var asStatesSeeIt: Packet {
        guard isIPv6, protocolNumber == 6, ipLength >= 60, networkHeaderLength != 40 else {
            return self
        }
        var packet = self
        packet.tcpFlags = unsafe bytes.byte(Int(networkOffset) + 40 + 13)
        return packet
    }

    /// Type of an ICMP message.
    package var icmpType: UInt8 {
        guard kind == .icmpError || kind == .icmpOther else { return 0 }
        return unsafe bytes.byte(Int(transportOffset))
    }

    /// What a whole TCP or UDP packet carries; nil for other packets, and when its header claims to be
    /// longer than the packet.
    package var payload: Payload? {
        let end = Int(networkOffset) + Int(ipLength)
        var start = Int(transportOffset)
        guard kind == .flow || kind == .optioned else { return nil }
        switch protocolNumber {
        case 6:
            let header = unsafe Int(bytes.byte(start + 12) >> 4) * 4
            guard header >= 20 else { return nil }
            start += header
        case 17: start += 8
        default: return nil
        }
        guard start <= end else { return nil }
        return unsafe Payload(bytes + start, count: end - start)
    }

    /// Code of an ICMP message.
    package var icmpCode: UInt8 {
        guard kind == .icmpError || kind == .icmpOther else { return 0 }
        return unsafe bytes.byte(Int(transportOffset) + 1)
    }

    /// Length of the network header (with IPv6 extension headers), bytes.
    package var networkHeaderLength: Int { Int(transportOffset) - Int(networkOffset) }

    private func address(at v4: Int, or v6: Int) -> IPAddress {
        let offset = Int(networkOffset)
        guard offset != 0 else { return .anyV6 }
        guard isIPv6 else {
            return kind == .malformed
                ? .anyV4 : unsafe IPAddress(v4: bytes.be32(offset + v4))
        }
        guard ipLength != 0 else { return .anyV6 }
        return unsafe IPAddress(wireHigh: bytes.be64(offset + v6), low: bytes.be64(offset + v6 + 8))
    }
}
