package import LVS

/// Writes netlink messages one behind the other into a packet.
package struct NetlinkWriter {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// Appends one message; its size is filled in once the body is written.
    package mutating func message(
        _ type: UInt16, _ flags: NetlinkFlags, sequence: UInt32, port: UInt32,
        _ body: (inout NetlinkWriter) -> Void
    ) {
        let start = bytes.count
        append(UInt32(0))
        append(type)
        append(flags.rawValue)
        append(sequence)
        append(port)
        body(&self)
        patch(UInt32(bytes.count - start), at: start)
        pad()
    }

    /// Appends the header of a generic-netlink body; attributes follow.
    package mutating func generic(_ command: UInt8, version: UInt8 = 1) {
        append(command)
        append(version)
        append(UInt16(0))
    }

    /// Appends an integer in host order.
    package mutating func append<Number: FixedWidthInteger>(_ number: Number) {
        var rest = Number(littleEndian: number)
        for _ in 0..<Number.bitWidth / 8 {
            bytes.append(UInt8(truncatingIfNeeded: rest))
            rest >>= 8
        }
    }

    package mutating func append(raw: ArraySlice<UInt8>) {
        bytes.append(contentsOf: raw)
        pad()
    }

    package mutating func attribute<Number: FixedWidthInteger>(_ kind: UInt16, _ number: Number) {
        attribute(kind) { $0.append(number) }
    }

    /// Appends text and its final zero.
    ///
    /// What is longer than any name of the dialect is cut; the
    /// other end refuses it all the same.
    package mutating func attribute(_ kind: UInt16, _ text: String) {
        attribute(kind) {
            $0.bytes.append(contentsOf: text.utf8.prefix(4095))
            $0.bytes.append(0)
        }
    }

    package mutating func attribute(_ kind: UInt16, raw: ArraySlice<UInt8>) {
        attribute(kind) { $0.bytes.append(contentsOf: raw) }
    }

    /// Appends an address in 16 bytes, IPv4 in the first four.
    package mutating func attribute(_ kind: UInt16, _ address: IPAddress, _ family: AddressFamily) {
        attribute(kind) {
            switch family {
            case .v4:
                $0.append(address.v4.bigEndian)
                $0.bytes.append(contentsOf: repeatElement(0, count: 12))
            case .v6:
                $0.append(address.high.bigEndian)
                $0.append(address.low.bigEndian)
            }
        }
    }

    /// Appends an attribute (or a nest) whose value `body` writes; at most 65,531 bytes of it.
    package mutating func attribute(_ kind: UInt16, _ body: (inout NetlinkWriter) -> Void) {
        let start = bytes.count
        append(UInt16(0))
        append(kind)
        body(&self)
        precondition(bytes.count - start <= Int(UInt16.max), "attribute \(kind) is too long")
        patch(UInt16(bytes.count - start), at: start)
        pad()
    }

    private mutating func pad() {
        while bytes.count % 4 != 0 { bytes.append(0) }
    }

    private mutating func patch<Number: FixedWidthInteger>(_ number: Number, at start: Int) {
        let written = Number(littleEndian: number)
        for index in 0..<Number.bitWidth / 8 {
            bytes[start + index] = UInt8(truncatingIfNeeded: written >> (8 * index))
        }
    }
}
