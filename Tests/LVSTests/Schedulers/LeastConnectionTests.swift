import TestKit
import Testing

@Suite struct LeastConnectionTests {
    @Test(arguments: [
        // The least loaded, the newest at a tie; weights count only as 0 or not.
        "+A=3 +B=1 +C=2 ?C ?B ?A ?C ?B ?A",
        "+A=10 +B=1 ?B ?A ?B ?A",
        "+A=1 +B=0 ?A ?A B=1 ?B ?B ?B ?A",
        "+A=1 ?A ?A +B=1 ?B ?B ?B ?A",
        "+A=0 +B=0 ?-",
        "?-",
        // A server that was deleted and comes back finds its connections.
        "+A=1 +B=1 ?B ?A ?B -B ?A +B=1 ?B",
    ])
    func picks(_ story: String) throws {
        #expect(try ServiceStory.play("lc", story).isEmpty)
    }
}
