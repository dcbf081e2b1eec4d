/// Options of listings that ipvsadm does not have; they may stand anywhere in the line.
///
///     --json    --watch SECONDS    --watch=SECONDS    --count N
struct OwnOptions: Equatable {
    /// For programs instead of people.
    var json = false
    /// Shows the listing again after so many seconds.
    var watchSeconds: Double?
    /// Ends after so many listings.
    var count: Int?

    init() {}

    /// Takes them out of a line that lists something; other lines stay as they are.
    init(from words: inout [String]) throws(CommandError) {
        guard Self.lists(words) else { return }
        var rest: [String] = []
        var position = 0
        while position < words.count {
            let word = words[position]
            let parts = word.split(separator: "=", maxSplits: 1)
            position += 1
            switch parts.first.map(String.init) {
            case "--json" where parts.count == 1: json = true
            case "--watch"?, "--count"?:
                var value = parts.count == 2 ? String(parts[1]) : nil
                if value == nil, position < words.count {
                    value = words[position]
                    position += 1
                }
                guard let value else { throw .option(word, "missing argument") }
                try take(String(parts[0]), value)
            default: rest.append(word)
            }
        }
        guard count == nil || watchSeconds != nil else { throw .line("--count needs --watch") }
        words = rest
    }

    private mutating func take(_ name: String, _ value: String) throws(CommandError) {
        if name == "--watch" {
            guard let seconds = Double(value), (0.1...86_400).contains(seconds) else {
                throw .line("--watch: '\(value)' is not a number of seconds from 0.1 to 86400")
            }
            watchSeconds = seconds
        } else {
            guard let number = Int(value), number > 0 else {
                throw .line("--count: '\(value)' is not a number from 1 on")
            }
            count = number
        }
    }

    private static let own: Set<String> = ["--json", "--watch", "--count"]

    /// Whether the line's command is a listing: none at all, `-L`, or a word that shows something.
    private static func lists(_ words: [String]) -> Bool {
        var rest = words[...]
        while let word = rest.first, let name = word.split(separator: "=").first.map(String.init),
            own.contains(name)
        {
            rest = rest.dropFirst(name == word && name != "--json" ? 2 : 1)
        }
        guard let first = rest.first else { return rest.count < words.count }
        if let word = DirectorWord.all.first(where: { $0.name == first }) { return word.lists }
        let command = CommandEntry.starting(with: first)?.command
        return command == .list || command == .listLocals
    }
}
