import LVS
import Testing

@Suite struct RegistryTests {
    @Test(arguments: [
        "rr", "wrr", "lc", "wlc", "sed", "nq", "dh", "sh", "lblc", "lblcr", "fo", "ovf", "mh",
        "twos",
    ])
    func knowsTheSchedulersOfThisDirector(_ name: String) {
        #expect(SchedulerRegistry.names.contains(name))
        #expect(SchedulerRegistry.make(name, options: SchedulerOptions()) != nil)
    }

    @Test(arguments: ["", "none", "RR", "nosuch"])
    func knowsNoOthers(_ name: String) {
        #expect(SchedulerRegistry.make(name, options: SchedulerOptions()) == nil)
    }

    @Test func namesAreUnique() {
        #expect(Set(SchedulerRegistry.names).count == SchedulerRegistry.names.count)
    }
}
