import TestKit
import Testing

@Suite struct RoundRobinTests {
    @Test(arguments: [
        // Newest first, whatever the weight.
        "+A=1 +B=1 +C=1 ?C ?B ?A ?C ?B ?A",
        "+A=3 +B=1 +C=2 ?C ?B ?A ?C ?B ?A",
        // Weight 0 takes none; nobody is left when all have it.
        "+A=1 +B=0 +C=1 ?C ?A ?C",
        "+A=0 +B=0 ?-",
        "?-",
        "+A=1 ?A ?A A=0 ?- A=1 ?A",
        // The one chosen last goes: on with its successor.
        "+A=1 +B=1 +C=1 ?C ?B -B ?A ?C ?A ?C",
        "+A=1 +B=1 +C=1 ?C -C ?B ?A ?B",
        "+A=1 +B=1 +C=1 ?C ?B ?A -A ?C ?B ?C",
        // A new one stands in front and is met after the turn.
        "+A=1 +B=1 ?B +C=1 ?A ?C ?B ?A ?C ?B",
    ])
    func picks(_ story: String) throws {
        #expect(try ServiceStory.play("rr", story).isEmpty)
    }
}
