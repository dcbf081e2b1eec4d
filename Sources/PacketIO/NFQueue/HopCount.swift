/// TTL or hop limit of a packet, at the raw bytes, with the header's checksum kept right (RFC 1624).
enum HopCount {
    /// Takes back one hop that was counted already.
    @inline(__always)
    static func raise(_ network: UnsafeMutableRawPointer, isIPv6: Bool) {
        unsafe change(network, isIPv6: isIPv6, by: 1)
    }

    /// Counts a hop.
    @inline(__always)
    static func lower(_ network: UnsafeMutableRawPointer, isIPv6: Bool) {
        unsafe change(network, isIPv6: isIPv6, by: 0xff)
    }

    @inline(__always)
    private static func change(
        _ network: UnsafeMutableRawPointer, isIPv6: Bool, by step: UInt8
    ) {
        let offset = isIPv6 ? 7 : 8
        let new = unsafe network.load(fromByteOffset: offset, as: UInt8.self) &+ step
        unsafe network.storeBytes(of: new, toByteOffset: offset, as: UInt8.self)
        guard !isIPv6 else { return }
        // One hop more adds 0x0100 to the header's sum, one less its complement.
        let difference: UInt32 = step == 1 ? 0x0100 : 0xfeff
        let field = unsafe network.loadUnaligned(fromByteOffset: 10, as: UInt16.self).bigEndian
        let sum = UInt32(~field) + difference
        let folded = UInt16(truncatingIfNeeded: sum &+ sum >> 16)
        unsafe network.storeBytes(of: (~folded).bigEndian, toByteOffset: 10, as: UInt16.self)
    }
}
