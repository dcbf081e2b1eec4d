/// Rows of words in columns that stand under each other.
package struct TextTable: Sendable {
    /// On which side of its column a word stands.
    package enum Side: Sendable {
        case left, right
    }

    private let sides: [Side]
    private var rows: [[String]] = []

    /// A column for each side.
    package init(_ sides: [Side]) { self.sides = sides }

    /// Adds a row; columns it has no word for stay empty.
    package mutating func add(_ words: [String]) {
        precondition(words.count <= sides.count, "a row has no more words than columns")
        rows.append(words)
    }

    /// The lines, each indented by so many spaces, without spaces at their ends.
    package func lines(indentedBy indent: Int = 0) -> [String] {
        let widths = sides.indices.map { column in
            rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            let cells = row.enumerated().map { column, word in
                let space = String(repeating: " ", count: widths[column] - word.count)
                return sides[column] == .left ? word + space : space + word
            }
            var line = String(repeating: " ", count: indent) + cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
