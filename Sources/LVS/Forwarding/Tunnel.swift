/// A tunnel for one packet: it travels whole inside another one, from the director to the real
/// server (ipvs-semantics 6.4).
///
/// What all encapsulations have in common is here: the outer IP header of either family, and where
/// the bytes go.
struct Tunnel {
    /// What a client is told to leave room for when a router says how long packets may be: the
    /// kernel takes off an IPv4 header whatever the encapsulation.
    static let toldOverhead: UInt32 = 20

    /// Addresses of the outer header, of the real server's family.
    var source: IPAddress
    var destination: IPAddress
    /// Copies the inner DF bit (`pmtu_disc`).
    var copiesDontFragment: Bool
    var encapsulation: Encapsulation
    /// The packet's own partial checksum is left to the real server.
    var isPartial = false

    /// Longest inner packet below which a route is of no use (RFC 791, RFC 8200).
    var smallestMTU: UInt32 { destination.isV4 ? 68 : 1280 }

    private var outerLength: Int { IPHeader.fixedLength(destination.family) }

    /// Bytes that a packet grows by.
    var overhead: Int { outerLength + encapsulation.length(isPartial: isPartial) }

    /// Writes all that comes before the inner packet, whose TTL is decremented already.
    ///
    /// `identifications` are for IPv4 packets without DF.
    func writeHeaders(before inner: InnerPacket, identifications: inout Identifications) {
        let outer = unsafe inner.bytes - overhead
        let next = encapsulation.protocolNumber(of: inner)
        let service = inner.header.trafficClass
        // An inner mark of congestion becomes "capable" outside (RFC 3168 section 9.1.1).
        let outerService = service & 3 == 3 ? service & ~1 : service
        let length = overhead + inner.length
        if destination.isV4 {
            let keepsWhole = copiesDontFragment && inner.hasDontFragment
            unsafe outer.set(0, byte: 0x45)
            unsafe outer.set(1, byte: outerService)
            unsafe outer.set(2, be16: UInt16(truncatingIfNeeded: length))
            unsafe outer.set(4, be16: keepsWhole ? 0 : identifications.take())
            unsafe outer.set(6, be16: keepsWhole ? 0x4000 : 0)
            unsafe outer.set(8, byte: inner.header.timeToLive)
            unsafe outer.set(9, byte: next)
            unsafe outer.set(12, be32: source.v4)
            unsafe outer.set(16, be32: destination.v4)
            unsafe Checksum.writeHeader(outer, count: outerLength)
        } else {
            unsafe outer.set(0, be32: 0x6000_0000 | UInt32(outerService) << 20)
            unsafe outer.set(4, be16: UInt16(truncatingIfNeeded: length - outerLength))
            unsafe outer.set(6, byte: next)
            unsafe outer.set(7, byte: inner.header.timeToLive)
            let header = unsafe IPHeader(outer, isIPv6: true)
            header.source = source
            header.destination = destination
        }
        let addresses = destination.isV4 ? 12 : 8
        encapsulation.write(
            before: inner,
            addresses: unsafe Checksum.sum(outer + addresses, count: outerLength - addresses))
    }

    /// Copies the link header in front of a wrapped packet; its type is that of the outer family.
    private func writeLink(
        _ target: UnsafeMutableRawPointer, from source: UnsafeMutableRawPointer, count: Int
    ) {
        unsafe target.copyMemory(from: source, byteCount: count)
        unsafe target.set(count - 2, be16: IPHeader.etherType(destination.family))
    }

    /// Wraps a frame where it lies, its link header moving into the headroom, or in memory of the
    /// burst when there is no headroom; nil when that is used up.
    ///
    /// The checksum is complete already, or left to the real server.
    func wrap(
        _ frame: Frame, _ packet: Packet, cause: Int, burst: inout Burst,
        identifications: inout Identifications
    ) -> Frame? {
        let link = Int(packet.networkOffset)
        let count = Int(packet.ipLength)
        let length = link + overhead + count
        var wrapped = frame
        if Int(frame.headroom) >= overhead {
            unsafe wrapped.bytes = frame.bytes - overhead
            wrapped.headroom -= UInt16(overhead)
            wrapped.capacity += UInt32(overhead)
        } else {
            guard let made = burst.make(length: length, ingress: frame.ingress, cause: cause)
            else { return nil }
            unsafe wrapped.bytes = made.bytes
            wrapped.headroom = made.headroom
            wrapped.capacity = made.capacity
            unsafe (made.bytes + link + overhead).copyMemory(
                from: frame.bytes + link, byteCount: count)
        }
        // The two link headers overlap when the frame stays in place.
        unsafe writeLink(wrapped.bytes, from: frame.bytes, count: link)
        var inner = unsafe InnerPacket(wrapped.bytes + link + overhead, length: count)
        if isPartial {
            inner.partial = (Int(frame.checksumStart) - link, Int(frame.checksumOffset))
        }
        writeHeaders(before: inner, identifications: &identifications)
        wrapped.length = UInt32(length)
        wrapped.checksum = .complete
        wrapped.checksumStart = 0
        wrapped.checksumOffset = 0
        return wrapped
    }

    /// Cuts a super-frame and wraps every segment, each in a frame of the burst with verdict
    /// `verdict`; false when the burst has no more of them, the rest of the segments then being lost.
    func wrapSegments(
        _ cut: Offload.Cut, _ frame: Frame, _ packet: Packet, cause: Int, verdict: Verdict,
        burst: inout Burst, identifications: inout Identifications
    ) -> Bool {
        let link = Int(packet.networkOffset)
        for index in 0..<cut.count {
            let count = cut.length(index)
            guard
                var made = burst.make(
                    length: link + overhead + count, ingress: frame.ingress, cause: cause)
            else { return false }
            unsafe writeLink(made.bytes, from: frame.bytes, count: link)
            var inner = unsafe InnerPacket(made.bytes + link + overhead, length: count)
            unsafe Offload.writeSegment(
                index, of: cut, packet, from: frame.bytes + link, to: inner.bytes)
            if isPartial {
                inner.partial = unsafe Offload.reopen(inner.bytes, count: count, packet)
            }
            writeHeaders(before: inner, identifications: &identifications)
            made.vlan = frame.vlan
            made.verdict = verdict
            burst.setMadeFrame(burst.madeCount - 1, made)
        }
        return true
    }
}
