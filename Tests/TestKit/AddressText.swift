package import LVS

extension IPAddress {
    /// An IPv4 address in dotted form, or an IPv6 address with colons; nil for anything else.
    package init?(dotted text: some StringProtocol) {
        guard !text.contains(":") else {
            self.init(parsing: text)
            return
        }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false).map {
            UInt8($0)
        }
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard let part else { return nil }
            value = value << 8 | UInt32(part)
        }
        self.init(v4: value)
    }

    /// As listings have it in front of a port: dotted IPv4, or IPv6 in brackets.
    package var dotted: String { isV4 ? description : "[\(description)]" }
}
