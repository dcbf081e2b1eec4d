/// Gives out the stable numbers of destinations, the lowest free one first.
struct DestinationNumbers {
    /// Numbers below this have been given out at least once.
    private var next = 0
    /// Numbers that came back, in descending order of return.
    private var free: [DestinationIndex] = []

    /// How many numbers are out.
    var taken: Int { next - free.count }

    /// A number nobody else has; nil when all are taken.
    mutating func take() -> DestinationIndex? {
        if let number = free.popLast() { return number }
        guard next < DestinationCells.capacity else { return nil }
        next += 1
        return DestinationIndex(next - 1)
    }

    /// Takes a number back; the caller has seen that nothing refers to it.
    mutating func giveBack(_ number: DestinationIndex) { free.append(number) }

    /// Takes these numbers out, in ascending order, before any other was given out.
    mutating func reserve(_ numbers: [DestinationIndex]) {
        precondition(next == 0, "numbers are reserved before the first is given out")
        guard let last = numbers.last else { return }
        next = Int(last) + 1
        let reserved = Set(numbers)
        free = (0..<last).reversed().filter { !reserved.contains($0) }
    }
}
