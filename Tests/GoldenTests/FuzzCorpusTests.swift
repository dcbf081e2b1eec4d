import Foundation
import FuzzKit
import Testing

/// Inputs that the fuzz targets found worth keeping, and every one that ever was a finding.
@Suite struct FuzzCorpusTests {
    @Test(arguments: FuzzTarget.allCases)
    func everyInputOfTheCorpusEndsWithoutATrap(_ target: FuzzTarget) throws {
        let names = Fixtures.fuzz(target.rawValue)
        #expect(names.count >= 20, "the corpus of \(target.rawValue) is there")
        // A world for each input, as a finding has to be repeatable; without optimisation making one
        // costs more than all else, and two dozen inputs share it.
        #if DEBUG
            let worlds = FuzzWorlds(lifetime: 24)
        #else
            let worlds = FuzzWorlds(lifetime: 1)
        #endif
        for name in names {
            let data = try #require(FileManager.default.contents(atPath: name), "\(name)")
            target.run(Array(data), in: worlds)
        }
    }
}
