internal import LVS

/// Which neighbours the director needs resolved, and how the kernel is made to keep them so.
///
/// Linux 5.16 and later take a neighbour into their care (`NTF_EXT_MANAGED`): resolved at once and
/// probed for ever. Before, `NTF_USE` is repeated by `tick` (packet-io, section 10).
struct NeighbourCare {
    /// Seconds between two `NTF_USE` for a neighbour that is resolved, and for one that is not.
    private static let resolvedSeconds: UInt64 = 20
    private static let unresolvedSeconds: UInt64 = 1

    /// When each wanted neighbour was last asked for.
    private var asked: [KernelNeighbour: Instant] = [:]
    /// Whether the kernel can manage neighbours; nil until one has been tried.
    private var kernelManages: Bool?

    init(kernelManages: Bool?) {
        self.kernelManages = kernelManages
    }

    var wanted: [KernelNeighbour] { Array(asked.keys) }

    mutating func want(_ neighbour: KernelNeighbour, now: Instant, monitor: RouteMonitor) {
        asked[neighbour] = now
        // The kernel would turn an operator's own entry into one that ages.
        guard monitor.neighbourTable[neighbour]?.isPermanent != true else { return }
        if kernelManages != false {
            let accepted = monitor.ask(.managed, for: neighbour)
            // Kernels that do not know the flag pass it over in silence.
            if kernelManages == nil, accepted { kernelManages = monitor.isManaged(neighbour) }
            if accepted, kernelManages == true { return }
        }
        _ = monitor.ask(.use, for: neighbour)
    }

    mutating func release(_ neighbour: KernelNeighbour, monitor: RouteMonitor) {
        guard asked.removeValue(forKey: neighbour) != nil,
            let state = monitor.neighbourTable[neighbour], state.isManaged
        else { return }
        _ = monitor.ask(.release, for: neighbour)
    }

    mutating func forget(interface: Int32) {
        asked = asked.filter { $0.key.interface != interface }
    }

    /// Asks again for what went (a flushed entry) and, where the kernel does not manage neighbours,
    /// for what is due.
    mutating func tick(_ now: Instant, monitor: RouteMonitor) {
        for (neighbour, last) in asked {
            let state = monitor.neighbourTable[neighbour]
            guard state?.isPermanent != true, state?.isManaged != true else { continue }
            let resolved = kernelManages != true && state?.hardware != nil
            let pause = resolved ? Self.resolvedSeconds : Self.unresolvedSeconds
            if now >= last.advanced(bySeconds: pause) {
                want(neighbour, now: now, monitor: monitor)
            }
        }
    }
}
