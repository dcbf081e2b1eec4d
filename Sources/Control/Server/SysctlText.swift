import LVS

/// What a kernel director shows under /proc/sys/net/ipv4/vs (ipvs-semantics 4.10): the text `sysctl`
/// of the private family.
enum SysctlText {
    /// The director's settings that lie there; those for ICMP errors are the host's in a kernel, and
    /// those of FULLNAT are not in one.
    private static func settings(
        _ target: any ControlTarget
    ) -> [(name: String, value: String)] {
        target.settings().filter {
            !$0.name.hasPrefix("icmp_") && !$0.name.hasPrefix("fullnat_")
        }
    }

    /// One `name = value` line each, or the value of `key` alone as its file has it.
    static func read(_ target: any ControlTarget, _ key: String?) throws(Refusal) -> String {
        let settings = settings(target)
        guard let key else {
            return settings.map { "\($0.name) = \(tabbed($0.value))\n" }.joined()
        }
        guard let setting = settings.first(where: { $0.name == key }) else {
            throw Refusal(.noSuchEntry, "there is no net.ipv4.vs.\(key)")
        }
        return tabbed(setting.value) + "\n"
    }

    /// Two numbers of one setting as the kernel writes them.
    private static func tabbed(_ value: String) -> String {
        String(value.map { $0 == " " ? "\t" : $0 })
    }

    /// Takes what is written into the file of a setting: a number in the notations of the kernel, or two.
    static func write(
        _ target: any ControlTarget, _ key: String, _ text: String
    ) throws(Refusal) {
        _ = try read(target, key)
        let words = text.split { $0 == " " || $0 == "\t" }
        let numbers = words.compactMap { number(String($0)) }
        guard !words.isEmpty, numbers.count == words.count else {
            throw Refusal(.invalid, "net.ipv4.vs.\(key): '\(text)' is not a number")
        }
        let value = numbers.map(String.init).joined(separator: " ")
        try command { () throws(CommandRefusal) in try target.set(key, to: value) }
    }

    /// Decimal, octal behind a zero or hexadecimal behind 0x, with a minus sign or none.
    private static func number(_ text: String) -> Int? {
        let isNegative = text.hasPrefix("-")
        let digits = isNegative ? text.dropFirst() : text[...]
        guard let first = digits.utf8.first, (0x30...0x39).contains(first) else { return nil }
        let isHexadecimal = digits.hasPrefix("0x") || digits.hasPrefix("0X")
        let radix = isHexadecimal ? 16 : first == 0x30 && digits.utf8.count > 1 ? 8 : 10
        let body = isHexadecimal ? digits.dropFirst(2) : digits
        guard body.utf8.first != 0x2b, body.utf8.first != 0x2d,
            let number = Int(body, radix: radix)
        else { return nil }
        return isNegative ? -number : number
    }
}
