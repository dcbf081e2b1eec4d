package import Posix

/// Finds the CPUs that a worker should keep off: those on which receiving leaves threads no time.
///
/// Where a card's interrupt or receive steering (RPS) brings all frames to one CPU, receiving has its
/// time first, and a worker there starves the more frames come, while its ring overflows: it does
/// nothing but lose what the CPU received (packet-io, section 2). On another CPU it has time again.
/// Frames lost are the sign that it matters; without them nothing is changed.
package struct CrowdedProcessors: Sendable {
    /// The share of its time from which on a CPU counts as crowded, and up to which one is worth
    /// going to.
    static let crowded = 0.6
    static let bearable = 0.4
    /// How long a CPU must have been bearable before the worker may go back.
    static let secondsToReturn = 30

    private let allowed: [Int]
    private var last: [Int: ProcessorTimes] = [:]
    private var calmSeconds = 0
    /// The CPUs that are kept off.
    package private(set) var avoided: [Int] = []
    /// The CPUs that were crowded while frames were lost, a second ago, and their share in percent.
    package private(set) var found: [(cpu: Int, percent: Int)] = []

    /// `allowed` are the CPUs that the process may run on.
    package init(allowed: [Int]) { self.allowed = allowed }

    /// Looks at what the CPUs did since the last look, a second ago; returns the CPUs that a worker
    /// shall run on from now on, or nil when nothing is to be changed.
    package mutating func look(_ times: [Int: ProcessorTimes], isLosing: Bool) -> [Int]? {
        let shares = shares(times)
        last = times
        let crowded = allowed.filter { shares[$0, default: 0] >= Self.crowded }
        found = isLosing ? crowded.map { ($0, Int(shares[$0, default: 0] * 100)) } : []
        if isLosing, !crowded.isEmpty {
            calmSeconds = 0
            let better = allowed.filter { shares[$0, default: 1] <= Self.bearable }
            guard crowded.contains(where: { !avoided.contains($0) }), !better.isEmpty else {
                return nil
            }
            avoided = allowed.filter { !better.contains($0) }
            return better
        }
        guard !avoided.isEmpty else { return nil }
        let isCalm = avoided.allSatisfy { shares[$0, default: 0] <= Self.bearable }
        calmSeconds = isCalm ? calmSeconds + 1 : 0
        guard calmSeconds >= Self.secondsToReturn else { return nil }
        avoided = []
        calmSeconds = 0
        return allowed
    }

    private func shares(_ times: [Int: ProcessorTimes]) -> [Int: Double] {
        var shares: [Int: Double] = [:]
        for (cpu, now) in times {
            guard let before = last[cpu], now.all > before.all,
                now.softInterrupts >= before.softInterrupts
            else { continue }
            shares[cpu] =
                Double(now.softInterrupts - before.softInterrupts) / Double(now.all - before.all)
        }
        return shares
    }
}
