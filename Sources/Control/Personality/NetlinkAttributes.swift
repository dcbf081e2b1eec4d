package import LVS

/// The attributes of a message or nest, in the order they came.
///
/// Bytes that are no attribute end the list, as in the kernel; an attribute that comes twice counts
/// as the last says; the two flag bits of a type are ignored. Looking one up walks the list: a list
/// of the dialect has at most fifteen.
package struct NetlinkAttributes {
    let bytes: ArraySlice<UInt8>

    package init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    /// The value of an attribute without header and padding.
    package subscript(kind: UInt16) -> ArraySlice<UInt8>? {
        var rest = bytes
        var found: ArraySlice<UInt8>?
        while let (type, value) = Self.take(from: &rest) {
            if type == kind { found = value }
        }
        return found
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
