/// The real servers of one service, newest first, as schedulers walk them.
package struct DestinationList: Sendable {
    private let cells: DestinationCells
    private var numbers: [DestinationIndex] = []
    /// Where the loads of the servers stand, in the same order.
    private var places: [UInt32] = []

    package init(cells: DestinationCells) { self.cells = cells }

    package var count: Int { numbers.count }

    /// The server at a position, counted from the newest.
    package subscript(position: Int) -> Destination { cells[numbers[position]] }

    /// Where a server stands now; nil when it is not in the list.
    package func position(_ number: DestinationIndex) -> Int? { numbers.firstIndex(of: number) }

    /// The number of the server at a position.
    func number(_ position: Int) -> DestinationIndex { numbers[position] }

    /// The position behind a server; the first one behind no server, or one that is not there.
    ///
    /// It is looked for at `guess` first.
    func position(after number: DestinationIndex?, guess: Int) -> Int {
        guard let number else { return 0 }
        if numbers.indices.contains(guess), numbers[guess] == number { return guess + 1 }
        return position(number).map { $0 + 1 } ?? 0
    }

    /// Shows the loads from a position on, one after the other, until `body` returns false.
    @inline(__always)
    func walk(from start: Int = 0, _ body: (_ position: Int, _ load: ServerLoad) -> Bool) {
        unsafe places.withUnsafeBufferPointer { places in
            var position = start
            while position < places.count {
                let load = unsafe ServerLoad(cells.load(at: Int(places[position])))
                guard body(position, load) else { return }
                position &+= 1
            }
        }
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
    package mutating func add(_ number: DestinationIndex) {
        numbers.insert(number, at: 0)
        places.insert(UInt32(DestinationCells.place(number)), at: 0)
    }

    /// Takes a server out; returns the position it had.
    package mutating func remove(_ number: DestinationIndex) -> Int? {
        guard let position = numbers.firstIndex(of: number) else { return nil }
        numbers.remove(at: position)
        places.remove(at: position)
        return position
    }
}

extension Destination {
    /// True when a scheduler may choose it (ipvs-semantics 2.1).
    var isEligible: Bool { current.isEligible }
}
