import TestKit
import Testing

@Suite struct WeightedRoundRobinTests {
    @Test(arguments: [
        // Built server by server, the first pass is the lowest.
        "+A=3 +B=1 +C=2 ?C ?B ?A ?A ?C ?A ?C ?B ?A ?A ?C ?A",
        "+A=1 +B=1 +C=1 ?C ?B ?A ?C",
        "+A=4 +B=2 +C=6 ?C ?B ?A ?C ?C ?A ?C ?B ?A ?C ?C ?A",
        "+A=1 +B=100 ?B ?A ?B ?B ?B ?B ?B ?B ?B ?B",
        // Chosen for servers that are there already, it begins at the top.
        "scheduler=rr +A=3 +B=1 +C=2 scheduler=wrr ?A ?C ?A ?C ?B ?A ?A",
        // An edit puts it back to the head and keeps the threshold.
        "+A=3 +B=1 +C=2 ?C ?B B=5 ?C ?B ?A ?B ?B ?B ?A ?C ?B ?A ?C ?B ?A ?B",
        // The same scheduler again changes nothing.
        "+A=3 +B=1 +C=2 ?C ?B scheduler=wrr ?A ?A ?C",
        "+A=0 +B=2 ?B ?B ?B",
        "+A=0 +B=0 ?-",
        "?-",
    ])
    func picks(_ story: String) throws {
        #expect(try ServiceStory.play("wrr", story).isEmpty)
    }
}
