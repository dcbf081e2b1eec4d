/// How the parts of a load are written on a command line.
extension SimulatedLoad.Sessions {
    /// What is accepted.
    package static let usage = "SECONDS, fixed:SECONDS or mixed:SHORT,LONG,SHARE"

    /// Reads `2` (without memory, of this mean), `fixed:2` or `mixed:0.1,20,0.02`.
    package init(_ text: String) throws(SimulatedLoad.Mistake) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let kind = parts.count == 2 ? parts[0] : "exponential"
        let words = parts[parts.count - 1].split(separator: ",", omittingEmptySubsequences: false)
        let numbers = words.compactMap { Double($0) }
        switch (kind, numbers.count == words.count ? numbers.count : 0) {
        case ("exponential", 1): self = .exponential(meanSeconds: numbers[0])
        case ("fixed", 1): self = .fixed(seconds: numbers[0])
        case ("mixed", 3):
            self = .mixed(
                shortSeconds: numbers[0], longSeconds: numbers[1], longShare: numbers[2])
        default:
            throw SimulatedLoad.Mistake(
                description: "sessions '\(text)': accepted are \(Self.usage)")
        }
    }
}

extension SimulatedLoad.Popularity {
    /// Reads `even` or `harmonic`.
    package init(_ text: String) throws(SimulatedLoad.Mistake) {
        switch text {
        case "even": self = .even
        case "harmonic": self = .harmonic
        default:
            throw SimulatedLoad.Mistake(
                description: "popularity '\(text)': accepted are even and harmonic")
        }
    }
}

extension SimulatedLoad {
    /// Reads the weights of servers: `3,2,1`, or `10x1` for ten servers of weight 1.
    package static func weights(_ text: String) throws(Mistake) -> [Int32] {
        var weights: [Int32] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let words = part.split(separator: "x", maxSplits: 1, omittingEmptySubsequences: false)
            let count = words.count == 2 ? Int(words[0]) : 1
            guard let count, (1...1000).contains(count),
                let weight = words.last.flatMap({ Int32($0) })
            else {
                throw Mistake(
                    description: "weights '\(text)': accepted are numbers like 3,2,1 or 10x1")
            }
            weights += Array(repeating: weight, count: count)
        }
        return weights
    }
}
