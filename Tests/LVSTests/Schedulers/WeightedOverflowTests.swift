import TestKit
import Testing

@Suite struct WeightedOverflowTests {
    @Test(arguments: [
        // A server takes one connection more than its weight, then the next one has its turn.
        "+A=3 +B=2 +C=1 ?A ?A ?A ?A ?B ?B ?B ?C ?C ?- ?-",
        "+A=2 +B=2 ?B ?B ?B ?A ?A ?A ?-",
        "+A=3 +B=1 +C=2 ?A ?A ?A ?A ?C ?C ?C ?B ?B ?-",
        // More weight, more room.
        "+A=1 ?A ?A ?- A=2 ?A ?-",
        "+A=0 +B=0 ?-",
        "?-",
    ])
    func picks(_ story: String) throws {
        #expect(try ServiceStory.play("ovf", story).isEmpty)
    }
}
