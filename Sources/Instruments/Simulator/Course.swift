/// When what happens in a run: four parts, all times nanoseconds from its beginning.
///
/// ```
/// made up    |  1  |  2  |     3     |     4     |
/// captured   |     1     |     2     |     3     |     4     |
///              as it is    one server  and without
///                          more        the first
/// ```
/// A made-up load has halves of the first part where a captured one is played twice.
struct Course {
    /// How often a capture is played.
    static let plays = 4
    /// Most moments at which a curve is known.
    static let mostPoints: Int64 = 160

    /// The ends of the parts.
    let ends: [Int64]
    /// Shares and imbalance are those up to here, and the parts that end by then.
    let measuredEnd: Int64
    let measuredParts: UInt8

    init(_ load: SimulatedLoad) {
        if let captured = load.captured {
            ends = (1...Int64(Self.plays)).map { $0 * captured.period }
            measuredEnd = captured.period
            measuredParts = 1
        } else {
            let length = Int64(load.seconds * 1e9)
            ends = [length / 2, length, length * 2, length * 3]
            measuredEnd = length
            measuredParts = 2
        }
    }

    var end: Int64 { ends[3] }
    /// When the servers change.
    var changes: (added: Int64, removed: Int64) { (ends[1], ends[2]) }
    /// Imbalance is looked at from here on, when what came first has had time to end.
    var settled: Int64 { measuredEnd / 5 }
    /// Time between two looks at the imbalance.
    var sampling: Int64 { min(1_000_000_000, max(1, measuredEnd / 20)) }
    /// Time between two points of a curve.
    var drawing: Int64 { max(1, end / Self.mostPoints) }
}
