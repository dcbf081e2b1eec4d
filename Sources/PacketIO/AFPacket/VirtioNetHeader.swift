internal import LVS

/// The ten bytes before a frame that carry its unfinished checksum and segmentation
/// (virtio 1.2, section 5.1.6; host order on packet sockets).
///
/// ```
///  0      1        2          4          6            8           10
///  flags  gso type hdr_len    gso_size   csum_start   csum_offset
/// ```
enum VirtioNetHeader {
    static let bytes = 10
    private static let needsChecksum: UInt8 = 1
    private static let dataValid: UInt8 = 2

    /// Copies what the kernel says of a received frame into it.
    @inline(__always)
    static func read(_ header: UnsafeMutableRawPointer, into frame: inout Frame) {
        let word = unsafe header.loadUnaligned(as: UInt64.self)
        guard word != 0 else { return }
        let flags = UInt8(truncatingIfNeeded: word)
        if flags & needsChecksum != 0 {
            frame.checksum = .partial
            frame.checksumStart = UInt16(truncatingIfNeeded: word >> 48)
            frame.checksumOffset = unsafe header.loadUnaligned(fromByteOffset: 8, as: UInt16.self)
        } else if flags & dataValid != 0 {
            frame.checksum = .verified
        }
        frame.segmentKind = UInt8(truncatingIfNeeded: word >> 8)
        if frame.segmentKind != 0 {
            frame.headerLength = UInt16(truncatingIfNeeded: word >> 16)
            frame.segmentSize = UInt16(truncatingIfNeeded: word >> 32)
        }
    }

    /// Writes the header of a frame whose offsets moved back by `shift` bytes (a VLAN tag).
    @inline(__always)
    static func write(
        _ frame: borrowing Frame, shift: UInt16, at header: UnsafeMutableRawPointer
    ) {
        var word: UInt64 = 0
        var offset: UInt16 = 0
        if frame.isPartial {
            word = UInt64(needsChecksum) | UInt64(frame.checksumStart &+ shift) << 48
            offset = frame.checksumOffset
        }
        if frame.segmentKind != 0 {
            word |=
                UInt64(frame.segmentKind) << 8 | UInt64(frame.headerLength &+ shift) << 16
                | UInt64(frame.segmentSize) << 32
        }
        unsafe header.storeBytes(of: word, as: UInt64.self)
        unsafe header.storeBytes(of: offset, toByteOffset: 8, as: UInt16.self)
    }
}
