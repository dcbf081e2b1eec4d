/// The IP header of a packet, of either family: the one place that knows where the fields lie that
/// both have.
///
/// A view of the packet's bytes; whoever makes one has seen that the fixed part of the header is
/// there. Marked safe because its accessors touch nothing else.
@safe
struct IPHeader {
    private let bytes: UnsafeMutableRawPointer
    let isIPv6: Bool

    /// The header at `bytes`, whose first four bits say its version.
    init(_ bytes: UnsafeMutableRawPointer) {
        unsafe self.init(bytes, isIPv6: bytes.byte(0) >> 4 == 6)
    }

    /// The header at `bytes`, of a family that is known otherwise.
    init(_ bytes: UnsafeMutableRawPointer, isIPv6: Bool) {
        unsafe self.bytes = bytes
        self.isIPv6 = isIPv6
    }

    /// Bytes of a header without options or extension headers.
    static func fixedLength(_ family: AddressFamily) -> Int { family == .v4 ? 20 : 40 }

    /// EtherType of frames that carry the family.
    static func etherType(_ family: AddressFamily) -> UInt16 { family == .v4 ? 0x0800 : 0x86dd }

    var source: IPAddress {
        get { address(isIPv6 ? 8 : 12) }
        nonmutating set { setAddress(isIPv6 ? 8 : 12, newValue) }
    }

    var destination: IPAddress {
        get { address(isIPv6 ? 24 : 16) }
        nonmutating set { setAddress(isIPv6 ? 24 : 16, newValue) }
    }

    private func address(_ offset: Int) -> IPAddress {
        unsafe isIPv6
            ? IPAddress(wireHigh: bytes.be64(offset), low: bytes.be64(offset + 8))
            : IPAddress(v4: bytes.be32(offset))
    }

    private func setAddress(_ offset: Int, _ address: IPAddress) {
        guard isIPv6 else { return unsafe bytes.set(offset, be32: address.v4) }
        unsafe bytes.set(offset, be64: address.wireHigh)
        unsafe bytes.set(offset + 8, be64: address.low)
    }

    /// TTL or hop limit; the header's checksum does not follow.
    var timeToLive: UInt8 {
        get { unsafe bytes.byte(isIPv6 ? 7 : 8) }
        nonmutating set { unsafe bytes.set(isIPv6 ? 7 : 8, byte: newValue) }
    }

    /// Type of service or traffic class.
    var trafficClass: UInt8 {
        unsafe isIPv6 ? UInt8(truncatingIfNeeded: bytes.be16(0) >> 4) : bytes.byte(1)
    }

    /// Length of the packet with this header, bytes; the header's checksum does not follow.
    var totalLength: Int {
        get { unsafe isIPv6 ? Int(bytes.be16(4)) + 40 : Int(bytes.be16(2)) }
        nonmutating set {
            unsafe bytes.set(
                isIPv6 ? 4 : 2,
                be16: UInt16(truncatingIfNeeded: isIPv6 ? newValue - 40 : newValue))
        }
    }

    /// Sets the bits of a congestion mark besides those that are set (RFC 3168 section 5); the header's
    /// checksum does not follow.
    func addCongestion(_ mark: UInt8) {
        unsafe bytes.set(1, byte: bytes.byte(1) | (isIPv6 ? mark << 4 : mark))
    }

    /// Sets the TTL, and adds `difference`, that of addresses that were changed, to the checksum that
    /// IPv4 has.
    func setTimeToLive(_ new: UInt8, losing hops: UInt8, adding difference: UInt32 = 0) {
        timeToLive = new
        guard !isIPv6 else { return }
        let aged = hops == 0 ? difference : difference &+ Checksum.decrementedTimeToLive
        unsafe bytes.set(10, le16: Checksum.updated(bytes.le16(10), adding: aged))
    }

    /// Writes the checksum of an IPv4 header of `length` bytes; IPv6 has none.
    func seal(length: Int) {
        if !isIPv6 { unsafe Checksum.writeHeader(bytes, count: length) }
    }

    /// Writes the header of a packet that is made here; the checksum is complete.
    ///
    /// IPv6 has no identification, and flow label 0.
    func write(
        from source: IPAddress, to destination: IPAddress, transport: UInt8, payload: Int,
        trafficClass: UInt8, identification: UInt16
    ) {
        if isIPv6 {
            unsafe bytes.set(0, be32: 6 << 28 | UInt32(trafficClass) << 20)
            unsafe bytes.set(6, byte: transport)
        } else {
            unsafe bytes.set(0, be16: 0x4500 | UInt16(trafficClass))
            unsafe bytes.set(4, be16: identification)
            unsafe bytes.set(6, be16: 0)
            unsafe bytes.set(9, byte: transport)
        }
        timeToLive = 64
        totalLength = (isIPv6 ? 40 : 20) + payload
        self.source = source
        self.destination = destination
        seal(length: 20)
    }
}
