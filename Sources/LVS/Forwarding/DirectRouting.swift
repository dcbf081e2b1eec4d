/// Direct routing: the packet goes to the real server as it is, with one hop less to live
/// (ipvs-semantics 6.3).
enum DirectRouting {
    /// Takes one off the TTL, and updates the checksum of an IPv4 header.
    static func rewrite(_ bytes: UnsafeMutableRawPointer, _ packet: Packet) {
        unsafe IPHeader(bytes + Int(packet.networkOffset), isIPv6: packet.isIPv6)
            .setTimeToLive(packet.timeToLive &- 1, losing: 1)
    }

    /// As above for a plain packet of IPv4 (`Packet.isPlain`).
    @inline(__always)
    static func rewritePlain(_ bytes: UnsafeMutableRawPointer, _ packet: Packet) {
        let header = unsafe bytes.le16(24)
        unsafe bytes.set(22, byte: packet.timeToLive &- 1)
        unsafe bytes.set(
            24, le16: Checksum.updated(header, adding: Checksum.decrementedTimeToLive))
    }
}
