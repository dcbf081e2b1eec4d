extension IPAddress: CustomStringConvertible {
    /// Dotted IPv4, or the shortest form of IPv6 (RFC 5952).
    package var description: String {
        guard !isV4 else {
            return [24, 16, 8, 0].map { String(v4 >> UInt32($0) & 0xff) }.joined(separator: ".")
        }
        if wireHigh == 0, low >> 32 == 0xffff {
            return "::ffff:" + IPAddress(v4: v4).description
        }
        let gap = longestRunOfZeros
        let text = { (part: Range<Int>) in
            part.map { String(group($0), radix: 16) }.joined(separator: ":")
        }
        guard gap.count > 1 else { return text(0..<8) }
        return text(0..<gap.lowerBound) + "::" + text(gap.upperBound..<8)
    }

    /// One of the eight groups of an IPv6 address, from 0.
    func group(_ index: Int) -> UInt16 {
        UInt16(
            truncatingIfNeeded: (index < 4 ? wireHigh : low) >> UInt64(48 - index % 4 * 16))
    }

    /// The first of the longest runs of groups that are 0.
    var longestRunOfZeros: Range<Int> {
        var best = 0..<0
        var start = 0
        for index in 0...8 where index == 8 || group(index) != 0 {
            if index - start > best.count { best = start..<index }
            start = index + 1
        }
        return best
    }

    /// Reads dotted IPv4 (four decimal parts) or IPv6 (RFC 4291 section 2.2); nil for anything else.
    package init?(parsing text: some StringProtocol) {
        guard let address = IPAddress.v6(text) ?? IPAddress.dotted(text) else { return nil }
        self = address
    }

    private static func dotted(_ text: some StringProtocol) -> IPAddress? {
        let parts = text.split(separator: Character("."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard part.utf8.allSatisfy({ (48...57).contains($0) }), let byte = UInt8(part),
                part.utf8.count == 1 || part.utf8.first != UInt8(ascii: "0")
            else { return nil }
            value = value << 8 | UInt32(byte)
        }
        return IPAddress(v4: value)
    }

    private static func v6(_ text: some StringProtocol) -> IPAddress? {
        guard text != "::" else { return anyV6 }
        guard text.contains(":") else { return nil }
        let parts = text.split(separator: Character(":"), omittingEmptySubsequences: false)
        var words = parts.map { String($0) }
        // "::" at either end splits into two empty words there; one of them stands for the gap.
        if words.count > 2, words[0].isEmpty {
            guard words[1].isEmpty else { return nil }
            words.removeFirst()
        }
        if words.count > 2, words[words.count - 1].isEmpty {
            guard words[words.count - 2].isEmpty || words.count == 2 else { return nil }
            words.removeLast()
        }
        var groups: [UInt16] = []
        var gap: Int?
        for (position, word) in words.enumerated() {
            if word.isEmpty {
                guard gap == nil else { return nil }
                gap = groups.count
            } else if word.contains(".") {
                guard position == words.count - 1, let tail = dotted(word) else { return nil }
                groups += [UInt16(tail.v4 >> 16), UInt16(truncatingIfNeeded: tail.v4)]
            } else {
                guard word.utf8.count <= 4, word.allSatisfy(\.isHexDigit),
                    let group = UInt16(word, radix: 16)
                else { return nil }
                groups.append(group)
            }
        }
        if let gap {
            guard groups.count < 8 else { return nil }
            groups.insert(contentsOf: Array(repeating: 0, count: 8 - groups.count), at: gap)
        }
        guard groups.count == 8 else { return nil }
        let number = { (half: ArraySlice<UInt16>) in
            half.reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
        }
        return IPAddress(high: number(groups[..<4]), low: number(groups[4...]))
    }
}
