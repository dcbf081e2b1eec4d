import CIntrinsics

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

    /// Shows the loads of a range of positions, one after the other, until `body` returns false.
    @inline(__always)
    func walk(
        _ range: Range<Int>, _ body: (_ position: Int, _ load: ServerLoad) -> Bool
    ) {
        unsafe places.withUnsafeBufferPointer { places in
            var position = max(range.lowerBound, 0)
            let end = min(range.upperBound, places.count)
            while position < end {
                let load = unsafe ServerLoad(cells.load(at: Int(places[position])))
                guard body(position, load) else { return }
                position &+= 1
            }
        }
    }

    /// As above, with all positions.
    @inline(__always)
    func walk(_ body: (_ position: Int, _ load: ServerLoad) -> Bool) { walk(0..<count, body) }

    /// The first server from a position on that may answer a question about its load and weight; the
    /// number of servers when there is none.
    ///
    /// A filter: who asks compares again, exactly.
    @inline(__always)
    func next(
        _ question: lvs_question, from position: Int, load: Int64 = 0, weight: Int64 = 0
    ) -> Int {
        unsafe places.withUnsafeBufferPointer { places in
            guard let base = places.baseAddress else { return 0 }
            return unsafe lvs_next_server(
                cells.load(at: 0), base, position, places.count, UInt32(clamping: load),
                UInt32(clamping: weight), question)
        }
    }

    /// Sum of the weights of the servers that can be chosen, in a range of positions.
    @inline(__always)
    func sumWeights(_ range: Range<Int>) -> Int64 {
        unsafe places.withUnsafeBufferPointer { places in
            guard let base = places.baseAddress else { return 0 }
            return unsafe Int64(
                lvs_sum_weights(
                    cells.load(at: 0), base, range.lowerBound, min(range.upperBound, places.count)))
        }
    }

    /// What schedulers compare of the server at a position.
    @inline(__always)
    func load(_ position: Int) -> ServerLoad { self[position].current }

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
