extension HardwareAddress: CustomStringConvertible {
    /// Six bytes in hexadecimal, as `ip link` writes them.
    package var description: String {
        [40, 32, 24, 16, 8, 0].map { shift in
            let byte = String(value >> UInt64(shift) & 0xff, radix: 16)
            return byte.count == 1 ? "0" + byte : byte
        }.joined(separator: ":")
    }

    /// An address of one or two hexadecimal digits a byte, as `02:00:0a:01:00:01`; nil for anything else.
    package init?(colons text: some StringProtocol) {
        let parts = text.split(separator: Character(":"), omittingEmptySubsequences: false)
        guard parts.count == 6 else { return nil }
        var value: UInt64 = 0
        for part in parts {
            guard part.utf8.count <= 2, part.allSatisfy(\.isHexDigit),
                let byte = UInt8(part, radix: 16)
            else { return nil }
            value = value << 8 | UInt64(byte)
        }
        self.init(value: value)
    }
}
