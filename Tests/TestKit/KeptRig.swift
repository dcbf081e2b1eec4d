package import LVS

/// A director whose table outlasts it, as after a kill: the next one gets a copy of its memory.
@safe
package final class KeptRig {
    package static let home = TableHome(boot: 5, bootToo: 6, network: 7)

    package let director: Director
    package let configuration: Director.Configuration
    package let now: Instant
    private let memory: UnsafeMutableRawPointer
    private let bytes: Int

    /// A director in memory of its own.
    package init(
        connections: Int = 256, workers: Int = 1, seed: UInt64 = 1,
        now: Instant = Instant(nanoseconds: 3_600_000_000_000)
    ) {
        configuration = Director.Configuration(
            connections: connections, workers: workers, seed: seed)
        bytes = Director.keptTableBytes(configuration)
        unsafe memory = .allocate(byteCount: bytes, alignment: 4096)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        self.now = now
        director = unsafe Director(
            configuration,
            tableMemory: TableMemory(kept: memory, count: bytes, home: KeptRig.home), now: now)
    }

    /// The director that finds what another left, after `change` was made to it.
    package init(
        after other: KeptRig, workers: Int? = nil, connections: Int? = nil,
        home: TableHome = KeptRig.home, now: Instant? = nil, parts: Int = 1,
        change: (inout [UInt8]) -> Void = { _ in }
    ) throws(TableRefusal) {
        configuration = Director.Configuration(
            connections: connections ?? other.configuration.connections,
            workers: workers ?? other.configuration.workers, seed: 99)
        bytes = max(other.bytes, Director.keptTableBytes(configuration))
        unsafe memory = .allocate(byteCount: bytes, alignment: 4096)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
        var contents = other.contents
        change(&contents)
        unsafe memory.copyMemory(from: contents, byteCount: other.bytes)
        self.now = now ?? other.now
        let kept = unsafe TableMemory(kept: memory, count: bytes, home: home)
        let adoption: TableAdoption
        do throws(TableRefusal) {
            adoption = try TableAdoption(
                kept, connections: configuration.connections, workers: configuration.workers,
                now: self.now, parts: parts)
        } catch {
            unsafe memory.deallocate()
            throw error
        }
        adoption.run()
        director = Director(
            configuration, tableMemory: kept, now: self.now, adopting: adoption)
    }

    deinit { unsafe memory.deallocate() }

    /// All of the memory.
    package var contents: [UInt8] {
        unsafe Array(UnsafeRawBufferPointer(start: memory, count: bytes))
    }
}
