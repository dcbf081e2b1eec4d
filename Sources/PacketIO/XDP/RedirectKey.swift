internal import LVS

/// What the program looks up in the map of served traffic: an element of `BlockedSets`, as bytes.
///
/// ```
///  0     1          2             4          8                    24
///  | set | protocol | port        | 0        | address            |
/// ```
/// Port and address are in network order, as frames have them; an IPv4 address is IPv4-mapped. The
/// set's number carries the family, since an IPv6 header may hold any sixteen bytes.
struct RedirectKey: Hashable {
    static let bytes = 24

    /// Bytes 0 to 7, and the two halves of the address, as a little-endian machine loads them.
    var head: UInt64
    var first: UInt64
    var second: UInt64

    init(_ set: BlockedSets.Name, _ element: BlockedSets.Element) {
        let address = element.address
        let port = UInt64((element.port ?? 0).byteSwapped)
        head =
            UInt64(Self.number(of: set, address.family)) | UInt64(element.transport ?? 0) << 8
            | port << 16
        first = address.isV4 ? 0 : address.wireHigh.byteSwapped
        second = address.low.byteSwapped
    }

    /// The number of a set in one family.
    static func number(of set: BlockedSets.Name, _ family: AddressFamily) -> UInt8 {
        guard let position = BlockedSets.Name.allCases.firstIndex(of: set) else {
            preconditionFailure("every set has a position")
        }
        return UInt8(position + 1) | (family == .v6 ? 0x80 : 0)
    }
}
