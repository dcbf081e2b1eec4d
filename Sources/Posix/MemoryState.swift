/// What the machine has of memory and large pages, as `/proc` and `/sys` tell it.
package struct MemoryState: Hashable, Sendable {
    /// Bytes of memory the machine has.
    package var total = 0
    /// Bytes the kernel believes it can give without swapping.
    package var available = 0
    /// Bytes of swap.
    package var swap = 0
    /// Reserved large pages, and those of them that nobody uses or has been promised.
    package var largePages = 0
    package var freeLargePages = 0
    /// Size of a reserved large page, bytes; 0 on kernels without.
    package var largePageBytes = 0

    /// Reads the text of `/proc/meminfo`; nil when it does not say what is available.
    package init?(meminfo text: String) {
        var values: [Substring: Int] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            guard words.count >= 2, words[0].hasSuffix(":"), let value = Int(words[1]) else {
                continue
            }
            let unit = words.count > 2 && words[2] == "kB" ? 1024 : 1
            let (bytes, overflow) = value.multipliedReportingOverflow(by: unit)
            if value >= 0, !overflow { values[words[0].dropLast()] = bytes }
        }
        guard let available = values["MemAvailable"] else { return nil }
        self.available = available
        total = values["MemTotal"] ?? available
        swap = values["SwapTotal"] ?? 0
        largePages = values["HugePages_Total"] ?? 0
        // Promised ones are still counted as free.
        freeLargePages = max(0, (values["HugePages_Free"] ?? 0) - (values["HugePages_Rsvd"] ?? 0))
        largePageBytes = values["Hugepagesize"] ?? 0
    }

    /// The machine as it is now; nil when the kernel does not say.
    package static var now: MemoryState? {
        (try? Files.read("/proc/meminfo")).flatMap { MemoryState(meminfo: $0) }
    }

    /// When the kernel uses large pages by itself: `always`, `madvise` (for who asks) or `never`; nil
    /// where it cannot.
    package static var transparentPages: String? {
        guard
            let text = try? Files.read("/sys/kernel/mm/transparent_hugepage/enabled"),
            let start = text.firstIndex(of: "["), let end = text.firstIndex(of: "]"), start < end
        else { return nil }
        return String(text[text.index(after: start)..<end])
    }

    /// What `smaps` calls large pages, of the process's own and of files in memory.
    private static let largePages = ["AnonHugePages:", "ShmemPmdMapped:"]

    /// Bytes of an address range that lie in large pages, from the text of `/proc/self/smaps`.
    ///
    /// Counted is what lies in mappings that touch the range, and no more than the range holds.
    package static func bytesInLargePages(of range: Range<UInt64>, smaps text: String) -> Int {
        var sum = 0
        var isInside = false
        for line in text.split(separator: "\n") {
            if let mapping = mapping(line) {
                isInside = mapping.overlaps(range)
            } else if isInside, largePages.contains(where: line.hasPrefix) {
                let words = line.split(separator: " ")
                if words.count > 1, let kibibytes = Int(words[1]), kibibytes < Int.max >> 10 {
                    sum += kibibytes << 10
                }
            }
        }
        return min(sum, Int(clamping: range.upperBound - range.lowerBound))
    }

    /// The addresses of a line `7f00a0000000-7f00a5400000 rw-p ...`; nil for other lines.
    private static func mapping(_ line: Substring) -> Range<UInt64>? {
        let ends = line.prefix { $0 != " " }.split(
            separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let start = UInt64(ends[0], radix: 16),
            let end = UInt64(ends[1], radix: 16), start < end
        else { return nil }
        return start..<end
    }
}
