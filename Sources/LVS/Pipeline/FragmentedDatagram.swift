/// A fragment of a datagram as it came in.
@safe
struct ReceivedFragment {
    let frame: Frame
    /// Offset of the network header in the frame.
    let network: Int
    /// Bytes before the payload, an IPv6 fragment header included.
    let headerLength: Int
    /// Where the IPv6 fragment header is named, counted from the network header; 0 with IPv4.
    let numberOffset: Int
    let key: FragmentedDatagram.Key
    let offset: Int
    /// Behind its last payload byte; what is over a multiple of eight counts in the last one only.
    let end: Int
    let isLast: Bool
    let hasDontFragment: Bool
    let typeOfService: UInt8

    /// The fragment that a packet is; nil when an IPv6 one has no whole fragment header.
    init?(_ packet: Packet, _ frame: Frame) {
        self.frame = frame
        network = Int(packet.networkOffset)
        let bytes = unsafe frame.bytes + network
        let total = Int(packet.ipLength)
        let identification: UInt32
        if packet.isIPv6 {
            var chain = unsafe HeaderChain(at: 0, end: total, in: bytes)
            while chain.number != HeaderChain.fragment {
                guard chain.isExtension, chain.advance() else { return nil }
            }
            guard let field = chain.fragmentField else { return nil }
            offset = Int(field & 0xfff8)
            isLast = field & 1 == 0
            hasDontFragment = false
            headerLength = chain.offset + 8
            numberOffset = chain.numberOffset
            identification = unsafe bytes.be32(chain.offset + 4)
        } else {
            let field = unsafe bytes.be16(6)
            offset = Int(field & 0x1fff) * 8
            isLast = field & 0x2000 == 0
            hasDontFragment = field & 0x4000 != 0
            headerLength = packet.networkHeaderLength
            numberOffset = 0
            identification = unsafe UInt32(bytes.be16(4))
        }
        let behind = offset + total - headerLength
        end = isLast ? behind : behind & ~7
        typeOfService = unsafe IPHeader(bytes, isIPv6: packet.isIPv6).trafficClass
        key = FragmentedDatagram.Key(
            source: packet.source, destination: packet.destination,
            identification: identification,
            transport: packet.isIPv6 ? 0 : packet.protocolNumber)
        // IPv6 fragments but the last carry whole eights, or are none.
        guard !packet.isIPv6 || (end == behind && end <= 65_535) else { return nil }
    }

    var isIPv6: Bool { numberOffset != 0 }
    var count: Int { end - offset }
}

/// A datagram of which fragments wait in a `FragmentStore`.
struct FragmentedDatagram {
    /// What the fragments of one datagram have in common (RFC 791 section 3.2, RFC 8200 section 4.5,
    /// where the protocol is not among it).
    struct Key: Hashable {
        var source = IPAddress.anyV6
        var destination = IPAddress.anyV6
        var identification: UInt32 = 0
        var transport: UInt8 = 0

        var hash: UInt64 {
            let from = (source.high ^ source.low) &* 0xd6e8_feb8_6659_fd93
            let to = destination.high ^ destination.low &* 0xff51_afd7_ed55_8ccd
            let flow = from ^ to ^ UInt64(identification) << 24 ^ UInt64(transport) << 8
            return flow &* 0x9e37_79b9_7f4a_7c15
        }
    }

    var key = Key()
    var deadline = Instant(nanoseconds: 0)
    /// Next in the same bucket, and neighbours in the queue by age.
    var chain = FragmentStore.none
    var older = FragmentStore.none
    var younger = FragmentStore.none
    /// Its fragments by offset.
    var first = FragmentStore.none
    var last = FragmentStore.none
    var fragments = 0
    /// Payload bytes that are there.
    private var received = 0
    /// Payload bytes of the datagram as far as known.
    private(set) var length = 0
    private var hasLast = false
    private(set) var hasFirst = false
    /// Longest fragment with its header, of all and of those with DF.
    private(set) var longest = 0
    private var longestUncut = 0
    /// One bit for each congestion mark that was seen.
    private var marks: UInt8 = 0

    // From the first fragment:
    private(set) var link = 0
    private(set) var headerLength = 0
    private(set) var numberOffset = 0
    private(set) var vlan: UInt32 = 0
    private(set) var mark: UInt32 = 0
    private(set) var ingress: PortIndex = 0

    var isIPv6: Bool { key.source.family == .v6 }
    /// Bytes of the fragment header, which the whole does not have.
    var fragmentHeaderLength: Int { isIPv6 ? 8 : 0 }
    var isComplete: Bool { hasFirst && hasLast && received == length }

    /// The datagram said "don't fragment" wherever it was cut; so does what is made of it.
    var hasDontFragment: Bool { longestUncut == longest }

    /// Takes the fragment's end into account; false when it contradicts what is known.
    mutating func extend(by fragment: ReceivedFragment) -> Bool {
        guard fragment.count > 0 else { return false }
        if fragment.isLast {
            guard fragment.end >= length, !hasLast || fragment.end == length else { return false }
            hasLast = true
            length = fragment.end
        } else if fragment.end > length {
            guard !hasLast else { return false }
            length = fragment.end
        }
        return true
    }

    /// Counts a fragment that is kept.
    mutating func count(_ fragment: ReceivedFragment) {
        fragments += 1
        received += fragment.count
        marks |= 1 << (fragment.typeOfService & 3)
        let size = fragment.headerLength + fragment.count
        longest = max(longest, size)
        if fragment.hasDontFragment { longestUncut = max(longestUncut, size) }
        guard fragment.offset == 0 else { return }
        hasFirst = true
        link = fragment.network
        headerLength = fragment.headerLength
        numberOffset = fragment.numberOffset
        vlan = fragment.frame.vlan
        mark = fragment.frame.mark
        ingress = fragment.frame.ingress
    }

    /// The congestion mark of the whole, added to that of the first fragment (RFC 3168 section 5.3);
    /// nil when some fragments were capable and some not.
    var congestionMark: UInt8? {
        let notCapable = marks & 1 != 0
        guard !notCapable || marks == 1 else { return nil }
        return marks & 8 != 0 ? 3 : 0
    }
}

/// A block of a fragment, and what is known of the fragment in its first block.
struct FragmentPiece {
    var offset = 0
    /// Payload bytes of the fragment.
    var count = 0
    /// The datagram's next fragment.
    var next = FragmentStore.none
    /// The fragment's next block; in a free piece the next free one.
    var rest = FragmentStore.none
    /// The fragment did not continue its neighbour when it came.
    var beginsRun = false
}
