import LVS
import TestKit
import Testing

@Suite struct ReplicatedLocalityLeastConnectionTests {
    @Test(arguments: [
        // One address: its set grows until all are busy, then the least loaded member is used.
        "+A=2 +B=2 +C=2 ?C ?C ?C ?B ?B ?B ?A ?A ?A ?A ?B ?C ?A ?B ?C ?A",
        "+A=9 +B=9 +C=9 ?C@1 ?B@2 ?A@3 ?C@1 ?A@3 ?B@2 ?C@1",
        "+A=9 +B=9 ?B ?B B=0 ?A B=9 ?A ?A ?B",
        // A deleted server is kept for as long as an address remembers it, so that no other gets its
        // number, and has its connections when it comes back.
        "+A=9 +B=9 ?B ?A@2 ~B +C=9 ?C@3 ?C@3 ?A",
        "+A=9 +B=9 +C=9 ?C ?B@2 ?A@3 ~B ~C +B=9 ?B@5 ?B@5 ?B@2 ?A",
        "+A=9 +B=9 ?B ?A@2 ?A@2 -B +B=9 ?B ?B ?B ?B",
        "+A=0 ?- A=1 ?A",
        "?-",
    ])
    func picks(_ story: String) throws {
        #expect(try SchedulerStory.play("lblcr", story).isEmpty)
    }

    @Test(arguments: [
        // C and B are in the set; C, the most loaded, leaves it and is missed.
        ("+A=2 +B=2 +C=2 ?C ?C ?C ?B /C /C /C ?C t11 ?B ?B ?A", 10),
        ("+A=2 +B=2 +C=2 ?C ?C ?C ?B /C /C /C ?C t9 ?B ?C", 10),
    ])
    func setShrinksWhenItHasNotChanged(_ story: String, _ seconds: Int) throws {
        var settings = Settings()
        try settings.set("lblcr_expiration", seconds)
        let options = SchedulerOptions(settings: settings)
        #expect(try SchedulerStory.play("lblcr", story, options: options).isEmpty)
    }
}
