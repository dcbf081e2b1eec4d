internal import LVS

/// What things are called in explanations: ipvsadm's words where it has some.
enum Words {
    static func transport(_ transport: TransportProtocol) -> String {
        switch transport.rawValue {
        case 0: "any protocol"
        case 1: "icmp"
        case 6: "tcp"
        case 17: "udp"
        case 50: "esp"
        case 51: "ah"
        case 58: "icmpv6"
        case 132: "sctp"
        default: "protocol \(transport.rawValue)"
        }
    }

    /// `ADDRESS:PORT`, IPv6 in brackets.
    static func endpoint(_ address: IPAddress, _ port: UInt16) -> String {
        address.isV4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }

    static func flow(_ flow: Flow) -> String {
        let name = transport(flow.transport)
        guard hasPorts(flow.transport) else {
            return "\(name) \(flow.source) -> \(flow.destination)"
        }
        return "\(name) \(endpoint(flow.source, flow.sourcePort)) -> "
            + endpoint(flow.destination, flow.destinationPort)
    }

    static func hasPorts(_ transport: TransportProtocol) -> Bool {
        transport == .tcp || transport == .udp || transport == .sctp
    }

    static func service(_ key: ServiceKey) -> String {
        switch key {
        case .address(let transport, let address, let port):
            "\(Words.transport(transport)) \(endpoint(address, port))"
        case .mark(let mark, let family): "fwmark \(mark) of \(Words.family(family))"
        }
    }

    static func family(_ family: AddressFamily) -> String { family == .v4 ? "IPv4" : "IPv6" }

    static func method(_ method: ForwardingMethod, isFullNAT: Bool = false) -> String {
        switch method {
        case .masquerading: isFullNAT ? "FullNat" : "Masq"
        case .localNode: "Local"
        case .tunnel: "Tunnel"
        case .directRouting: "Route"
        case .bypass: "Bypass"
        case .fullNAT: "FullNat"
        }
    }

    /// As tcpdump writes them, with a dot for ACK.
    static func tcpFlags(_ flags: UInt8) -> String {
        let letters: [(UInt8, String)] = [
            (2, "S"), (1, "F"), (4, "R"), (8, "P"), (32, "U"), (64, "E"), (128, "W"), (16, "."),
        ]
        let text = letters.filter { flags & $0.0 != 0 }.map(\.1).joined()
        return text.isEmpty ? "none" : text
    }

    static func icmp(_ type: UInt8, _ code: UInt8, isIPv6: Bool) -> String {
        switch (isIPv6, type) {
        case (false, 0), (true, 129): "echo reply"
        case (false, 8), (true, 128): "echo request"
        case (false, 3), (true, 1): "destination unreachable"
        case (true, 2): "packet too big"
        case (false, 4): "source quench"
        case (false, 11), (true, 3): "time exceeded"
        case (false, 12), (true, 4): "parameter problem"
        case (true, 133...137): "neighbour discovery"
        default: "message"
        }
    }

    static func error(_ error: ICMPError) -> String {
        switch error {
        case .portUnreachable: "port unreachable"
        case .hostUnreachable: "host unreachable"
        case .timeExceeded: "time exceeded"
        case .reassemblyTimeExceeded: "reassembly time exceeded"
        case .fragmentationNeeded(let mtu): "fragmentation needed, MTU \(mtu)"
        case .relayed(let type, let code, _): "what a router told, type \(type) code \(code)"
        }
    }

    static func kind(_ kind: Packet.Kind) -> String {
        switch kind {
        case .flow: "flow"
        case .short: "cut short"
        case .security: "AH or ESP"
        case .icmpError: "ICMP error"
        case .icmpOther: "ICMP"
        case .fragment: "fragment"
        case .optioned: "with IP options"
        case .arp: "ARP"
        case .other: "not TCP, UDP or SCTP"
        case .malformed: "malformed"
        }
    }

    static func obstacle(_ obstacle: Step.Obstacle) -> String {
        switch obstacle {
        case .noServiceOfFamily: "there is no service of its address family"
        case .backup: "this director is a backup (backup_only): requests are the host's"
        case .notFlow: "not a whole TCP, UDP or SCTP packet with its ports"
        case .noOpener: "no connection has it, and only a SYN (TCP) or INIT (SCTP) opens one"
        case .noService: "no service has this address, port and protocol"
        case .sourcePort20: "source port 20 is an FTP server's data connection, never scheduled"
        case .defence: "drop_packet takes this new connection"
        case .needsPersistence:
            "the service was reached by another port than its own, which takes persistence (-p)"
        case .unreadable: "the persistence engine finds nothing in it to go by"
        case .notQuoted: "what the ICMP error quotes has no ports to go by"
        case .errorOfReply: "an ICMP error opens no connection for a server"
        }
    }

    static func seconds(_ count: UInt32) -> String { count == 1 ? "1 second" : "\(count) seconds" }
}
