import TestKit
import Testing

@Suite struct NeverQueueTests {
    @Test(arguments: [
        "+A=3 +B=1 +C=2 ?C ?B ?A ?A ?C ?A ?A ?C ?A ?C ?B ?A ?A",
        "+A=10 +B=1 ?B ?A ?A ?A ?A ?A ?A ?A ?A ?A ?A ?A ?A",
        "+A=1 +B=1 +C=1 ?C ?B ?A ?C",
        // An idle server is taken whatever its weight, but not with weight 0.
        "+A=100 +B=1 ?B ?A ?A +C=1 ?C",
        "+A=1 +B=0 ?A ?A B=1 ?B",
        "+A=0 +B=0 ?-",
        "?-",
    ])
    func picks(_ story: String) throws {
        #expect(try ServiceStory.play("nq", story).isEmpty)
    }
}
