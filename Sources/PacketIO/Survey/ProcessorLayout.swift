internal import Posix

/// The CPUs that a director may use, and who else uses them.
package struct ProcessorLayout: Hashable, Sendable {
    package var online: Int
    /// Numbers of the CPUs that the process may run on.
    package var allowed: [Int]
    /// Groups of CPUs that are threads of one core, where a core has more than one.
    package var siblings: [[Int]]
    /// CPUs' worth of time that the control group allows; nil without a limit.
    package var quota: Double?

    package init(online: Int, allowed: [Int], siblings: [[Int]] = [], quota: Double? = nil) {
        self.online = online
        self.allowed = allowed
        self.siblings = siblings
        self.quota = quota
    }

    /// The machine and the process as they are.
    package static var current: ProcessorLayout {
        let allowed = AllowedProcessors.numbers
        var siblings = Set<[Int]>()
        for number in allowed {
            let path = "/sys/devices/system/cpu/cpu\(number)/topology/thread_siblings_list"
            let group = (try? Files.read(path)).flatMap { list($0) } ?? []
            if group.count > 1 { siblings.insert(group) }
        }
        return ProcessorLayout(
            online: AllowedProcessors.online, allowed: allowed,
            siblings: siblings.sorted { ($0.first ?? 0) < ($1.first ?? 0) },
            quota: controlGroups.compactMap { path in
                (try? Files.read("\(path)/cpu.max")).flatMap { quota($0) }
            }.min())
    }

    /// The numbers of a list such as `0-3,8`; nil when it is none, or longer than any machine.
    package static func list(_ text: String) -> [Int]? {
        var numbers: [Int] = []
        let text = text.filter { !$0.isWhitespace }
        guard !text.isEmpty else { return nil }
        for piece in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = piece.split(separator: "-", omittingEmptySubsequences: false)
            guard let first = Int(ends[0]), let last = Int(ends[ends.count - 1]),
                ends.count <= 2, first >= 0, first <= last, last < 1 << 16
            else { return nil }
            numbers += first...last
        }
        return numbers
    }

    /// The numbers of a mask such as `00000000,00000005`, 32 CPUs a word, the highest first; nil when
    /// it is none.
    package static func mask(_ text: String) -> [Int]? {
        let words = text.filter { !$0.isWhitespace }
            .split(separator: ",", omittingEmptySubsequences: false)
        guard !words.isEmpty, words.count <= 2048 else { return nil }
        var numbers: [Int] = []
        for (position, word) in words.reversed().enumerated() {
            guard let bits = UInt32(word, radix: 16) else { return nil }
            for bit in 0..<32 where bits >> UInt32(bit) & 1 == 1 {
                numbers.append(position * 32 + bit)
            }
        }
        return numbers
    }

    /// CPUs' worth of time in a `cpu.max` such as `50000 100000`; nil without a limit.
    package static func quota(_ text: String) -> Double? {
        let words = text.split(whereSeparator: \.isWhitespace)
        guard words.count == 2, let time = Double(words[0]), let period = Double(words[1]),
            time > 0, period > 0
        else { return nil }
        return time / period
    }

    /// Numbers as a list: `0-3,8`.
    package static func text(_ numbers: [Int]) -> String {
        var pieces: [String] = []
        var rest = numbers.sorted()[...]
        while let first = rest.popFirst() {
            var last = first
            while rest.first == last + 1 { last = rest.removeFirst() }
            pieces.append(first == last ? "\(first)" : "\(first)-\(last)")
        }
        return pieces.joined(separator: ",")
    }

    /// Directories of the process's control group and of those around it.
    private static var controlGroups: [String] {
        guard let text = try? Files.read("/proc/self/cgroup"),
            let line = text.split(whereSeparator: \.isNewline).first(where: { $0.hasPrefix("0::") })
        else { return [] }
        var paths: [String] = []
        var path = line.dropFirst(3)
        while let slash = path.lastIndex(of: "/") {
            paths.append("/sys/fs/cgroup\(path)")
            path = path[..<slash]
        }
        return paths
    }
}
