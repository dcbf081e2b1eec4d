import Synchronization

/// The one atomic pointer by which workers reach the current service table.
///
/// A worker reads it once per burst and forgets it at the burst's end; the housekeeper frees a
/// replaced table only after every worker has begun a later burst or sleeps.
@safe
package struct PublishedServices: @unchecked Sendable {
    private let word: UnsafeMutablePointer<Atomic<UnsafeMutableRawPointer>>

    init(_ table: ServiceTable) {
        unsafe word = .allocate(capacity: 1)
        unsafe word.initialize(to: Atomic(UnsafeMutableRawPointer(table.header)))
    }

    func deallocate() { unsafe word.deallocate() }

    /// The table as it is now; pairs with the release in `publish`.
    package var current: ServiceTable {
        let header = unsafe word.pointee.load(ordering: .acquiring)
        return unsafe ServiceTable(
            header: header.assumingMemoryBound(to: ServiceTable.Header.self))
    }

    /// Makes a table the current one; what its building wrote is visible to whoever loads it.
    func publish(_ table: ServiceTable) {
        unsafe word.pointee.store(
            UnsafeMutableRawPointer(table.header), ordering: .releasing)
    }
}
