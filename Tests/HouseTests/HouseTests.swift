import Testing

@Suite("The house")
struct HouseTests {
    @Test("has sources to look at")
    func sourcesAreFound() {
        #expect(House.swiftFiles.contains { $0.path == "LVS/Pipeline/Verdict.swift" })
    }

    @Test("keeps every file in a room of the floor plan")
    func everyFileHasARoom() {
        #expect(House.swiftFiles.compactMap(HouseRules.room) == [])
    }

    @Test("lets every room import what its list names and no more")
    func importsStayInTheirLists() {
        #expect(House.swiftFiles.compactMap(HouseRules.imports) == [])
    }

    @Test("has an engine that neither waits nor prints")
    func theEngineIsPure() {
        #expect(House.swiftFiles.compactMap(HouseRules.purity) == [])
    }

    @Test("touches memory unsafely in few rooms only")
    func unsafeCodeStaysInItsRooms() {
        #expect(House.swiftFiles.compactMap(HouseRules.memory) == [])
    }

    @Test("has no public doors")
    func nothingIsPublic() {
        #expect(House.swiftFiles.compactMap(HouseRules.access) == [])
    }

    @Test("tests every scheduler in a file of its own")
    func everySchedulerHasATest() {
        #expect(
            House.swiftFiles.compactMap { HouseRules.test(ofScheduler: $0, exists: House.has) }
                == [])
    }

    @Test("has no file over 400 lines", arguments: ["Sources", "Tests", "Benchmarks", "Lab"])
    func filesAreShort(directory: String) {
        #expect(House.read(below: directory).compactMap(HouseRules.length) == [])
    }
}

/// Each rule refuses what it is there to refuse.
@Suite("A house rule")
struct HouseRulesTests {
    @Test(
        "finds a file in no room",
        arguments: ["LVS/Utilities/Bytes.swift", "LVS/Bytes.swift", "Extras/A.swift"])
    func strangeRooms(path: String) {
        #expect(HouseRules.room(of: SourceFile(path: path, text: "")) != nil)
    }

    @Test("lets a file of the façade and of a room be")
    func knownRooms() {
        for path in ["LVS/Director+Servers.swift", "LVS/Wire/Frame.swift", "CPosix/clone.c"] {
            #expect(HouseRules.room(of: SourceFile(path: path, text: "")) == nil)
        }
    }

    @Test(
        "finds an import outside the list",
        arguments: [
            "import Foundation", "internal import Glibc", "@preconcurrency import Dispatch",
            "import struct Foundation.Data", "package import Posix",
        ])
    func strangeImports(line: String) {
        let file = SourceFile(path: "LVS/Wire/Frame.swift", text: "// why\n\(line)\n")
        #expect(HouseRules.imports(of: file) != nil)
    }

    @Test("overlooks words in comments and literals")
    func commentsAndLiterals() {
        let text = """
            /// Never `import Foundation`, async or unsafe.
            /* print(1) */
            let note = "Task \\"print\\" unsafe" // await
            """
        let file = SourceFile(path: "LVS/Model/Note.swift", text: text)
        #expect(HouseRules.purity(of: file) == nil)
        #expect(HouseRules.memory(of: file) == nil)
        #expect(HouseRules.imports(of: file) == nil)
    }

    @Test(
        "finds waiting and printing in the engine",
        arguments: ["func a() async {}", "print(1)", "Task { }"])
    func impureEngine(code: String) {
        let file = SourceFile(path: "LVS/Pipeline/Worker.swift", text: code)
        #expect(HouseRules.purity(of: file) != nil)
    }

    @Test("finds unsafe code where none belongs")
    func unsafeCode() {
        let code = "let byte = unsafe bytes[0]"
        #expect(HouseRules.memory(of: SourceFile(path: "LVS/Model/A.swift", text: code)) != nil)
        #expect(HouseRules.memory(of: SourceFile(path: "LVS/Wire/A.swift", text: code)) == nil)
    }

    @Test("finds a scheduler without a test")
    func untestedScheduler() {
        let text = "package final class Random: Scheduler {\n}\n"
        let file = SourceFile(path: "LVS/Schedulers/Random.swift", text: text)
        #expect(HouseRules.test(ofScheduler: file) { _ in false } != nil)
        #expect(
            HouseRules.test(ofScheduler: file) {
                $0 == "Tests/LVSTests/Schedulers/RandomTests.swift"
            }
                == nil)
    }

    @Test("finds a file of 401 lines")
    func longFile() {
        let lines = { (count: Int) in
            SourceFile(path: "LVS/Wire/A.swift", text: String(repeating: "\n", count: count))
        }
        #expect(HouseRules.length(of: lines(401)) != nil)
        #expect(HouseRules.length(of: lines(400)) == nil)
    }
}
