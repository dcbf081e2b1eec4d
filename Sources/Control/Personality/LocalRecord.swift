package import LVS

/// A run of addresses, each one above the last, that are added to a service or taken from it at once.
package struct LocalRange: Hashable, Sendable {
    package var first: IPAddress
    package var last: IPAddress

    /// Most addresses of a range.
    package static let most = 1024

    /// nil when the two are of different families, in the wrong order or too far apart.
    package init?(_ first: IPAddress, through last: IPAddress) {
        guard first.family == last.family, first.number <= last.number,
            last.number - first.number < UInt128(Self.most)
        else { return nil }
        self.first = first
        self.last = last
    }

    package init(_ address: IPAddress) {
        first = address
        last = address
    }

    package var addresses: [IPAddress] {
        (0...(last.number - first.number)).map { IPAddress(number: first.number + $0) }
    }
}

extension IPAddress {
    /// The address as one number, whose order is that of addresses of its family.
    fileprivate var number: UInt128 { UInt128(high) << 64 | UInt128(low) }

    fileprivate init(number: UInt128) {
        self.init(
            high: UInt64(truncatingIfNeeded: number >> 64), low: UInt64(truncatingIfNeeded: number))
    }
}

extension LocalRange {
    private typealias Number = AttributeNumber.Local

    /// Reads the addresses of a request; one without the last address is about the first alone.
    package init(_ nest: NetlinkAttributes?) throws(Refusal) {
        guard let nest else { throw Refusal(.invalid, "the request names no local address") }
        try nest.judge(AttributePolicy.local)
        let family = try nest.number(Number.family, as: UInt16.self)
            .flatMap(AddressFamily.init(socketNumber:))
        guard let family, let first = try nest.address(Number.first, family) else {
            throw Refusal(.invalid, "a local address needs family and address")
        }
        let last = try nest.address(Number.last, family) ?? first
        guard first.family == family, let range = LocalRange(first, through: last) else {
            throw Refusal(
                .invalid, "local addresses are at most \(Self.most) of one family, in their order")
        }
        self = range
    }

    /// Appends the addresses as the nest LOCAL.
    package func write(to writer: inout NetlinkWriter) {
        writer.attribute(AttributeNumber.Top.local) { writer in
            writer.attribute(Number.family, first.family.socketNumber)
            writer.attribute(Number.first, first, first.family)
            if last != first { writer.attribute(Number.last, last, last.family) }
        }
    }
}

/// A local address of a service as answers have it.
package struct LocalRecord: Hashable, Sendable {
    package var address: IPAddress
    /// Ports in use by connections of any service, or resting after one.
    package var takenPorts: UInt64
    /// Connections of the service that found no port, at this address or another.
    package var refused: UInt64

    package init(address: IPAddress, takenPorts: UInt64 = 0, refused: UInt64 = 0) {
        self.address = address
        self.takenPorts = takenPorts
        self.refused = refused
    }
}

extension LocalRecord {
    private typealias Number = AttributeNumber.Local

    package init(_ nest: NetlinkAttributes?) throws(Refusal) {
        self.init(
            address: try LocalRange(nest).first,
            takenPorts: try nest?.number(Number.takenPorts) ?? 0,
            refused: try nest?.number(Number.refused) ?? 0)
    }

    /// Appends the address as the nest LOCAL.
    package func write(to writer: inout NetlinkWriter) {
        writer.attribute(AttributeNumber.Top.local) { writer in
            writer.attribute(Number.family, address.family.socketNumber)
            writer.attribute(Number.first, address, address.family)
            writer.attribute(Number.takenPorts, takenPorts)
            writer.attribute(Number.refused, refused)
        }
    }
}
