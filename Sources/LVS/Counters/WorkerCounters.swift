import Synchronization

/// What one worker has counted for every destination: one cache line each, which only that worker
/// writes and the housekeeper sums.
///
/// Services and the total are sums over destinations, so a packet touches one line only.
@safe
package struct WorkerCounters: @unchecked Sendable {
    /// Running numbers of one destination; never reset, zeroing moves a zero point instead.
    struct Cell: ~Copyable {
        let connections = Atomic<UInt64>(0)
        let inPackets = Atomic<UInt64>(0)
        let outPackets = Atomic<UInt64>(0)
        let inBytes = Atomic<UInt64>(0)
        let outBytes = Atomic<UInt64>(0)
    }

    private static let cellBytes = 64

    private let memory: UnsafeMutableRawPointer

    /// Takes the memory from the heap; `deallocate` gives it back.
    ///
    /// The number that means "no destination" has a line too, which nobody reads.
    package init() {
        unsafe memory = .allocate(
            byteCount: (DestinationCells.capacity + 1) * WorkerCounters.cellBytes, alignment: 64)
        start(Destination.none)
    }

    func deallocate() { unsafe memory.deallocate() }

    private func cell(_ number: DestinationIndex) -> UnsafeMutablePointer<Cell> {
        unsafe (memory + Int(number) * WorkerCounters.cellBytes)
            .assumingMemoryBound(to: Cell.self)
    }

    /// Prepares the line of a number that is about to be given out (housekeeper).
    func start(_ number: DestinationIndex) {
        unsafe cell(number).initialize(to: Cell())
    }

    /// Counts a packet, from the client (side 0) or from the real server (side 1), without a branch
    /// on which; `packets` is 1, or 0 to count nothing.
    @inline(__always)
    func count(_ number: DestinationIndex, side: Int, packets: UInt64, bytes: UInt64) {
        let cell = unsafe (memory + Int(number) &* WorkerCounters.cellBytes)
            .assumingMemoryBound(to: Atomic<UInt64>.self)
        // Word 0 counts connections; packets in and out and bytes in and out follow.
        unsafe Self.add(packets, to: cell[1 &+ side])
        unsafe Self.add(packets &* bytes, to: cell[3 &+ side])
    }

    /// Counts a packet from the real server; `bytes` is the length of its IP packet.
    package func countOut(_ number: DestinationIndex, packets: UInt64 = 1, bytes: UInt64) {
        let cell = unsafe cell(number)
        unsafe Self.add(packets, to: cell.pointee.outPackets)
        unsafe Self.add(bytes, to: cell.pointee.outBytes)
    }

    /// Counts a scheduled connection.
    package func countConnection(_ number: DestinationIndex) {
        unsafe Self.add(1, to: cell(number).pointee.connections)
    }

    /// What this worker has counted for a destination.
    func read(_ number: DestinationIndex) -> CounterValues {
        let cell = unsafe cell(number)
        return unsafe CounterValues(
            connections: cell.pointee.connections.load(ordering: .relaxed),
            inPackets: cell.pointee.inPackets.load(ordering: .relaxed),
            outPackets: cell.pointee.outPackets.load(ordering: .relaxed),
            inBytes: cell.pointee.inBytes.load(ordering: .relaxed),
            outBytes: cell.pointee.outBytes.load(ordering: .relaxed))
    }

    /// A plain load and store: this worker is the only writer.
    private static func add(_ amount: UInt64, to word: borrowing Atomic<UInt64>) {
        word.store(word.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }
}
