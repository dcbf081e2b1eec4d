extension HardwareAddress: CustomStringConvertible {
    /// Six bytes in hexadecimal, as `ip link` writes them.
    package var description: String {
        [40, 32, 24, 16, 8, 0].map { shift in
            let byte = String(value >> UInt64(shift) & 0xff, radix: 16)
            return byte.count == 1 ? "0" + byte : byte
        }.joined(separator: ":")
    }
}
