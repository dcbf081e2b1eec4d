import Synchronization

/// Tells when memory that was unlinked can be used again: a global epoch, and for each worker the
/// epoch of its last moment without references, a cache line each.
///
/// The housekeeper reads as the worker numbered `workers`, and is asleep unless it looks through a
/// table. Whoever unlinks something takes `advance()` and may use the memory again once `hasPassed` is
/// true for that epoch. A sleeping worker says so and holds nothing back.
@safe
package struct QuiescentState: @unchecked Sendable {
    private static let lineBytes = 64
    private static let asleep = UInt64.max

    private let memory: UnsafeMutableRawPointer
    package let workers: Int

    /// Takes its memory from the heap; `deallocate` gives it back.
    ///
    /// All workers begin asleep.
    package init(workers: Int) {
        self.workers = workers
        let bytes = (workers + 2) * QuiescentState.lineBytes
        unsafe memory = .allocate(byteCount: bytes, alignment: 64)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        unsafe cell(-1).pointee.store(1, ordering: .relaxed)
        for worker in 0...workers {
            unsafe cell(worker).pointee.store(QuiescentState.asleep, ordering: .relaxed)
        }
    }

    package func deallocate() { unsafe memory.deallocate() }

    private func cell(_ worker: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe (memory + (worker + 1) * QuiescentState.lineBytes)
            .assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    /// A sleeping worker begins to read.
    ///
    /// A read-modify-write, so that it is ordered before the worker's following loads as
    /// `hasPassed` is ordered after the unlinking.
    package func wake(_ worker: Int) {
        let epoch = unsafe cell(-1).pointee.load(ordering: .acquiring)
        _ = unsafe cell(worker).pointee.exchange(epoch, ordering: .sequentiallyConsistent)
    }

    /// A worker holds no reference now.
    ///
    /// The load pairs with `advance`: who sees the new epoch sees what was unlinked before it.
    @inline(__always)
    package func pass(_ worker: Int) {
        let epoch = unsafe cell(-1).pointee.load(ordering: .acquiring)
        unsafe cell(worker).pointee.store(epoch, ordering: .releasing)
    }

    /// A worker goes to sleep and holds no reference.
    package func sleep(_ worker: Int) {
        unsafe cell(worker).pointee.store(QuiescentState.asleep, ordering: .releasing)
    }

    /// Begins a new epoch after something was unlinked; what was unlinked is free once
    /// `hasPassed(epoch)`.
    package func advance() -> UInt64 {
        unsafe cell(-1).pointee.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
    }

    /// True when every worker has begun a later burst than `epoch`, or sleeps, and so the housekeeper.
    package func hasPassed(_ epoch: UInt64) -> Bool {
        for worker in 0...workers {
            let seen = unsafe cell(worker).pointee.load(ordering: .sequentiallyConsistent)
            if seen < epoch { return false }
        }
        return true
    }
}
