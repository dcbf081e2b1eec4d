/// Transport protocol by its IP protocol number.
package struct TransportProtocol: RawRepresentable, Hashable, Sendable, BitwiseCopyable {
    package var rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Of a template that every protocol shares (IPPROTO_IP).
    package static let any = TransportProtocol(rawValue: 0)
    package static let tcp = TransportProtocol(rawValue: 6)
    package static let udp = TransportProtocol(rawValue: 17)
    package static let sctp = TransportProtocol(rawValue: 132)
    package static let icmp = TransportProtocol(rawValue: 1)
    package static let icmpV6 = TransportProtocol(rawValue: 58)

    /// The control messages of a family.
    package static func icmp(of family: AddressFamily) -> TransportProtocol {
        family == .v4 ? .icmp : .icmpV6
    }
}

/// What a virtual service is found by.
package enum ServiceKey: Hashable, Sendable {
    /// Protocol, virtual address and port (host order; 0 is every port).
    case address(TransportProtocol, IPAddress, port: UInt16)
    /// Firewall mark, for one address family.
    case mark(UInt32, AddressFamily)

    package var family: AddressFamily {
        switch self {
        case .address(_, let address, _): address.family
        case .mark(_, let family): family
        }
    }
}

extension ServiceKey {
    /// FTP's control connections: TCP, port 21.
    package var isFTP: Bool {
        if case .address(.tcp, _, port: 21) = self { return true }
        return false
    }
}
