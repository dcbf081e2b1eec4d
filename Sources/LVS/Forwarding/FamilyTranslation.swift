/// Carries packets between IPv6 clients and servers of IPv4 over into the other family (RFC 7915), where
/// FULLNAT has given the connection addresses of both.
///
/// Type of service and traffic class are the same byte. Flow labels are 0. IPv4 options, and IPv6
/// extension headers that lie before the transport, end here; so do packets with AH, whose sum covers
/// the addresses.
enum FamilyTranslation {
    /// The longest IPv4 packets that leave without DF, bytes: what IPv6 carries everywhere, less what
    /// the headers differ by (RFC 7915 section 5.1).
    static let longestWithoutDF = 1260
    /// The length that packets of servers without DF are cut to, and the least that a client is told,
    /// bytes: what every IPv6 way takes (RFC 7915 section 4, RFC 8200 section 5).
    static let leastMTU: UInt32 = 1280
    /// Bytes that an IPv6 header is longer than one of IPv4.
    static let headerDifference = 20

    /// Bytes that a packet grows by; negative towards IPv4.
    static func growth(_ packet: Packet) -> Int {
        IPHeader.fixedLength(packet.isIPv6 ? .v4 : .v6) - packet.networkHeaderLength
    }

    /// Why a packet has no translation.
    enum Obstacle: Hashable {
        /// A routing header that names hosts to come; `pointer` is where it says how many, counted from
        /// the IPv6 header (RFC 7915 section 5.1: the sender is told).
        case routing(pointer: UInt32)
        /// A fragment that could not be put together.
        case fragment
        /// The sum of AH covers the addresses.
        case authentication
    }

    /// What stands against the translation of a packet; nil when nothing does.
    static func obstacle(
        to packet: Packet, in bytes: UnsafeMutableRawPointer
    ) -> Obstacle? {
        guard packet.isIPv6 else {
            return packet.protocolNumber == HeaderChain.authentication ? .authentication : nil
        }
        let network = Int(packet.networkOffset)
        let end = Int(packet.transportOffset)
        var chain = unsafe HeaderChain(at: network, end: end, in: bytes)
        while chain.isExtension, chain.offset < end {
            switch chain.number {
            case HeaderChain.authentication: return .authentication
            case HeaderChain.fragment: return .fragment
            case HeaderChain.routing where unsafe bytes.byte(chain.offset + 3) != 0:
                return .routing(pointer: UInt32(chain.offset - network + 3))
            default: break
            }
            guard chain.advance() else { return .fragment }
        }
        return nil
    }

    /// What a header in the other family says.
    struct Header {
        var source: IPAddress
        var destination: IPAddress
        var transport: UInt8
        /// Bytes behind the header.
        var payload: Int
        var trafficClass: UInt8
        var timeToLive: UInt8
        /// Of IPv4 alone, as is the next one.
        var identification: UInt16 = 0
        var hasDontFragment = false

        /// Writes the header, of the addresses' family; its checksum is complete.
        func write(to target: UnsafeMutableRawPointer) {
            let isIPv6 = !destination.isV4
            let header = unsafe IPHeader(target, isIPv6: isIPv6)
            header.write(
                from: source, to: destination, transport: transport, payload: payload,
                trafficClass: trafficClass, identification: identification)
            header.timeToLive = timeToLive
            guard !isIPv6 else { return }
            if hasDontFragment { unsafe target.set(6, be16: 0x4000) }
            header.seal(length: 20)
        }
    }

    /// The addresses that packets of a connection have behind the director.
    static func addresses(
        of connection: Connection, _ direction: Direction
    ) -> (source: IPAddress, destination: IPAddress) {
        direction == .inbound
            ? (connection.replyDestination, connection.real)
            : (connection.virtual, connection.client)
    }

    /// Makes room for a header that is longer by `growth`, or takes some away, between the link header
    /// and the transport's, which stays where it is when there is headroom; false when the burst has
    /// no memory for a longer frame.
    ///
    /// What the frame says of its headers moves along; the new header is still to be written.
    static func resize(
        _ frame: inout Frame, _ packet: Packet, by growth: Int, cause: Int, burst: inout Burst
    ) -> Bool {
        let link = Int(packet.networkOffset)
        let length = Int(frame.length) + growth
        let old = unsafe frame.bytes
        if growth <= Int(frame.headroom) {
            unsafe frame.bytes = old - growth
            frame.headroom = UInt16(clamping: Int(frame.headroom) - growth)
            frame.capacity = UInt32(Int(frame.capacity) + growth)
        } else {
            guard let made = burst.make(length: length, ingress: frame.ingress, cause: cause)
            else { return false }
            let transport = Int(packet.transportOffset)
            unsafe frame.bytes = made.bytes
            frame.headroom = made.headroom
            frame.capacity = made.capacity
            unsafe (made.bytes + transport + growth).copyMemory(
                from: old + transport, byteCount: Int(frame.length) - transport)
        }
        // The two link headers may overlap.
        unsafe frame.bytes.copyMemory(from: old, byteCount: link)
        unsafe frame.bytes.set(
            link - 2, be16: IPHeader.etherType(packet.isIPv6 ? .v4 : .v6))
        frame.length = UInt32(length)
        if frame.checksum == .partial {
            frame.checksumStart = UInt16(truncatingIfNeeded: Int(frame.checksumStart) + growth)
        }
        guard frame.segmentSize != 0 else { return true }
        frame.headerLength = UInt16(truncatingIfNeeded: Int(frame.headerLength) + growth)
        // TCP of each family has a number of its own.
        switch frame.segmentKind & 0x7f {
        case 1: frame.segmentKind += 3
        case 4: frame.segmentKind -= 3
        default: break
        }
        return true
    }
}
