/// IPIP: the packet travels whole inside another one, from the director to the real server
/// (ipvs-semantics 6.4).
struct Tunnel {
    /// Bytes of the outer header.
    static let overhead = 20
    /// What the outer header says is inside it: IPv4.
    static let protocolNumber: UInt8 = 4
    /// Longest inner packet below which a route is of no use (RFC 791).
    static let smallestMTU: UInt32 = 68

    /// Addresses of the outer header, host order.
    var source: UInt32
    var destination: UInt32
    /// Copies the inner DF bit (`pmtu_disc`).
    var copiesDontFragment: Bool

    /// Writes the outer header for the inner packet that follows it directly; the inner TTL is
    /// decremented already.
    ///
    /// `identification` counts for packets without DF.
    func writeHeader(
        _ outer: UnsafeMutableRawPointer, innerLength: Int, identification: inout UInt16
    ) {
        let inner = unsafe outer + Tunnel.overhead
        let service = unsafe inner.byte(1)
        // An inner mark of congestion becomes "capable" outside (RFC 3168 section 9.1.1).
        let outerService = service & 3 == 3 ? service & ~1 : service
        let keepsWhole = unsafe copiesDontFragment && inner.byte(6) & 0x40 != 0
        unsafe outer.set(0, byte: 0x45)
        unsafe outer.set(1, byte: outerService)
        unsafe outer.set(
            2, be16: UInt16(truncatingIfNeeded: innerLength + Tunnel.overhead))
        unsafe outer.set(4, be16: keepsWhole ? 0 : identification)
        if !keepsWhole { identification &+= 1 }
        unsafe outer.set(6, be16: keepsWhole ? 0x4000 : 0)
        unsafe outer.set(8, byte: inner.byte(8))
        unsafe outer.set(9, byte: Tunnel.protocolNumber)
        unsafe outer.set(12, be32: source)
        unsafe outer.set(16, be32: destination)
        unsafe Checksum.writeHeader(outer, count: Tunnel.overhead)
    }

    /// Wraps a frame where it lies, its link header moving into the headroom, or in memory of the
    /// burst when there is no headroom; nil when that is used up.
    ///
    /// The checksum is complete already.
    func wrap(
        _ frame: Frame, _ packet: Packet, cause: Int, burst: inout Burst,
        identification: inout UInt16
    ) -> Frame? {
        let link = Int(packet.networkOffset)
        let inner = Int(packet.ipLength)
        let length = link + Tunnel.overhead + inner
        var wrapped = frame
        if Int(frame.headroom) >= Tunnel.overhead {
            unsafe wrapped.bytes = frame.bytes - Tunnel.overhead
            wrapped.headroom -= UInt16(Tunnel.overhead)
            wrapped.capacity += UInt32(Tunnel.overhead)
        } else {
            guard let made = burst.make(length: length, ingress: frame.ingress, cause: cause)
            else { return nil }
            unsafe wrapped.bytes = made.bytes
            wrapped.headroom = made.headroom
            wrapped.capacity = made.capacity
            unsafe (made.bytes + link + Tunnel.overhead).copyMemory(
                from: frame.bytes + link, byteCount: inner)
        }
        // The two link headers overlap when the frame stays in place.
        unsafe wrapped.bytes.copyMemory(from: frame.bytes, byteCount: link)
        unsafe writeHeader(
            wrapped.bytes + link, innerLength: inner, identification: &identification)
        wrapped.length = UInt32(length)
        wrapped.checksumStart = 0
        wrapped.checksumOffset = 0
        return wrapped
    }

    /// Cuts a super-frame and wraps every segment, each in a frame of the burst with verdict
    /// `verdict`; false when the burst has no more of them, the rest of the segments then being lost.
    func wrapSegments(
        _ cut: Offload.Cut, _ frame: Frame, _ packet: Packet, cause: Int, verdict: Verdict,
        burst: inout Burst, identification: inout UInt16
    ) -> Bool {
        let link = Int(packet.networkOffset)
        for index in 0..<cut.count {
            let inner = cut.length(index)
            guard
                var made = burst.make(
                    length: link + Tunnel.overhead + inner, ingress: frame.ingress, cause: cause)
            else { return false }
            unsafe made.bytes.copyMemory(from: frame.bytes, byteCount: link)
            let outer = unsafe made.bytes + link
            unsafe Offload.writeSegment(
                index, of: cut, packet, from: frame.bytes + link, to: outer + Tunnel.overhead)
            unsafe writeHeader(outer, innerLength: inner, identification: &identification)
            made.vlan = frame.vlan
            made.verdict = verdict
            burst.setMadeFrame(burst.madeCount - 1, made)
        }
        return true
    }
}
