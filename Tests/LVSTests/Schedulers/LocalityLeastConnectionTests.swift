import LVS
import TestKit
import Testing

@Suite struct LocalityLeastConnectionTests {
    @Test(arguments: [
        // One address: its server is left when it is busy while another is idle, and not before.
        "+A=2 +B=2 +C=2 ?C ?C ?C ?B ?B ?B ?A ?A ?A ?A ?A",
        // Each address has a server of its own, and stays with it.
        "+A=9 +B=9 +C=9 ?C@1 ?B@2 ?A@3 ?C@1 ?A@3 ?B@2 ?C@1",
        // A server of weight 0 is left, and not returned to.
        "+A=9 +B=9 ?B ?B B=0 ?A B=9 ?A ?A",
        // A deleted one is left; when nobody asked meanwhile it is remembered.
        "+A=9 +B=9 ?B -B ?A +B=9 ?A",
        "+A=9 +B=9 ?B ?A@2 ?A@2 -B +B=9 ?B ?B ?B ?B",
        // A deleted server is kept for as long as an address remembers it, so that no other gets its
        // number, and has its connections when it comes back.
        "+A=9 +B=9 ?B ?A@2 ~B +C=9 ?C@3 ?C@3 ?A",
        "+A=9 +B=9 +C=9 ?C ?B@2 ?A@3 ~B ~C +B=9 ?B@5 ?B@5 ?B@2 ?A",
        "+A=0 ?- A=1 ?A",
        "?-",
    ])
    func picks(_ story: String) throws {
        #expect(try SchedulerStory.play("lblc", story).isEmpty)
    }
}
