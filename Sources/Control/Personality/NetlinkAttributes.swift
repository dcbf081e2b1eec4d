package import LVS

/// The attributes of a message or nest, in the order they came.
///
/// Bytes that are no attribute end the list, as in the kernel; an attribute that comes twice counts
/// as the last says; the two flag bits of a type are ignored.
package struct NetlinkAttributes {
    let bytes: ArraySlice<UInt8>
    /// Where the value of each kind stands that the dialect has, length << 32 | index; 0 when absent.
    ///
    /// A list is walked once, not for each of its attributes.
    private var places = [UInt64](repeating: 0, count: Int(NetlinkAttributes.kinds))

    /// Kinds below this are noted.
    private static let kinds: UInt16 = 16

    package init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        var position = bytes.startIndex
        while let (kind, length) = header(at: position) {
            if kind < Self.kinds {
                places[Int(kind)] = UInt64(length - 4) << 32 | UInt64(position + 4)
            }
            position += (length + 3) & ~3
        }
    }

    /// Kind and length of the attribute at an index; nil where there is none.
    private func header(at position: Int) -> (kind: UInt16, length: Int)? {
        guard bytes.endIndex - position >= 4 else { return nil }
        let length = Int(bytes[position]) | Int(bytes[position + 1]) << 8
        guard length >= 4, length <= bytes.endIndex - position else { return nil }
        let type = UInt16(bytes[position + 2]) | UInt16(bytes[position + 3]) << 8
        return (type & 0x3fff, length)
    }

    /// The value of an attribute without header and padding.
    package subscript(kind: UInt16) -> ArraySlice<UInt8>? {
        guard kind < Self.kinds else { return found(kind) }
        let place = places[Int(kind)]
        guard place != 0 else { return nil }
        let start = Int(place & 0xffff_ffff)
        return bytes[start..<start + Int(place >> 32)]
    }

    /// The last attribute of a kind that is not noted.
    private func found(_ kind: UInt16) -> ArraySlice<UInt8>? {
        var value: ArraySlice<UInt8>?
        forEach { if $0 == kind { value = $1 } }
        return value
    }

    /// Tells every attribute in its order.
    package func forEach<Failure>(
        _ body: (_ kind: UInt16, _ value: ArraySlice<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        var position = bytes.startIndex
        while let (kind, length) = header(at: position) {
            try body(kind, bytes[position + 4..<position + length])
            position += (length + 3) & ~3
        }
    }

    /// An integer in host order, nil when absent.
    ///
    /// A value too short for it is refused, longer ones
    /// are cut, as the kernel does without strict checking.
    package func number<Number: FixedWidthInteger>(
        _ kind: UInt16, as type: Number.Type = Number.self
    ) throws(Refusal) -> Number? {
        guard let value = self[kind] else { return nil }
        guard let number: Number = value.number(at: 0) else {
            throw Refusal(.invalid, "attribute \(kind) is too short")
        }
        return number
    }

    /// An integer that travels in network order.
    package func networkNumber<Number: FixedWidthInteger>(
        _ kind: UInt16, as type: Number.Type = Number.self
    ) throws(Refusal) -> Number? {
        guard let value = try number(kind, as: type) else { return nil }
        return Number(bigEndian: value)
    }

    /// Text that ends in a zero byte within `longest` + 1 bytes; nil when absent.
    package func text(_ kind: UInt16, longest: Int) throws(Refusal) -> String? {
        guard let value = self[kind] else { return nil }
        guard let end = value.prefix(longest + 1).firstIndex(of: 0) else {
            throw Refusal(.invalid, "attribute \(kind) is not text of at most \(longest) bytes")
        }
        return String(decoding: value[value.startIndex..<end], as: UTF8.self)
    }

    /// An address in at most 16 bytes, what is missing being zero (IPv4 in the first four).
    package func address(_ kind: UInt16, _ family: AddressFamily) throws(Refusal) -> IPAddress? {
        guard let value = self[kind] else { return nil }
        guard value.count <= 16 else {
            throw Refusal(.invalid, "an address is longer than 16 bytes")
        }
        return Self.address(value, family)
    }

    /// The address in the first bytes of a value.
    static func address(_ value: ArraySlice<UInt8>, _ family: AddressFamily) -> IPAddress? {
        var whole = ArraySlice(value.prefix(16))
        whole.append(contentsOf: repeatElement(0, count: 16 - whole.count))
        guard let first: UInt32 = whole.number(at: 0), let high: UInt64 = whole.number(at: 0),
            let low: UInt64 = whole.number(at: 8)
        else { return nil }
        switch family {
        case .v4: return IPAddress(v4: UInt32(bigEndian: first))
        case .v6: return IPAddress(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
        }
    }

    /// A nest; nil when absent.
    package func nest(_ kind: UInt16) -> NetlinkAttributes? {
        self[kind].map { NetlinkAttributes($0) }
    }
}
