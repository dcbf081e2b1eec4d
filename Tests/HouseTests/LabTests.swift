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
}
