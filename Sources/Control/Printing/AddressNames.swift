internal import LVS
internal import Posix

/// Writes addresses and ports, as numbers or by the host's names.
package struct AddressNames {
    let numeric: Bool

    package init(numeric: Bool) { self.numeric = numeric }

    /// `ADDRESS:PORT`; IPv6 addresses stand in brackets.
    func endpoint(
        _ address: IPAddress, _ family: AddressFamily, port: UInt16, transport: TransportProtocol?
    ) -> String {
        let host = host(address, family)
        let port = portName(port, transport)
        return family == .v4 ? "\(host):\(port)" : "[\(host)]:\(port)"
    }

    private func host(_ address: IPAddress, _ family: AddressFamily) -> String {
        if !numeric {
            let name =
                family == .v4
                ? Names.host(ipv4: address.v4) : Names.host(ipv6: address.high, address.low)
            if let name { return name }
        }
        return Self.text(address, family)
    }

    private func portName(_ port: UInt16, _ transport: TransportProtocol?) -> String {
        if !numeric, port != 0, let service = transport?.serviceName,
            let name = Names.service(ofPort: port, transport: service)
        {
            return name
        }
        return String(port)
    }

    /// The address in numbers, without brackets.
    static func text(_ address: IPAddress, _ family: AddressFamily) -> String {
        guard family == .v4 else { return Names.text(ipv6: address.high, address.low) }
        return ipv4(address.v4)
    }

    /// Four decimal numbers, from host order.
    static func ipv4(_ value: UInt32) -> String {
        "\(value >> 24).\(value >> 16 & 255).\(value >> 8 & 255).\(value & 255)"
    }
}
