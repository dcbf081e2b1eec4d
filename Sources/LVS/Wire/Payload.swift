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
