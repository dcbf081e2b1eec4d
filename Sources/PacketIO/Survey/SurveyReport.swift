/// What `director --check` says: one line for each thing.
package struct SurveyReport: Hashable, Sendable {
    /// What a line is.
    package enum Kind: String, CaseIterable, Sendable {
        /// What there is.
        case found
        /// What will be used, and why.
        case plan
        /// What could be better, and how.
        case advice
        /// What keeps the director from starting, and the cure.
        case obstacle
    }

    /// One line.
    package struct Line: Hashable, Sendable {
        package var kind: Kind
        /// What it is about: `kernel`, `eth0`, `table`.
        package var subject: String
        package var text: String
    }

    package private(set) var lines: [Line] = []

    package init() {}

    /// Whether nothing keeps the director from starting.
    package var isReady: Bool { !lines.contains { $0.kind == .obstacle } }

    package mutating func found(_ subject: String, _ text: String) { add(.found, subject, text) }
    package mutating func plan(_ subject: String, _ text: String) { add(.plan, subject, text) }
    package mutating func advice(_ subject: String, _ text: String) { add(.advice, subject, text) }
    package mutating func obstacle(_ subject: String, _ text: String) {
        add(.obstacle, subject, text)
    }

    private mutating func add(_ kind: Kind, _ subject: String, _ text: String) {
        // One line each, whatever a name or an error brings along.
        let flat = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        let line = Line(kind: kind, subject: subject, text: flat)
        if !lines.contains(line) { lines.append(line) }
    }

    /// The report for a terminal; ends in a newline.
    package var rendered: String {
        let width = lines.map(\.subject.count).max() ?? 0
        var text = ""
        for kind in Kind.allCases {
            let chosen = lines.filter { $0.kind == kind }
            guard !chosen.isEmpty else { continue }
            text += "\(SurveyReport.title(kind)):\n"
            for line in chosen {
                let gap = String(repeating: " ", count: width - line.subject.count)
                text += "  \(line.subject)\(gap)  \(line.text)\n"
            }
        }
        return text
            + (isReady ? "the director can start\n" : "the director cannot start like this\n")
    }

    private static func title(_ kind: Kind) -> String {
        switch kind {
        case .found: "found"
        case .plan: "will use"
        case .advice: "could be better"
        case .obstacle: "in the way"
        }
    }
}
