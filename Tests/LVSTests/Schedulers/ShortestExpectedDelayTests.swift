import TestKit
import Testing

@Suite struct ShortestExpectedDelayTests {
    @Test(arguments: [
        "+A=3 +B=1 +C=2 ?A ?C ?A ?C ?B ?A ?A ?C ?A ?C ?B ?A ?A",
        "+A=10 +B=1 ?A ?A ?A ?A ?A ?A ?A ?A ?A ?B ?A ?A ?A",
        "+A=1 +B=1 +C=1 ?C ?B ?A ?C",
        // All idle, the highest weight comes first.
        "+A=1 +B=3 +C=2 ?B",
        // Weight 0 never wins, not even idle against the loaded.
        "+A=1 +B=0 ?A ?A ?A B=1 ?B",
        "+A=0 +B=0 ?-",
        "?-",
    ])
    func picks(_ story: String) throws {
        #expect(try ServiceStory.play("sed", story).isEmpty)
    }
}
