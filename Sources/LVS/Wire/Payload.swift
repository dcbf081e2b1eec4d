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
    /// What a whole TCP or UDP packet carries; nil when its header says it is longer than the packet.
    ///
    /// `bytes` is where the frame begins.
    func payload(in bytes: UnsafeMutableRawPointer) -> Payload? {
        let transport = Int(transportOffset)
        let end = Int(networkOffset) + Int(ipLength)
        let header: Int
        switch self.transport {
        case .tcp: header = unsafe Int(bytes.byte(transport + 12) >> 4) * 4
        case .udp: header = 8
        default: return nil
        }
        guard header >= (self.transport == .tcp ? 20 : 8), transport + header <= end else {
            return nil
        }
        return unsafe Payload(bytes + transport + header, count: end - transport - header)
    }
}
