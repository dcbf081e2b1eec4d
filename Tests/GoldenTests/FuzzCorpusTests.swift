import Foundation
import FuzzKit
import Testing

/// Inputs that the fuzz targets found worth keeping, and every one that ever was a finding.
@Suite struct FuzzCorpusTests {
    @Test(arguments: FuzzTarget.allCases)
    func everyInputOfTheCorpusEndsWithoutATrap(_ target: FuzzTarget) throws {
        let names = Fixtures.fuzz(target.rawValue)
        #expect(names.count >= 20, "the corpus of \(target.rawValue) is there")
        let worlds = FuzzWorlds(lifetime: 1)
        for name in names {
            let data = try #require(FileManager.default.contents(atPath: name), "\(name)")
            target.run(Array(data), in: worlds)
        }
    }
}
