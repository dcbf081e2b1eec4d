package import LVS

extension IPAddress {
    /// An IPv4 address in dotted form; nil for anything else.
    package init?(dotted text: some StringProtocol) {
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

    /// Dotted form of an IPv4 address.
    package var dotted: String {
        [24, 16, 8, 0].map { String(v4 >> UInt32($0) & 0xff) }.joined(separator: ".")
    }
}

extension HardwareAddress {
    /// An Ethernet address as `02:00:0a:01:00:01`; nil for anything else.
    package init?(colons text: some StringProtocol) {
        let parts = text.split(separator: ":").map { UInt8($0, radix: 16) }
        guard parts.count == 6 else { return nil }
        var value: UInt64 = 0
        for part in parts {
            guard let part else { return nil }
            value = value << 8 | UInt64(part)
        }
        self.init(value: value)
    }
}
