import PacketIO
import Posix
import Testing

@Suite struct CrowdedProcessorsTests {
    /// A machine whose CPUs' clocks go on by a second of 100 ticks at each look.
    private struct Machine {
        var times: [Int: ProcessorTimes] = [:]
        var processors: CrowdedProcessors

        init(allowed: [Int], cpus: Int = 2) {
            for cpu in 0..<cpus { times[cpu] = ProcessorTimes(softInterrupts: 5, all: 1000) }
            processors = CrowdedProcessors(allowed: allowed)
            _ = processors.look(times, isLosing: false)
        }

        /// A second in which each CPU spent these percent of its time on soft interrupts.
        mutating func second(_ percent: [UInt64], isLosing: Bool) -> [Int]? {
            for (cpu, share) in percent.enumerated() {
                times[cpu]?.softInterrupts += share
                times[cpu]?.all += 100
            }
            return processors.look(times, isLosing: isLosing)
        }
    }

    @Test func `A worker that loses frames leaves the CPU that receiving takes up`() {
        var machine = Machine(allowed: [0, 1])
        #expect(machine.second([3, 91], isLosing: true) == [0])
        #expect(machine.processors.avoided == [1])
        #expect(machine.processors.found.map(\.percent) == [91])
        // It is there already.
        #expect(machine.second([3, 91], isLosing: true) == nil)
    }

    @Test func `Without losses nothing is changed`() {
        var machine = Machine(allowed: [0, 1])
        #expect(machine.second([3, 91], isLosing: false) == nil)
        #expect(machine.processors.found.isEmpty)
    }

    @Test(arguments: [([45, 91], [0, 1]), ([0, 91], [1]), ([50, 20], [0, 1])])
    func `Nothing is changed where no CPU is better`(percent: [UInt64], allowed: [Int]) {
        var machine = Machine(allowed: allowed)
        #expect(machine.second(percent, isLosing: true) == nil)
        #expect(machine.processors.avoided.isEmpty)
    }

    @Test func `It may come back when the CPU was calm for half a minute`() {
        var machine = Machine(allowed: [0, 1])
        _ = machine.second([0, 90], isLosing: true)
        for _ in 0..<20 { #expect(machine.second([0, 10], isLosing: false) == nil) }
        #expect(machine.second([0, 50], isLosing: false) == nil)
        for _ in 0..<29 { #expect(machine.second([0, 10], isLosing: false) == nil) }
        #expect(machine.second([0, 10], isLosing: false) == [0, 1])
        #expect(machine.processors.avoided.isEmpty)
    }

    @Test func `Of several CPUs those that are crowded, or nearly so, are kept off`() {
        var machine = Machine(allowed: [0, 1, 2, 3], cpus: 4)
        #expect(machine.second([90, 50, 10, 0], isLosing: true) == [2, 3])
        #expect(machine.second([90, 50, 80, 0], isLosing: true) == [3])
        #expect(machine.processors.avoided == [0, 1, 2])
    }

    @Test func `Times are read as the kernel writes them`() {
        let text = """
            cpu  30 0 60 800 0 0 14 0 0 0
            cpu0 10 1 30 400 2 3 7 4 9 9
            cpu12 20 0 30 400 0 0 7 0 0 0
            cpu3 20 0
            intr 1 2 3

            """
        #expect(
            ProcessorTimes.parse(text) == [
                0: ProcessorTimes(softInterrupts: 7, all: 457),
                12: ProcessorTimes(softInterrupts: 7, all: 457),
            ])
        #expect(!ProcessorTimes.now.isEmpty)
    }
}
