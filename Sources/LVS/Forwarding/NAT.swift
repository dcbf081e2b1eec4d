/// Masquerading: the destination of packets from the client becomes the real server, the source of
/// packets from the real server becomes the virtual address (ipvs-semantics 6.2).
///
/// With FULLNAT the client's address and port become local ones on the way in, and its own again on the way out.
enum NAT {
    /// Rewrites addresses, ports, TTL and both checksums; a wrong checksum stays wrong by the same
    /// amount.
    ///
    /// `timeToLive` is what the TTL loses: 1, or 0 towards the host itself.
    static func rewrite(
        _ frame: UnsafeMutablePointer<Frame>, _ packet: Packet, _ connection: Connection,
        side: Int, timeToLive hops: UInt8
    ) {
        unsafe rewriteAddresses(frame, packet, connection, side: side, timeToLive: hops)
        unsafe rewriteTransport(
            frame, packet.bytes, packet, connection, side: side,
            network: Int(packet.networkOffset), transport: Int(packet.transportOffset),
            isStored: false)
    }

    /// As above for a plain packet of IPv4 (`Packet.isPlain`), whose headers lie where the fast path
    /// knows them to be.
    @inline(__always)
    static func rewritePlain(
        _ frame: UnsafeMutablePointer<Frame>, _ packet: Packet, _ connection: Connection,
        side: Int, timeToLive hops: UInt8, network: Int, transport: Int
    ) {
        let bytes = unsafe packet.bytes
        let new = connection.key(side: side ^ 1).reversed
        let addressDifference = connection.addressDifference(side: side)
        let headerDifference =
            hops == 0 ? addressDifference : addressDifference &+ Checksum.decrementedTimeToLive
        let header = unsafe bytes.le16(network &+ 10)
        unsafe bytes.set(network &+ 8, byte: packet.timeToLive &- hops)
        unsafe bytes.set(
            network &+ 10, le16: Checksum.updated(header, adding: headerDifference))
        unsafe bytes.set(network &+ 12, le64: new.addresses)
        unsafe rewriteTransport(
            frame, bytes, packet, connection, side: side, network: network, transport: transport,
            isStored: true)
    }

    /// Rewrites ports and the checksum of TCP and UDP in the frame at `bytes`; the IP header shows the
    /// new addresses.
    ///
    /// `isStored` says that the entry is known to hold the checksum differences.
    @inline(__always)
    static func rewriteTransport(
        _ frame: UnsafeMutablePointer<Frame>, _ bytes: UnsafeMutableRawPointer, _ packet: Packet,
        _ connection: Connection, side: Int, network: Int, transport: Int, isStored: Bool
    ) {
        unsafe bytes.set(transport, le32: connection.key(side: side ^ 1).reversed.ports)

        let isTCP = packet.protocolNumber == 6
        if unsafe frame.pointee.checksum == .partial,
            unsafe Int(frame.pointee.checksumStart) == transport
        {
            let field = transport &+ (isTCP ? 16 : 6)
            // The pseudo-header sum covers the addresses, never the ports (packet-io 4 rule 2).
            let old = unsafe bytes.le16(field)
            let difference =
                isStored
                ? connection.addressDifference(side: side)
                : connection.differences(side: side).addresses
            unsafe bytes.set(field, le16: Checksum.updatedPartial(old, adding: difference))
            return
        }
        let difference =
            isStored
            ? connection.transportDifference(side: side)
            : connection.differences(side: side).transport
        if isTCP {
            let field = transport &+ 16
            unsafe bytes.set(
                field, le16: Checksum.updated(bytes.le16(field), adding: difference))
            return
        }
        let field = transport &+ 6
        let old = unsafe bytes.le16(field)
        if old != 0 {
            let updated = Checksum.updated(old, adding: difference)
            unsafe bytes.set(field, le16: updated == 0 ? 0xffff : updated)
        } else {
            unsafe completeUDP(bytes + transport, packet.transportLength, bytes + network)
        }
    }

    /// As `rewrite` for SCTP: the checksum is made anew when the port changes, and was right or
    /// wrong before that as it came; the packet has a whole common header.
    static func rewriteSCTP(
        _ frame: UnsafeMutablePointer<Frame>, _ packet: Packet, _ connection: Connection,
        side: Int, timeToLive hops: UInt8
    ) {
        unsafe rewriteAddresses(frame, packet, connection, side: side, timeToLive: hops)
        unsafe rewriteSCTPHeader(
            frame, frame.pointee.bytes + Int(packet.transportOffset), packet, connection,
            side: side)
    }

    /// Rewrites ports and checksum of the SCTP packet at `header`.
    static func rewriteSCTPHeader(
        _ frame: UnsafeMutablePointer<Frame>, _ header: UnsafeMutableRawPointer, _ packet: Packet,
        _ connection: Connection, side: Int
    ) {
        let ports = connection.key(side: side ^ 1).reversed.ports
        guard unsafe ports != packet.portWord || frame.pointee.checksum == .partial else { return }
        unsafe header.set(0, le32: ports)
        unsafe CRC32C.writeSCTP(header, length: packet.transportLength)
        unsafe frame.pointee.checksum = .complete
    }

    /// As `rewrite` where nothing but the IP header is translated: AH and ESP.
    static func rewriteAddresses(
        _ frame: UnsafeMutablePointer<Frame>, _ packet: Packet, _ connection: Connection,
        side: Int, timeToLive hops: UInt8
    ) {
        let network = Int(packet.networkOffset)
        let header = unsafe IPHeader(frame.pointee.bytes + network, isIPv6: packet.isIPv6)
        if side == 0 {
            header.destination = connection.real
            if connection.isFullNAT { header.source = connection.replyDestination }
        } else {
            header.source = connection.virtual
            if connection.isFullNAT { header.destination = connection.client }
        }
        header.setTimeToLive(
            packet.timeToLive &- hops, losing: hops,
            adding: connection.differences(side: side).addresses)
    }

    /// A datagram without a checksum gets one (ipvs-semantics 6.2).
    @inline(never)
    private static func completeUDP(
        _ header: UnsafeMutableRawPointer, _ length: Int, _ network: UnsafeMutableRawPointer
    ) {
        unsafe Checksum.writeTransport(header, length: length, network: network, transport: 17)
    }
}
