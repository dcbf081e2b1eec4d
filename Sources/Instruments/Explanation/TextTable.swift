/// Rows of words in columns: numbers stand right, everything else left.
struct TextTable {
    var heads: [String]
    /// Which columns hold numbers.
    var numbers: Set<Int> = []
    private var rows: [[String]] = []

    init(_ heads: [String], numbers: Set<Int> = []) {
        self.heads = heads
        self.numbers = numbers
    }

    mutating func add(_ row: [String]) { rows.append(row) }

    /// One line for each row, the heads first unless all are empty.
    func lines(indent: String) -> [String] {
        let hasHeads = heads.contains { !$0.isEmpty }
        let all = (hasHeads ? [heads] : []) + rows
        let widths = heads.indices.map { column in
            all.map { $0[column].count }.max() ?? 0
        }
        return all.map { row in
            var line = indent
            for (column, word) in row.enumerated() where widths[column] > 0 {
                let blanks = String(repeating: " ", count: widths[column] - word.count)
                line += numbers.contains(column) ? blanks + word : word + blanks
                line += "  "
            }
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }
}
