package import LVS

// How instruments name what an operator configured: in the words and forms of ipvsadm.

extension IPAddress {
    /// Address and port, IPv6 in brackets.
    package func endpoint(_ port: UInt16) -> String {
        isV4 ? "\(self):\(port)" : "[\(self)]:\(port)"
    }
}

extension TransportProtocol {
    /// TCP, UDP, SCTP ..., or the protocol's number.
    package var name: String {
        switch self {
        case .tcp: "TCP"
        case .udp: "UDP"
        case .sctp: "SCTP"
        case .icmp: "ICMP"
        case .icmpV6: "ICMPv6"
        default: "protocol \(rawValue)"
        }
    }
}

extension ServiceKey {
    /// `TCP 192.0.2.1:80`, `FWM 7` or `FWM 7 IPv6`, as listings begin their lines.
    package var text: String {
        switch self {
        case .address(let transport, let address, let port):
            "\(transport.name) \(address.endpoint(port))"
        case .mark(let mark, let family): "FWM \(mark)" + (family == .v6 ? " IPv6" : "")
        }
    }
}

extension ForwardingMethod {
    /// The word of listings.
    package var word: String {
        switch self {
        case .masquerading: "Masq"
        case .localNode: "Local"
        case .tunnel: "Tunnel"
        case .directRouting: "Route"
        case .bypass: "Bypass"
        case .fullNAT: "FullNAT"
        }
    }
}
