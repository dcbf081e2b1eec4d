/// The bytes behind a packet's transport header, for whoever reads text in them.
///
/// A view of the frame: good until the frame is written to. Marked safe because an index outside
/// is answered with 0 instead of read.
@safe
package struct Payload: RandomAccessCollection {
    private let base: UnsafeMutableRawPointer
    package let startIndex = 0
    package let endIndex: Int

    /// `count` bytes from `base` on, which the caller has found to lie within the frame.
    init(_ base: UnsafeMutableRawPointer, count: Int) {
        unsafe self.base = base
        endIndex = Swift.max(0, count)
    }

    package subscript(index: Int) -> UInt8 {
        guard index >= 0, index < endIndex else { return 0 }
        return unsafe base.byte(index)
    }
}

extension Packet {
    /// True when the transport checksum of a whole TCP or UDP packet is right; `bytes` is where the
    /// frame begins.
    func hasRightTransportChecksum(_ bytes: UnsafeMutableRawPointer) -> Bool {
        let network = unsafe bytes + Int(networkOffset)
        let addresses =
            isIPv6
            ? unsafe Checksum.sum(network + 8, count: 32)
            : unsafe Checksum.sum(network + 12, count: 8)
        let length = Int(ipLength) - networkHeaderLength
        let words =
            UInt32(addresses) + UInt32(UInt16(protocolNumber).byteSwapped)
            + UInt32(UInt16(truncatingIfNeeded: length).byteSwapped)
        let segment = unsafe Checksum.sum(bytes + Int(transportOffset), count: length)
        return Checksum.fold(words + UInt32(segment)) == 0xffff
    }
}
