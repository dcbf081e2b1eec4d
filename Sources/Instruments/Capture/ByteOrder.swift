/// The byte order that a capture file's own numbers have.
///
/// Callers have checked that the bytes are there.
struct ByteOrder {
    /// Whether numbers must be turned around on this machine.
    var isSwapped: Bool

    static let native = ByteOrder(isSwapped: false)

    @inline(__always)
    func u16(_ bytes: UnsafeRawPointer, _ offset: Int) -> UInt16 {
        let value = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)
        return isSwapped ? value.byteSwapped : value
    }

    @inline(__always)
    func u32(_ bytes: UnsafeRawPointer, _ offset: Int) -> UInt32 {
        let value = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)
        return isSwapped ? value.byteSwapped : value
    }

    @inline(__always)
    func u64(_ bytes: UnsafeRawPointer, _ offset: Int) -> UInt64 {
        let value = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        return isSwapped ? value.byteSwapped : value
    }
}
