import CAllocationCounter
import LVS
import TestKit
import Testing

@Suite struct SchedulerAllocationTests {
    /// With every flag, ten servers, and an address that lblc and lblcr know.
    @Test(.enabled(if: allocation_counter_works() != 0), arguments: SchedulerRegistry.names)
    func choiceForANewConnectionAllocatesNothing(_ scheduler: String) throws {
        let options = SchedulerOptions(flags: [.schedulerFlag1, .schedulerFlag2])
        let bench = try SchedulerBench(scheduler, options: options)
        for number in 0..<10 {
            bench.add("\(number)", HashVectors.server(number, weight: number % 3 == 0 ? 0 : 5))
        }
        var request = HashVectors.request(client: 1, port: 1)
        #expect(bench.choose(request) != nil || scheduler == "dh")
        var allocations: UInt64 = 0
        for word in UInt32(0)..<200 {
            request.client = IPAddress(v4: word)
            request.random = UInt64(word)
            let before = allocation_counter_read()
            _ = bench.choose(request)
            allocations += allocation_counter_read() - before
        }
        #expect(allocations == 0)
    }
}
