/// Counters as `--stats` and `--rate` print them (ipvsadm-cli section 5).
enum LargeNumber {
    /// Nine places up to 99999999, above that eight and a letter; cut, not rounded.
    static func text(_ value: UInt64, exact: Bool) -> String {
        let digits = String(value)
        if exact { return " " + digits.right(8) }
        switch value {
        case ..<100_000_000: return digits.right(9)
        case ..<1_000_000_000: return String(value / 1000).right(8) + "K"
        case ..<100_000_000_000: return String(value / 1_000_000).right(8) + "M"
        case ..<100_000_000_000_000: return String(value / 1_000_000_000).right(8) + "G"
        default: return String(value / 1_000_000_000_000).right(8) + "T"
        }
    }
}
