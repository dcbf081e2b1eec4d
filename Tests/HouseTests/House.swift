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

    var description: String { path }

    private var parts: [String] { path.split(separator: "/").map(String.init) }

    /// The target it belongs to.
    var target: String { parts.first ?? "" }

    /// The directory of its target that it lies in; `""` for the target's own directory.
    var room: String { parts.count > 2 ? parts[1] : "" }

    /// Its name without the directories.
    var name: String { parts.last ?? "" }

    var lineCount: Int { text.split(separator: "\n", omittingEmptySubsequences: false).count - 1 }

    /// Its code: the text without comments and string literals.
    var code: String { Self.code(of: text) }

    /// Modules it imports.
    var imports: Set<String> {
        Set(
            code.split(separator: "\n").compactMap { line in
                guard let match = line.firstMatch(of: Self.importLine) else { return nil }
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
        var result = ""
        var rest = text[...]
        while let character = rest.first {
            let end =
                if rest.hasPrefix("//") {
                    rest.firstIndex(of: "\n") ?? rest.endIndex
                } else if rest.hasPrefix("/*") {
                    rest.firstRange(of: "*/")?.upperBound ?? rest.endIndex
                } else if rest.hasPrefix("\"\"\"") {
                    rest.dropFirst(3).firstRange(of: "\"\"\"")?.upperBound ?? rest.endIndex
                } else if character == "\"" {
                    endOfLiteral(rest)
                } else {
                    rest.startIndex
                }
            if end == rest.startIndex {
                result.append(character)
                rest.removeFirst()
            } else {
                result.append(contentsOf: rest[..<end].filter { $0 == "\n" })
                rest = rest[end...]
            }
        }
        return result
    }

    private static func endOfLiteral(_ rest: Substring) -> Substring.Index {
        var isEscaped = false
        for index in rest.indices.dropFirst() {
            if !isEscaped, rest[index] == "\"" || rest[index] == "\n" {
                return rest.index(after: index)
            }
            isEscaped = !isEscaped && rest[index] == "\\"
        }
        return rest.endIndex
    }
}
