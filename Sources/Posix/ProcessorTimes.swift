/// How a CPU has spent its time since the machine started, in ticks of the kernel's clock.
package struct ProcessorTimes: Hashable, Sendable {
    /// Interrupts put off to when they disturb least; of a network's machine that is receiving.
    package var softInterrupts: UInt64
    package var all: UInt64

    package init(softInterrupts: UInt64, all: UInt64) {
        self.softInterrupts = softInterrupts
        self.all = all
    }

    /// Of every CPU by its number; none when the kernel does not say.
    package static var now: [Int: ProcessorTimes] {
        (try? Files.read("/proc/stat")).map(parse) ?? [:]
    }

    /// Reads lines like `cpu1 10 0 30 400 0 0 7 0 0 0`: user, nice, system, idle, waiting for disks,
    /// interrupts, soft interrupts, stolen by the machine's host.
    package static func parse(_ text: String) -> [Int: ProcessorTimes] {
        var found: [Int: ProcessorTimes] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("cpu") {
            let words = line.split(separator: " ")
            // Guests' times, behind these, are in user and nice already.
            let ticks = words.dropFirst().prefix(8).compactMap { UInt64($0) }
            guard let number = Int(words[0].dropFirst(3)), ticks.count == 8 else { continue }
            let all = ticks.reduce(0, &+)
            found[number] = ProcessorTimes(softInterrupts: ticks[6], all: all)
        }
        return found
    }
}
