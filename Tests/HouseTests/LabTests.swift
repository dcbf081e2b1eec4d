import Foundation
import Testing

/// The lab's tests need name spaces and so privileges; `Lab/lab check` runs them, `swift test` only names them.
@Suite("The lab")
struct LabTests {
    private static let scenarios = House.root.appending(path: "Lab/scenarios")

    private var names: [String] {
        let files =
            (try? FileManager.default.contentsOfDirectory(atPath: Self.scenarios.path())) ?? []
        return files.filter { $0.hasSuffix(".py") && !$0.hasPrefix("_") }.map {
            String($0.dropLast(3))
        }.sorted()
    }

    @Test("has the three methods, and tests that swift test leaves to Lab/lab")
    func namesWhatIsLeftOut() {
        #expect(Set(names).isSuperset(of: ["nat", "dr", "tun"]))
        print("left to `Lab/lab test all`, which needs root: \(names.joined(separator: ", "))")
    }

    @Test("says in the first line of every scenario what it shows")
    func everyScenarioHasAHeadline() throws {
        for name in names {
            let text = try String(
                contentsOf: Self.scenarios.appending(path: name + ".py"), encoding: .utf8)
            #expect(text.hasPrefix("\"\"\""), "\(name)")
            #expect(text.contains("\ndef run(lab):\n"), "\(name)")
        }
    }

    /// The table is written by the comparison (`Lab/kernel/compare --all --table`), not by hand.
    @Test("shows a conformance table whose rows add up and name recordings that exist")
    func theConformanceTableAddsUp() throws {
        let table = try String(
            contentsOf: House.root.appending(path: "Lab/kernel/CONFORMANCE.md"), encoding: .utf8)
        let homes = ["Tests/GoldenTests/Fixtures/packets", "Lab/kernel/scenarios"]
        let recordings = Set(
            try homes.flatMap {
                try FileManager.default.contentsOfDirectory(
                    atPath: House.root.appending(path: $0).path())
            })
        var same = 0
        var all = 0
        for line in table.split(separator: "\n") where line.hasPrefix("| ") {
            let cells = line.split(separator: "|").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard cells.count == 4, let good = Int(cells[1]), let count = Int(cells[2]) else {
                continue
            }
            let names = cells[3].split(separator: " ").map(String.init)
            #expect(names.count == count, "area \(cells[0])")
            let unknown = names.filter { !recordings.contains($0) }
            #expect(unknown.isEmpty, "no recordings: \(unknown)")
            same += good
            all += count
        }
        #expect(all > 0, "no rows")
        #expect(table.contains("**\(same) of \(all) scenarios are the same**"))
    }
}
