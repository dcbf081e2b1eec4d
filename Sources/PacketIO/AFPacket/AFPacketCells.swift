internal import Synchronization

/// A counter with one writer thread and any number of readers.
struct CounterCell: ~Copyable {
    private let value = Atomic<UInt64>(0)

    /// Only the writer calls; a plain load and store, since nobody else changes it.
    @inline(__always)
    func raise(by amount: Int) {
        guard amount != 0 else { return }
        let sum = value.load(ordering: .relaxed) &+ UInt64(truncatingIfNeeded: amount)
        value.store(sum, ordering: .relaxed)
    }

    var count: UInt64 { value.load(ordering: .relaxed) }
}

/// What the worker counts and the housekeeper reads.
final class AFPacketCells: Sendable {
    let received = CounterCell()
    let receivedBytes = CounterCell()
    let sent = CounterCell()
    let sentBytes = CounterCell()
    let sendFailed = CounterCell()
    let truncated = CounterCell()
    let ignored = CounterCell()
}

/// The VLAN ids that have an interface of their own on the host, one bit each.
///
/// Safe because the words live as long as the object and are only touched atomically.
@safe
final class HostVLANs: @unchecked Sendable {
    private static let words = 64
    private let bits: UnsafeMutablePointer<Atomic<UInt64>>

    init() {
        unsafe bits = .allocate(capacity: Self.words)
        for word in 0..<Self.words { unsafe (bits + word).initialize(to: Atomic(0)) }
    }

    deinit {
        unsafe bits.deinitialize(count: Self.words)
        unsafe bits.deallocate()
    }

    /// An id beyond 4,095 is contained in nothing.
    @inline(__always)
    func contains(_ id: UInt16) -> Bool {
        guard id < 4096 else { return false }
        return unsafe bits[Int(id) >> 6].load(ordering: .relaxed) >> UInt64(id & 63) & 1 == 1
    }

    /// Makes the set equal to `ids`; a reader may see some words new and some old for a moment.
    func replace(with ids: Set<UInt16>) {
        for word in 0..<Self.words {
            var value: UInt64 = 0
            for id in ids where Int(id) >> 6 == word { value |= 1 << UInt64(id & 63) }
            unsafe bits[word].store(value, ordering: .relaxed)
        }
    }
}
