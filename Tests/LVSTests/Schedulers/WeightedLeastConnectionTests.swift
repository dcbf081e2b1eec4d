import TestKit
import Testing

@Suite struct WeightedLeastConnectionTests {
    @Test(arguments: [
        "+A=3 +B=1 +C=2 ?C ?B ?A ?A ?C ?A ?C ?B ?A ?A ?C ?A ?C",
        "+A=10 +B=1 ?B ?A ?A ?A ?A ?A ?A ?A ?A ?A ?A ?B ?A",
        "+A=1 +B=1 +C=1 ?C ?B ?A ?C ?B ?A",
        // Weight 0 never wins, not even idle against the loaded.
        "+A=1 +B=0 ?A ?A ?A B=1 ?B",
        "+A=0 +B=0 ?-",
        "?-",
    ])
    func picks(_ story: String) throws {
        #expect(try ServiceStory.play("wlc", story).isEmpty)
    }
}
