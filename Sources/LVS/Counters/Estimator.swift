/// Rates of one counted thing, estimated every two seconds in the kernel's integers
/// (ipvs-semantics 8.2).
struct Estimator {
    /// Nanoseconds between two steps.
    static let periodNanoseconds: UInt64 = 2_000_000_000

    /// What was counted when the last period ended.
    private(set) var last = CounterValues()
    /// Scaled by 2^10.
    private var connections: Int64 = 0
    private var inPackets: Int64 = 0
    private var outPackets: Int64 = 0
    /// Scaled by 2^5.
    private var inBytes: Int64 = 0
    private var outBytes: Int64 = 0

    /// Begins at what is counted already, so that the past gives no rate.
    init(from counters: CounterValues) { last = counters }

    /// Takes the counters at the end of a period into the estimates.
    mutating func step(_ now: CounterValues) {
        let grown = now - last
        last = now
        Self.move(&connections, towards: grown.connections, shift: 9)
        Self.move(&inPackets, towards: grown.inPackets, shift: 9)
        Self.move(&outPackets, towards: grown.outPackets, shift: 9)
        Self.move(&inBytes, towards: grown.inBytes, shift: 4)
        Self.move(&outBytes, towards: grown.outBytes, shift: 4)
    }

    /// Forgets the rates; what was counted since the last step still enters the next one.
    mutating func zero() { self = Estimator(from: last) }

    /// Writes the rates into what a listing shows.
    func fill(_ statistics: inout Statistics) {
        statistics.connectionsPerSecond = UInt64((connections + 511) >> 10)
        statistics.inPacketsPerSecond = UInt64((inPackets + 511) >> 10)
        statistics.outPacketsPerSecond = UInt64((outPackets + 511) >> 10)
        statistics.inBytesPerSecond = UInt64((inBytes + 15) >> 5)
        statistics.outBytesPerSecond = UInt64((outBytes + 15) >> 5)
    }

    /// One step of the moving average; growth beyond what a period can hold is cut, not trapped.
    private static func move(_ estimate: inout Int64, towards grown: UInt64, shift: Int64) {
        let rate = Int64(min(grown, 1 << 48)) << shift
        estimate += (rate - estimate) >> 2
    }
}
