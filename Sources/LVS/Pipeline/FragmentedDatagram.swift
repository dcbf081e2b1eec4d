/// A fragment of an IPv4 datagram as it came in.
@safe
struct ReceivedFragment {
    let frame: Frame
    /// Offset of the network header in the frame.
    let network: Int
    let headerLength: Int
    let key: FragmentedDatagram.Key
    let offset: Int
    /// Behind its last payload byte; what is over a multiple of eight counts in the last one only.
    let end: Int
    let isLast: Bool
    let hasDontFragment: Bool
    let typeOfService: UInt8

    init(_ packet: Packet, _ frame: Frame) {
        self.frame = frame
        network = Int(packet.networkOffset)
        headerLength = packet.networkHeaderLength
        let bytes = unsafe frame.bytes + network
        let field = unsafe bytes.be16(6)
        offset = Int(field & 0x1fff) * 8
        isLast = field & 0x2000 == 0
        hasDontFragment = field & 0x4000 != 0
        let behind = offset + Int(packet.ipLength) - headerLength
        end = isLast ? behind : behind & ~7
        unsafe typeOfService = bytes.byte(1)
        key = unsafe FragmentedDatagram.Key(
            addresses: bytes.le64(12), identification: bytes.be16(4),
            transport: packet.protocolNumber)
    }

    var count: Int { end - offset }
}

/// A datagram of which fragments wait in a `FragmentStore`.
struct FragmentedDatagram {
    /// What the fragments of one datagram have in common (RFC 791 section 3.2).
    struct Key: Hashable {
        var addresses: UInt64 = 0
        var identification: UInt16 = 0
        var transport: UInt8 = 0

        var hash: UInt64 {
            let flow = addresses ^ UInt64(identification) << 24 ^ UInt64(transport) << 8
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
    private(set) var vlan: UInt32 = 0
    private(set) var mark: UInt32 = 0
    private(set) var ingress: PortIndex = 0

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
