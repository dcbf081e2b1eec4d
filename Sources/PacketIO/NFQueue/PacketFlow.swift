/// Addresses and ports of a packet as they stand in it, to see whether they were rewritten.
///
/// Ports are the first four bytes behind a header without options or extension headers.
struct PacketFlow: Equatable {
    private var source: (UInt64, UInt64)
    private var destination: (UInt64, UInt64)
    private var ports: UInt32

    /// Reads a header that is there in full; `network` has at least 20 bytes, or 40 of IPv6.
    @inline(__always)
    init(_ network: UnsafeMutableRawPointer, isIPv6: Bool) {
        let word = { (offset: Int) in
            unsafe network.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        }
        if isIPv6 {
            source = (word(8), word(16))
            destination = (word(24), word(32))
        } else {
            let both = word(12)
            source = (both & 0xffff_ffff, 0)
            destination = (both >> 32, 0)
        }
        // Whatever lies there if the packet ends before: memory goes on.
        ports = unsafe network.loadUnaligned(
            fromByteOffset: isIPv6 ? 40 : 20, as: UInt32.self)
    }

    @inline(__always)
    func hasSource(of other: PacketFlow) -> Bool { source == other.source }

    @inline(__always)
    func hasDestination(of other: PacketFlow) -> Bool { destination == other.destination }

    static func == (one: PacketFlow, other: PacketFlow) -> Bool {
        one.source == other.source && one.destination == other.destination
            && one.ports == other.ports
    }
}
