import Synchronization

/// The pools of local ports, one for each local address, real server's address and transport.
///
/// Services that share a local address and a server share the pool, whatever the server's port: a
/// reply that says the same of two connections must not exist. The housekeeper makes pools, workers
/// find them without a lock; a pool stays for as long as the director lives, since connections may
/// come back to it.
@safe
package struct LocalPorts: @unchecked Sendable {
    /// What a pool is for.
    package struct Key: Hashable, Sendable {
        package var local: IPAddress
        package var real: IPAddress
        package var transport: TransportProtocol

        package init(local: IPAddress, real: IPAddress, transport: TransportProtocol) {
            self.local = local
            self.real = real
            self.transport = transport
        }

        var hash: UInt64 {
            var mixed = local.high ^ UInt64(transport.rawValue)
            for word in [local.low, real.high, real.low] {
                let product = (mixed ^ word).multipliedFullWidth(by: 0x9e37_79b9_7f4a_7c15)
                mixed = product.high ^ product.low
            }
            return mixed
        }
    }

    /// Most pools of one director.
    package static let mostPools = 8192
    /// Twice as many, so that a search is short and always ends at a free place.
    private static let places = 2 * mostPools

    /// One place of the index, 64 bytes; the pool is 0 while it is free, and written last.
    private struct Place: ~Copyable {
        let pool = Atomic<UInt>(0)
        var localHigh: UInt64 = 0
        var localLow: UInt64 = 0
        var realHigh: UInt64 = 0
        var realLow: UInt64 = 0
        var transport: UInt8 = 0
    }

    private let index: UnsafeMutablePointer<Place>
    private let count: UnsafeMutablePointer<Atomic<Int>>

    /// An index without pools; `deallocate` frees it and its pools.
    package init() {
        unsafe index = .allocate(capacity: LocalPorts.places)
        for number in 0..<LocalPorts.places { unsafe (index + number).initialize(to: Place()) }
        unsafe count = .allocate(capacity: 1)
        unsafe count.initialize(to: Atomic(0))
    }

    package func deallocate() {
        for number in 0..<LocalPorts.places {
            let address = unsafe index[number].pool.load(ordering: .relaxed)
            unsafe UnsafeMutableRawPointer(bitPattern: address)?.deallocate()
        }
        unsafe index.deinitialize(count: LocalPorts.places)
        unsafe index.deallocate()
        unsafe count.deallocate()
    }

    /// The place of a key, or the free place where it belongs.
    private func place(_ key: Key) -> UnsafeMutablePointer<Place> {
        var number = Int(truncatingIfNeeded: key.hash >> 40)
        while true {
            number &= LocalPorts.places &- 1
            let place = unsafe index + number
            guard unsafe place.pointee.pool.load(ordering: .acquiring) != 0 else {
                return unsafe place
            }
            if unsafe place.pointee.localLow == key.local.low
                && place.pointee.realLow == key.real.low
                && place.pointee.transport == key.transport.rawValue
                && place.pointee.localHigh == key.local.high
                && place.pointee.realHigh == key.real.high
            {
                return unsafe place
            }
            number &+= 1
        }
    }

    /// The pool of a key; nil when there is none (worker).
    package func pool(_ key: Key) -> PortPool? {
        let address = unsafe place(key).pointee.pool.load(ordering: .acquiring)
        guard let memory = unsafe UnsafeMutableRawPointer(bitPattern: address) else { return nil }
        return unsafe PortPool(memory: memory)
    }

    /// Gives the port of an ended connection back, which rests long where the server may not know of
    /// the end; only for the one who ended it.
    package func giveBack(_ connection: Connection) {
        let local = connection.local
        let key = Key(
            local: local.address, real: connection.real, transport: connection.transport)
        let wasReset = connection.control.wasResetWhileClosing
        pool(key)?.giveBack(local.port, rest: wasReset ? .long : .short)
    }

    /// Gives the port back of a connection that was not made.
    package func giveBackUnused(_ spec: ConnectionSpec) {
        guard let local = spec.local, local.port != 0 else { return }
        giveBackUnused(local, to: spec.real, spec.transport)
    }

    /// Gives a port back that was taken towards a server, and that no packet has shown to anybody.
    func giveBackUnused(
        _ local: LocalEndpoint, to real: IPAddress, _ transport: TransportProtocol
    ) {
        pool(Key(local: local.address, real: real, transport: transport))?
            .giveBackUnused(local.port)
    }

    // MARK: Housekeeper

    /// How many pools can still be made.
    package var room: Int {
        unsafe LocalPorts.mostPools - count.pointee.load(ordering: .relaxed)
    }

    /// Makes the pool of a key unless there is one; false when there are too many.
    package func add(_ key: Key) -> Bool {
        let place = unsafe place(key)
        guard unsafe place.pointee.pool.load(ordering: .relaxed) == 0 else { return true }
        guard unsafe count.pointee.load(ordering: .relaxed) < LocalPorts.mostPools else {
            return false
        }
        unsafe place.pointee.localHigh = key.local.high
        unsafe place.pointee.localLow = key.local.low
        unsafe place.pointee.realHigh = key.real.high
        unsafe place.pointee.realLow = key.real.low
        unsafe place.pointee.transport = key.transport.rawValue
        let memory = UnsafeMutableRawPointer.allocate(
            byteCount: PortPool.bytes, alignment: 64)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: PortPool.bytes)
        unsafe place.pointee.pool.store(UInt(bitPattern: memory), ordering: .releasing)
        unsafe count.pointee.wrappingAdd(1, ordering: .relaxed)
        return true
    }

    /// Makes the pool of a key with the ports that another director's pool has left; nothing where that
    /// has none.
    func copy(_ key: Key, of other: LocalPorts) {
        guard let old = other.pool(key), pool(key) == nil, add(key) else { return }
        pool(key)?.take(all: old)
    }

    /// Ends the rest of ports given back a period ago, in all pools.
    package func turn(_ rest: PortPool.Rest) {
        unsafe forEachPool { _, pool in pool.turn(rest) }
    }

    /// Ports of each of these local addresses that are in use or rest.
    package func takenCounts(of locals: [IPAddress]) -> [IPAddress: Int] {
        var counts = Dictionary(locals.map { ($0, 0) }, uniquingKeysWith: +)
        unsafe forEachPool { place, pool in
            let local = unsafe IPAddress(
                high: place.pointee.localHigh, low: place.pointee.localLow)
            if let count = counts[local] { counts[local] = count + pool.takenCount }
        }
        return counts
    }

    private func forEachPool(_ body: (UnsafeMutablePointer<Place>, PortPool) -> Void) {
        // Without FULLNAT nobody walks through a megabyte of free places each second.
        guard unsafe count.pointee.load(ordering: .relaxed) != 0 else { return }
        for number in 0..<LocalPorts.places {
            let place = unsafe index + number
            let address = unsafe place.pointee.pool.load(ordering: .acquiring)
            guard let memory = unsafe UnsafeMutableRawPointer(bitPattern: address) else { continue }
            unsafe body(place, PortPool(memory: memory))
        }
    }
}
