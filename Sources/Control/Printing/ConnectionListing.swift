internal import LVS

/// The connection table as `-L -c` prints it, from the text of `ip_vs_conn` (ipvsadm-cli 5, 7).
struct ConnectionListing {
    let names: AddressNames
    /// Whether persistence engines and their data are shown.
    let withEngine: Bool

    func text(_ table: String) -> String {
        var text = "IPVS connection entries\n"
        text += "pro expire state       source             virtual            "
        text +=
            withEngine
            ? "\("destination".left(18)) \("pe name".left(16)) pe_data\n" : "destination\n"
        for line in table.split(separator: "\n").dropFirst() {
            if let entry = entry(line) { text += entry }
        }
        return text
    }

    /// One entry; nil for a line that is none.
    private func entry(_ line: Substring) -> String? {
        let fields = line.split(separator: " ", omittingEmptySubsequences: true).map(String.init)
        guard fields.count >= 9, let seconds = UInt32(fields[8]) else { return nil }
        let transport = transport(fields[0])
        guard let client = endpoint(fields[1], fields[2], transport),
            let virtual = endpoint(fields[3], fields[4], transport),
            let real = endpoint(fields[5], fields[6], transport)
        else { return nil }
        let minutes = twoDigits(seconds / 60)
        let expiry = "\(minutes):\(twoDigits(seconds % 60))"
        let start = "\(fields[0].left(3)) \(expiry.left(6)) \(fields[7].left(11))"
        let end =
            withEngine && fields.count >= 11
            ? "\(real.left(16)) \(fields[9].left(18)) \(fields[10])" : real
        return "\(start) \(client.left(18)) \(virtual.left(18)) \(end)\n"
    }

    private func endpoint(
        _ address: String, _ port: String, _ transport: TransportProtocol?
    ) -> String? {
        guard let port = UInt16(port, radix: 16) else { return nil }
        if address.utf8.contains(0x3a) {
            guard let value = ValueWords.ipv6(address) else { return nil }
            return names.endpoint(value, .v6, port: port, transport: transport)
        }
        guard let value = UInt32(address, radix: 16) else { return nil }
        return names.endpoint(IPAddress(v4: value), .v4, port: port, transport: transport)
    }

    private func transport(_ name: String) -> TransportProtocol? {
        switch name {
        case "TCP": .tcp
        case "UDP": .udp
        case "SCTP": .sctp
        default: nil
        }
    }

    private func twoDigits(_ value: UInt32) -> String {
        value < 10 ? "0\(value)" : String(value)
    }
}
