import PacketIO
import Testing

@Suite struct AdaptiveSpinTests {
    @Test func lookingThatFindsFramesGrowsUpToFiftyMicroseconds() {
        var spin = AdaptiveSpin()
        var now: UInt64 = 0
        var budgets: [UInt64] = []
        for _ in 0..<10 {
            budgets.append(spin.budget(now: now))
            now += 1_000_000
            spin.looked(found: true, now: now)
        }
        #expect(budgets.first == 2_000)
        #expect(budgets == budgets.sorted())
        #expect(budgets.last == 50_000)
    }

    @Test func lookingInVainShrinksToNothingAndIsTriedAgainATenthOfASecondLater() {
        var spin = AdaptiveSpin()
        for _ in 0..<10 {
            _ = spin.budget(now: 0)
            spin.looked(found: true, now: 0)
        }
        var tries = 0
        while spin.budget(now: 1) > 0, tries < 100 {
            spin.looked(found: false, now: 1)
            tries += 1
        }
        #expect(tries == 6)
        #expect(spin.budget(now: 100_000_000) == 0)
        #expect(spin.budget(now: 100_000_001) == 2_000)
    }

    @Test func whereOthersWantTheCPUNobodyLooksForASecond() {
        var spin = AdaptiveSpin()
        #expect(spin.budget(now: 5) == 2_000)
        spin.isInTheWay(now: 5)
        #expect(spin.budget(now: 6) == 0)
        #expect(spin.budget(now: 1_000_000_004) == 0)
        #expect(spin.budget(now: 1_000_000_005) == 2_000)
    }

    /// A tenth of a second between two tries of two microseconds: what idle looking costs.
    @Test func anIdleWorkerLooksForLessThanAThousandthOfTheTime() {
        var spin = AdaptiveSpin()
        var now: UInt64 = 0
        var looked: UInt64 = 0
        while now < 10_000_000_000 {
            let budget = spin.budget(now: now)
            if budget > 0 { spin.looked(found: false, now: now + budget) }
            looked += budget
            // The longest a worker sleeps, or nothing.
            now += budget + 10_000
        }
        #expect(looked < 10_000_000)
    }
}
