import Foundation

/// The recordings that came with the tests.
enum Fixtures {
    private static let root = Bundle.module.bundlePath + "/Fixtures"

    /// Names of the recorded scenarios.
    static let packets: [String] = {
        let found = try? FileManager.default.contentsOfDirectory(atPath: root + "/packets")
        return (found ?? []).sorted()
    }()

    /// Paths of the inputs of a fuzz target.
    static func fuzz(_ target: String) -> [String] {
        let directory = "\(root)/fuzz/\(target)"
        let found = try? FileManager.default.contentsOfDirectory(atPath: directory)
        return (found ?? []).sorted().map { "\(directory)/\($0)" }
    }

    static func scenario(_ name: String) -> String { "\(root)/packets/\(name)/scenario.json" }

    static func scheduler(_ name: String) -> String { "\(root)/schedulers/\(name).json" }
}
