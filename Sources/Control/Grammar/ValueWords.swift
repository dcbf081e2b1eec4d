internal import LVS
internal import Posix

/// Reads single words as values (ipvsadm-cli section 2).
enum ValueWords {
    /// A decimal number with optional blanks and sign in front and nothing behind.
    static func number(_ text: String, in range: ClosedRange<Int64>) -> Int64? {
        var rest = Substring(text).drop { $0 == " " || ("\t"..."\r").contains($0) }
        let isNegative = rest.first == "-"
        if let sign = rest.first, sign == "+" || sign == "-" { rest = rest.dropFirst() }
        guard !rest.isEmpty, rest.utf8.allSatisfy(isDigit) else { return nil }
        guard let magnitude = Int64(rest) else { return nil }
        let value = isNegative ? -magnitude : magnitude
        return range.contains(value) ? value : nil
    }

    /// The number a word begins with, 0 when it begins with none.
    static func leadingNumber(_ text: String) -> Int64 {
        var rest = Substring(text).drop { $0 == " " }
        let isNegative = rest.first == "-"
        if let sign = rest.first, sign == "+" || sign == "-" { rest = rest.dropFirst() }
        let value = Int64(rest.prefix { $0.utf8.allSatisfy(isDigit) }) ?? 0
        return isNegative ? -value : value
    }

    /// An IPv4 address in the traditional notation, else the address of a host of that name.
    static func ipv4(_ text: String) -> UInt32? {
        Names.traditionalIPv4(text) ?? Names.ipv4(ofHost: text)
    }

    /// An IPv6 address without brackets.
    static func ipv6(_ text: String) -> IPAddress? {
        Names.ipv6(text).map { IPAddress(high: $0.high, low: $0.low) }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    static func isDigitsOnly(_ text: String) -> Bool { text.utf8.allSatisfy(isDigit) }
}

/// `HOST[:PORT]`, `[ADDRESS]:PORT` or a bare IPv6 address, read.
struct Endpoint: Equatable {
    var address: IPAddress
    var family: AddressFamily
    /// Host order; nil when the word named none.
    var port: UInt16?

    /// An IPv6 address that contains an IPv4 one; tables know only the IPv4 address in it.
    var isMapped: Bool { family == .v6 && address.isV4 }

    /// Reads a word; a port by name needs the transport.
    init?(_ word: String, transport: TransportProtocol?) {
        guard !ValueWords.isDigitsOnly(word) else { return nil }
        var host = word
        var portWord: String?
        if word.hasPrefix("[") {
            guard let end = word.firstIndex(of: "]") else { return nil }
            let behind = word[end...].dropFirst()
            guard behind.first == ":" else { return nil }
            host = String(word[..<end].dropFirst())
            portWord = String(behind.dropFirst())
        }
        if let address = ValueWords.ipv6(host) {
            self.address = address
            family = .v6
        } else {
            // Only what stands inside the brackets is left of the word, so `[10.0.0.1]:80` has
            // no port.
            portWord = nil
            if let colon = host.lastIndex(of: ":") {
                portWord = String(host[colon...].dropFirst())
                host = String(host[..<colon])
            }
            guard let value = ValueWords.ipv4(host) else { return nil }
            address = IPAddress(v4: value)
            family = .v4
        }
        guard let portWord else { return }
        guard let port = Self.port(portWord, transport: transport) else { return nil }
        self.port = port
    }

    private static func port(_ word: String, transport: TransportProtocol?) -> UInt16? {
        if let number = ValueWords.number(word, in: 0...65535) { return UInt16(number) }
        guard let name = transport?.serviceName else { return nil }
        return Names.port(ofService: word, transport: name)
    }
}

extension TransportProtocol {
    /// The protocol's name in the services file; nil when IPVS has no services of it.
    var serviceName: String? {
        switch self {
        case .tcp: "tcp"
        case .udp: "udp"
        case .sctp: "sctp"
        default: nil
        }
    }
}
