internal import LVS
internal import Synchronization

/// What a worker counts of its queue and the housekeeper reads.
final class QueueCells: Sendable {
    /// Given back as they came.
    let untouched = CounterCell()
    /// Given back with new contents.
    let rewritten = CounterCell()
    /// Taken out; a packet socket sends them, or what the engine makes of them.
    let sentBySocket = CounterCell()
    /// Dropped.
    let dropped = CounterCell()
    /// Verdicts that the kernel refused.
    let refused = CounterCell()
    /// Packets that came cut or made no sense.
    let truncated = CounterCell()
    /// UDP super-frames that only the kernel could have cut, and that could not be given back.
    let uncuttable = CounterCell()
    /// Why the last verdict was refused; an errno.
    let lastRefusal = Atomic<UInt32>(0)
}

/// What the housekeeper knows of the host and workers go by.
///
/// Each value is atomic and stands for itself; a worker may see one older than the other.
@safe
final class QueueSurroundings: @unchecked Sendable {
    static let mostPorts = 64
    /// Which interface has which number, by port; 0 while it is gone.
    private let interfaces: UnsafeMutablePointer<Atomic<Int32>>
    private let mtus: UnsafeMutablePointer<Atomic<UInt32>>
    private let stations: UnsafeMutablePointer<Atomic<UInt64>>
    /// Whether the host forwards packets of a family: then it can take them back rewritten.
    let forwardsV4 = Atomic<Bool>(false)
    let forwardsV6 = Atomic<Bool>(false)
    /// The rules are those of a director that is no more: until they are this one's, what is not
    /// served goes nowhere.
    let isTakingOver = Atomic<Bool>(false)

    init() {
        unsafe interfaces = .allocate(capacity: Self.mostPorts)
        unsafe mtus = .allocate(capacity: Self.mostPorts)
        unsafe stations = .allocate(capacity: Self.mostPorts)
        for port in 0..<Self.mostPorts {
            unsafe (interfaces + port).initialize(to: Atomic(0))
            unsafe (mtus + port).initialize(to: Atomic(0))
            unsafe (stations + port).initialize(to: Atomic(0))
        }
    }

    deinit {
        unsafe interfaces.deinitialize(count: Self.mostPorts)
        unsafe mtus.deinitialize(count: Self.mostPorts)
        unsafe stations.deinitialize(count: Self.mostPorts)
        unsafe interfaces.deallocate()
        unsafe mtus.deallocate()
        unsafe stations.deallocate()
    }

    /// Notes an interface; a port beyond the last is not served by workers either.
    func set(_ port: PortIndex, interface: Int32? = nil, mtu: UInt32, station: UInt64) {
        guard Int(port) < Self.mostPorts else { return }
        if let interface {
            unsafe interfaces[Int(port)].store(interface, ordering: .relaxed)
        }
        unsafe mtus[Int(port)].store(mtu, ordering: .relaxed)
        unsafe stations[Int(port)].store(station, ordering: .relaxed)
    }

    func interface(of port: PortIndex) -> Int32 {
        guard Int(port) < Self.mostPorts else { return 0 }
        return unsafe interfaces[Int(port)].load(ordering: .relaxed)
    }

    /// MTU of the interface of a port; 0 while none is known.
    @inline(__always)
    func mtu(of port: PortIndex) -> UInt32 {
        guard Int(port) < Self.mostPorts else { return 0 }
        return unsafe mtus[Int(port)].load(ordering: .relaxed)
    }

    /// MAC address of the interface of a port; 0 while none is known.
    @inline(__always)
    func station(of port: PortIndex) -> UInt64 {
        guard Int(port) < Self.mostPorts else { return 0 }
        return unsafe stations[Int(port)].load(ordering: .relaxed)
    }

    /// The port of an interface; nil for one that is not served.
    @inline(__always)
    func port(of interface: Int32) -> PortIndex? {
        guard interface != 0 else { return nil }
        for port in 0..<Self.mostPorts
        where unsafe interfaces[port].load(ordering: .relaxed) == interface {
            return PortIndex(port)
        }
        return nil
    }

    @inline(__always)
    func forwards(isIPv6: Bool) -> Bool {
        isIPv6 ? forwardsV6.load(ordering: .relaxed) : forwardsV4.load(ordering: .relaxed)
    }
}
