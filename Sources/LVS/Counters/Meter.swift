/// A zero point and a rate estimate over running counters that somebody else keeps.
struct Meter {
    private var zeroPoint = CounterValues()
    private var estimator: Estimator
    /// The counters shown while statistics stand still; nil for what came since, which shows nothing.
    private var frozen: CounterValues?

    /// Shows nothing at first: what is counted already lies below the zero point.
    init(from counters: CounterValues) {
        zeroPoint = counters
        estimator = Estimator(from: counters)
    }

    /// Takes the running counters at the end of an estimation period.
    mutating func step(_ counters: CounterValues) { estimator.step(counters) }

    /// Makes the present values the zero point and the rates 0 (ipvs-semantics 8.1).
    mutating func zero(at counters: CounterValues, isFrozen: Bool) {
        zeroPoint = isFrozen ? frozen ?? zeroPoint : counters
        estimator.zero()
    }

    /// Makes what was counted at the last estimate the zero point: a server that comes back to a new
    /// service of the same key.
    mutating func restart() {
        zeroPoint = frozen ?? estimator.last
        estimator.zero()
    }

    /// Holds what is shown at these counters, until told otherwise (nil).
    mutating func freeze(at counters: CounterValues?) { frozen = counters }

    /// What a listing shows.
    func statistics(_ counters: CounterValues, isFrozen: Bool) -> Statistics {
        var statistics = Statistics()
        statistics.counters = (isFrozen ? frozen ?? zeroPoint : counters) - zeroPoint
        estimator.fill(&statistics)
        return statistics
    }
}
