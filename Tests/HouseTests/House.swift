import Foundation

/// The source tree this test was compiled from.
enum House {
    /// Root of the repository: this file lies two directories below it.
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Every file below `Sources`, in order of path.
    static let files = read(below: "Sources")

    /// Every Swift file below `Sources`.
    static let swiftFiles = files.filter { $0.path.hasSuffix(".swift") }

    /// Reads the source files below a directory of the repository.
    static func read(below directory: String) -> [SourceFile] {
        let base = root.appending(path: directory).path()
        let names = FileManager.default.enumerator(atPath: base)?.compactMap { $0 as? String } ?? []
        return names.sorted().compactMap { name in
            guard [".swift", ".c", ".h"].contains(where: name.hasSuffix),
                let text = try? String(contentsOfFile: base + "/" + name, encoding: .utf8)
            else { return nil }
            return SourceFile(path: name, text: text)
        }
    }

    /// Whether the repository has a file of this path.
    static func has(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appending(path: path).path())
    }
}

/// One file of the house.
struct SourceFile: CustomStringConvertible {
    /// Path below `Sources`.
    let path: String
    let text: String
    /// Its code: the text without comments and string literals.
    let code: String

    init(path: String, text: String) {
        self.path = path
        self.text = text
        code = Self.code(of: text)
    }

    var description: String { path }

    private var parts: [String] { path.split(separator: "/").map(String.init) }

    /// The target it belongs to.
    var target: String { parts.first ?? "" }

    /// The directory of its target that it lies in; `""` for the target's own directory.
    var room: String { parts.count > 2 ? parts[1] : "" }

    /// Its name without the directories.
    var name: String { parts.last ?? "" }

    var lineCount: Int { text.split(separator: "\n", omittingEmptySubsequences: false).count - 1 }

    /// Modules it imports.
    var imports: Set<String> {
        Set(
            code.split(separator: "\n").compactMap { line in
                guard line.utf8.count < 100, line.contains("import "),
                    let match = line.firstMatch(of: Self.importLine)
                else { return nil }
                return String(match.output.1)
            })
    }

    /// Which of the given words its code contains as whole words.
    func uses(_ words: Set<String>) -> Set<String> {
        let isWord = { (character: Character) in
            character.isLetter || character.isNumber || character == "_"
        }
        return words.intersection(code.split(whereSeparator: { !isWord($0) }).map(String.init))
    }

    private static var importLine: Regex<(Substring, Substring)> {
        /^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:\w+\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)/
    }

    /// Strips comments and literals; lines stay lines.
    static func code(of text: String) -> String {
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            let end = endOfSilence(bytes, at: index)
            if end == index {
                result.append(bytes[index])
                index += 1
            } else {
                result.append(contentsOf: bytes[index..<end].filter { $0 == UInt8(ascii: "\n") })
                index = end
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Comments and literals that end with a fixed text.
    private static let silences = [("//", "\n"), ("/*", "*/"), ("\"\"\"", "\"\"\"")]
        .map { (opening: Array($0.utf8), closing: Array($1.utf8)) }

    /// Where the comment or literal that begins at `start` ends; `start` itself when none does.
    private static func endOfSilence(_ bytes: [UInt8], at start: Int) -> Int {
        // Nearly every byte leaves here, which keeps an unoptimised test quick.
        let first = bytes[start]
        guard first == UInt8(ascii: "/") || first == UInt8(ascii: "\"") else { return start }
        for silence in silences where matches(bytes, at: start, silence.opening) {
            var index = start + silence.opening.count
            while index < bytes.count, !matches(bytes, at: index, silence.closing) { index += 1 }
            // The end of a line is not part of its comment.
            return min(
                silence.closing.count == 1 ? index : index + silence.closing.count, bytes.count)
        }
        return first == UInt8(ascii: "\"") ? endOfLiteral(bytes, at: start) : start
    }

    private static func endOfLiteral(_ bytes: [UInt8], at start: Int) -> Int {
        var isEscaped = false
        var index = start + 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\n") {
            if !isEscaped, bytes[index] == UInt8(ascii: "\"") { return index + 1 }
            isEscaped = !isEscaped && bytes[index] == UInt8(ascii: "\\")
            index += 1
        }
        return index
    }

    private static func matches(_ bytes: [UInt8], at start: Int, _ word: [UInt8]) -> Bool {
        guard bytes[start] == word[0], start + word.count <= bytes.count else { return false }
        return word.indices.allSatisfy { bytes[start + $0] == word[$0] }
    }
}
