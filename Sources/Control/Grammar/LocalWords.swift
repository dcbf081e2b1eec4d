internal import LVS
internal import Posix

/// Reads the value of `-z|--laddr`.
///
///     10.0.0.10    10.0.0.10-10.0.0.20    10.0.0.10-20    10.0.0.8/29
///     fd00::10     fd00::10-fd00::20      fd00::10-20     fd00::10/124
///
/// A network is every address of it; of an IPv4 one, not its own address and that of broadcast, unless
/// it has two addresses or one.
enum LocalWords {
    static func range(_ word: String) throws(CommandError) -> LocalRange {
        guard let range = dashed(word) ?? network(word) ?? address(word[...]).map(LocalRange.init)
        else {
            throw .line(
                "illegal local address `\(word)' specified; accepted are ADDRESS, FIRST-LAST, "
                    + "FIRST-LAST_NUMBER and NETWORK/LENGTH, of at most \(LocalRange.most) addresses"
            )
        }
        return range
    }

    /// An address without a name in place of it; one of IPv4 has four numbers.
    private static func address(_ text: Substring) -> IPAddress? {
        guard let address = IPAddress(parsing: String(text)),
            // An IPv6 address that contains an IPv4 one is neither.
            address.isV4 != text.utf8.contains(0x3a)
        else { return nil }
        return address
    }

    private static func dashed(_ word: String) -> LocalRange? {
        guard let dash = word.firstIndex(of: "-"), let first = address(word[..<dash]) else {
            return nil
        }
        let rest = word[dash...].dropFirst()
        if let last = address(rest) { return LocalRange(first, through: last) }
        // The last number of the address: decimal, or hexadecimal of up to four digits.
        let radix = first.isV4 ? 10 : 16
        guard rest.utf8.first.map({ $0 != 0x2b }) == true,
            let number = UInt16(rest, radix: radix), first.isV4 ? number < 256 : true
        else { return nil }
        let mask: UInt64 = first.isV4 ? 0xff : 0xffff
        return LocalRange(
            first,
            through: IPAddress(high: first.high, low: first.low & ~mask | UInt64(number)))
    }

    private static func network(_ word: String) -> LocalRange? {
        guard let slash = word.firstIndex(of: "/"), let base = address(word[..<slash]),
            let length = ValueWords.number(
                String(word[slash...].dropFirst()), in: 0...(base.isV4 ? 32 : 128))
        else { return nil }
        let hostBits = UInt64(base.isV4 ? 32 - length : 128 - length)
        guard hostBits <= 10 else { return nil }
        let hosts: UInt64 = 1 << hostBits - 1
        // What stands behind the length says that an address was meant, or another network.
        guard base.low & hosts == 0 else { return nil }
        let ends: UInt64 = base.isV4 && hostBits > 1 ? 1 : 0
        return LocalRange(
            IPAddress(high: base.high, low: base.low + ends),
            through: IPAddress(high: base.high, low: base.low + hosts - ends))
    }
}
