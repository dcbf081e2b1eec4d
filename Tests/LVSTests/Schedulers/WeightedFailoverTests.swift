import TestKit
import Testing

@Suite struct WeightedFailoverTests {
    @Test(arguments: [
        // All go to the largest weight, whatever its load.
        "+A=3 +B=1 +C=2 ?A ?A ?A ?A ?A",
        "+A=1 +B=1 +C=1 ?C ?C ?C",
        // It goes, or is put aside: the next one takes over, until it is back.
        "+A=3 +B=1 +C=2 ?A -A ?C ?C C=0 ?B C=2 ?C +A=3 ?A",
        "+A=0 +B=0 ?-",
        "?-",
    ])
    func picks(_ story: String) throws {
        #expect(try ServiceStory.play("fo", story).isEmpty)
    }
}
