/// The real servers of one service, newest first, as schedulers walk them.
package struct DestinationList: Sendable {
    private let cells: DestinationCells
    private var numbers: [DestinationIndex] = []

    package init(cells: DestinationCells) { self.cells = cells }

    package var count: Int { numbers.count }

    /// The server at a position, counted from the newest.
    package subscript(position: Int) -> Destination { cells[numbers[position]] }

    /// Where a server stands now; nil when it is not in the list.
    package func position(_ number: DestinationIndex) -> Int? { numbers.firstIndex(of: number) }

    /// The position behind a server; the first one behind no server, or one that is not there.
    func position(after number: DestinationIndex?) -> Int {
        for position in numbers.indices where numbers[position] == number { return position + 1 }
        return 0
    }

    /// A server by its number, whether it is still in the list or not.
    func destination(_ number: DestinationIndex) -> Destination { cells[number] }

    /// Folds the positive weights, newest first.
    func reduceWeights(_ initial: Int64, _ fold: (Int64, Int64) -> Int64) -> Int64 {
        numbers.reduce(initial) { folded, number in
            let weight = Int64(cells[number].weight)
            return weight > 0 ? fold(folded, weight) : folded
        }
    }

    /// Puts a server in front of all others (ipvs-semantics 3.1).
    package mutating func add(_ number: DestinationIndex) { numbers.insert(number, at: 0) }

    /// Takes a server out; returns the position it had.
    package mutating func remove(_ number: DestinationIndex) -> Int? {
        guard let position = numbers.firstIndex(of: number) else { return nil }
        numbers.remove(at: position)
        return position
    }
}

extension Destination {
    /// True when a scheduler may choose it: weight above 0 and not overloaded (ipvs-semantics 2.1).
    var isEligible: Bool { weight > 0 && !isOverloaded }

    /// Load as lc and wlc count it: an active connection weighs as much as 256 inactive ones.
    var overhead: Int64 {
        let counts = counts
        return Int64(counts.active) << 8 + Int64(counts.inactive)
    }
}
