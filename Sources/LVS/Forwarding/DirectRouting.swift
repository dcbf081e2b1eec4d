/// Direct routing: the packet goes to the real server as it is, with one hop less to live
/// (ipvs-semantics 6.3).
enum DirectRouting {
    /// Takes one off the TTL and updates the header's checksum.
    @inline(__always)
    static func rewrite(_ bytes: UnsafeMutableRawPointer, _ packet: Packet) {
        let network = Int(packet.networkOffset)
        let header = unsafe bytes.le16(network &+ 10)
        unsafe bytes.set(network &+ 8, byte: packet.timeToLive &- 1)
        unsafe bytes.set(
            network &+ 10,
            le16: Checksum.updated(header, adding: Checksum.decrementedTimeToLive))
    }
}
