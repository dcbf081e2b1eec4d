/// The options of `directorctl top`.
///
///     top [--interval SECONDS] [--count N] [--sort ORDER] [--reverse] [--filter TEXT]
///         [--services] [--batch] [--json] [--ascii]
struct TopOptions: Equatable {
    var intervalSeconds = 1.0
    /// Ends after so many readings.
    var count: Int?
    /// Text one below the other, also on a terminal.
    var isBatch = false
    /// A line of JSON for each reading, which is a text too.
    var isJSON = false
    /// Nothing beyond ASCII is drawn.
    var isASCII = false
    var view = TopView()

    init(_ words: [String]) throws(CommandError) {
        var rest = words[...]
        while let word = rest.popFirst() {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            switch name {
            case "--batch" where parts.count == 1: isBatch = true
            case "--json" where parts.count == 1: (isJSON, isBatch) = (true, true)
            case "--ascii" where parts.count == 1: isASCII = true
            case "--reverse" where parts.count == 1: view.isReversed = true
            case "--services" where parts.count == 1: view.showsServers = false
            case "--interval", "--count", "--sort", "--filter":
                guard let value = parts.count == 2 ? String(parts[1]) : rest.popFirst() else {
                    throw .option(name, "missing argument")
                }
                try take(name, value)
            case "--batch", "--json", "--ascii", "--reverse", "--services":
                throw .line("top: \(name) takes no value")
            default:
                throw .line(
                    "top: unexpected argument \(word); known: --interval SECONDS, --count N, "
                        + "--sort \(Self.orders), --reverse, --filter TEXT, --services, --batch, "
                        + "--json, --ascii")
            }
        }
    }

    private static let orders = TopView.Order.allCases.map(\.rawValue).joined(separator: "|")

    private mutating func take(_ name: String, _ value: String) throws(CommandError) {
        switch name {
        case "--interval":
            guard let seconds = Double(value), (0.1...86_400).contains(seconds) else {
                throw .line("--interval: '\(value)' is not a number of seconds from 0.1 to 86400")
            }
            intervalSeconds = seconds
        case "--count":
            guard let number = Int(value), number > 0 else {
                throw .line("--count: '\(value)' is not a number from 1 on")
            }
            count = number
        case "--sort":
            guard let order = TopView.Order(rawValue: value) else {
                throw .line("--sort: '\(value)' is none of \(Self.orders)")
            }
            view.order = order
        default: view.filter = value.lowercased()
        }
    }
}
