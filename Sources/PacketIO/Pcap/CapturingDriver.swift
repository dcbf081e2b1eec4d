internal import LVS
internal import Posix

/// A driver around another one, which shows a capture every frame once: as it came, and as it is
/// handed over to be sent.
///
/// Sums that are left to the kernel or to the driver are shown undone, as tcpdump shows them. Threads
/// use it as they use the driver inside, which is one object with two names here: hence unchecked.
final class CapturingDriver: InterfaceDriver, SettlingDriver, @unchecked Sendable {
    private let inner: any InterfaceDriver
    private let settling: (any SettlingDriver)?
    /// Kept as long as somebody has frames for it.
    private let file: CaptureFile
    private let lane: CaptureLane

    init(_ inner: any InterfaceDriver, _ file: CaptureFile, lane: CaptureLane) {
        self.inner = inner
        settling = inner as? any SettlingDriver
        self.file = file
        self.lane = lane
    }

    func receive(into burst: inout Burst) -> Int {
        let first = burst.count
        let came = inner.receive(into: &burst)
        guard came > 0, lane.isOpen else { return came }
        let now = MonotonicClock.now()
        for index in first..<burst.count { lane.add(burst[index], now) }
        return came
    }

    func settle(_ burst: inout Burst) {
        guard let settling else { return }
        var leaving: UInt64 = 0
        for index in 0..<burst.count where burst[index].verdict.kind == .send {
            leaving |= 1 << UInt64(index)
        }
        settling.settle(&burst)
        guard leaving != 0, lane.isOpen else { return }
        // What leaves with the answer to the kernel is enqueued by nobody.
        let now = MonotonicClock.now()
        for index in 0..<burst.count
        where leaving >> UInt64(index) & 1 == 1 && burst[index].verdict.kind != .send {
            lane.add(burst[index], now)
        }
    }

    func enqueue(_ frame: Frame) {
        if lane.isOpen { lane.add(frame, MonotonicClock.now()) }
        inner.enqueue(frame)
    }

    func enqueue(sendsOf burst: borrowing Burst) {
        if lane.isOpen {
            let now = MonotonicClock.now()
            forEachSend(of: burst, on: port) { frame in lane.add(frame, now) }
        }
        inner.enqueue(sendsOf: burst)
    }

    var port: PortIndex { inner.port }
    func flush() { inner.flush() }
    func release() { inner.release() }
    var descriptor: Int32? { inner.descriptor }
    func descriptorFailed() { inner.descriptorFailed() }
    var statistics: DriverStatistics { inner.statistics }
    var name: String { inner.name }
    var summary: String { inner.summary }
    var isDetached: Bool { inner.isDetached }
    var keepsFromHost: Bool { inner.keepsFromHost }
    func refresh() throws(DriverError) -> Bool { try inner.refresh() }
    func follow(_ port: Port) { inner.follow(port) }
    func takeAdvice() -> String? { inner.takeAdvice() }
    func setHostVLANs(_ ids: Set<UInt16>) { inner.setHostVLANs(ids) }
}
