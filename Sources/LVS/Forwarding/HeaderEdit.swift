/// Changes how long a TCP header is.
enum HeaderEdit {
    /// Replaces the options of a segment; what is in front of them moves into the frame's headroom,
    /// which has room for it, or out of it.
    ///
    /// `options` are a multiple of four bytes, at most 40, and the packet stays within its longest
    /// length; frames are no super-frames. The checksum changes by what bytes and lengths changed.
    static func replaceOptions(
        by options: ShortText, in frame: UnsafeMutablePointer<Frame>, _ packet: Packet
    ) {
        let start = Int(packet.transportOffset)
        let old = unsafe frame.pointee.bytes + start
        let oldHeader = unsafe TCPOptions.headerLength(old)
        let gained = 20 + options.count - oldHeader
        let oldSum = unsafe Checksum.sum(old + 12, count: oldHeader - 12)
        let oldLength = packet.transportLength

        let bytes = unsafe frame.pointee.bytes - gained
        unsafe bytes.copyMemory(from: frame.pointee.bytes, byteCount: start + 20)
        unsafe frame.pointee.bytes = bytes
        unsafe frame.pointee.headroom = UInt16(Int(frame.pointee.headroom) - gained)
        unsafe frame.pointee.capacity = UInt32(Int(frame.pointee.capacity) + gained)
        unsafe frame.pointee.length = UInt32(Int(frame.pointee.length) + gained)

        let header = unsafe IPHeader(bytes + Int(packet.networkOffset), isIPv6: packet.isIPv6)
        header.totalLength = Int(packet.ipLength) + gained
        header.seal(length: packet.networkHeaderLength)
        let segment = unsafe bytes + start
        let reserved = unsafe segment.byte(12) & 0xf
        unsafe segment.set(12, byte: UInt8((20 + options.count) / 4) << 4 | reserved)
        for offset in 0..<options.count {
            unsafe segment.set(20 + offset, byte: options[offset])
        }
        // The sum of the rest of the header stands twice, before and after, but for its checksum, which
        // neither side of the difference shows.
        let field = unsafe segment.le16(16)
        let lengths = Checksum.difference(
            from: UInt32(UInt16(oldLength).byteSwapped),
            to: UInt32(UInt16(oldLength + gained).byteSwapped))
        if unsafe frame.pointee.checksum == .partial {
            unsafe segment.set(
                16, le16: Checksum.updatedPartial(field, adding: UInt32(lengths)))
            return
        }
        let newSum = unsafe Checksum.sum(segment + 12, count: 8 + options.count)
        let difference = UInt32(lengths) + UInt32(~oldSum) + UInt32(newSum)
        unsafe segment.set(
            16, le16: Checksum.updated(field, adding: UInt32(Checksum.fold(difference))))
    }
}
