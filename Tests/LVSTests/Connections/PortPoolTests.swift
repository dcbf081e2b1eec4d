import LVS
import Testing

/// Local ports of FULLNAT: none is given out twice, all of a range are used, none too soon again.
@Suite struct PortPoolTests {
    /// A pool and its memory.
    @safe
    final class Rig: @unchecked Sendable {
        private let memory: UnsafeMutableRawPointer
        let pool: PortPool

        init() {
            unsafe memory = .allocate(byteCount: PortPool.bytes, alignment: 64)
            unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: PortPool.bytes)
            pool = unsafe PortPool(memory: memory)
        }

        deinit { unsafe memory.deallocate() }
    }

    @Test func theClientsPortIsKeptWhileItIsFree() {
        let rig = Rig()
        #expect(rig.pool.take(from: 1024...65535, preferring: 13300) == 13300)
        let second = rig.pool.take(from: 1024...65535, preferring: 13300)
        #expect(second != nil && second != 13300)
    }

    @Test func aPortOutsideTheRangeIsNotKept() {
        let rig = Rig()
        let port = rig.pool.take(from: 5000...5001, preferring: 4000)
        #expect(port == 5000)
    }

    @Test(arguments: [1024...65535, 1...65535, 5000...5000, 5000...5001, 63...64, 65535...65535])
    func everyPortOfARangeIsGivenOutOnce(range: ClosedRange<UInt16>) {
        let rig = Rig()
        var seen: Set<UInt16> = []
        while let port = rig.pool.take(from: range, preferring: 0) {
            #expect(range.contains(port))
            guard seen.insert(port).inserted else {
                Issue.record("port \(port) was given out twice")
                return
            }
        }
        #expect(seen.count == range.count)
        #expect(rig.pool.takenCount == range.count)
    }

    @Test(arguments: PortPool.Rest.allCases)
    func aPortRestsForOneToTwoPeriods(_ rest: PortPool.Rest) {
        let rig = Rig()
        #expect(rig.pool.take(7000))
        rig.pool.giveBack(7000, rest: rest)
        #expect(!rig.pool.take(7000))
        for other in PortPool.Rest.allCases where other != rest {
            for _ in 0..<4 { rig.pool.turn(other) }
        }
        rig.pool.turn(rest)
        #expect(!rig.pool.take(7000), "it has not rested for a whole period")
        rig.pool.turn(rest)
        #expect(rig.pool.take(7000))
    }

    @Test func aPortNobodySawIsFreeAtOnce() {
        let rig = Rig()
        #expect(rig.pool.take(7000))
        rig.pool.giveBackUnused(7000)
        #expect(rig.pool.take(7000))
    }

    @Test func portsAreUsedInTurn() {
        let rig = Rig()
        var last: [UInt16] = []
        // Each is free again long before the range has been gone around.
        for _ in 0..<2000 {
            guard let port = rig.pool.take(from: 1024...65535, preferring: 0) else {
                Issue.record("no port is left")
                return
            }
            last.append(port)
            if last.count > 128 { rig.pool.giveBack(last.removeFirst()) }
        }
        #expect(Set(last).count == last.count)
    }
}
