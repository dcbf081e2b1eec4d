import Synchronization

/// Stable number of a destination: it survives edits, deletion and revival of its server.
package typealias DestinationIndex = UInt16

/// A real server as workers see it: a view of two fixed cache lines that never move.
///
/// ```
/// +0   face: availability, next hop, weight, thresholds, method, address (read per packet)
/// +64  load: connection counts and the overload flag (written per connection)
/// ```
/// The face is written by the housekeeper only. Counts are shared words moved by whoever won a
/// connection's state change (architecture, section 6).
@safe
package struct Destination: @unchecked Sendable {
    /// Bytes of one destination in memory.
    static let bytes = 128
    /// The number that means "no destination".
    package static let none: DestinationIndex = .max

    /// What packets read; see `Destination`.
    struct Face: ~Copyable {
        let available = Atomic<UInt32>(0)
        let nextHop = Atomic<UInt16>(NextHopTable.noRoute)
        let weight = Atomic<Int32>(0)
        let lastWeight = Atomic<Int32>(0)
        let upperThreshold = Atomic<UInt32>(0)
        let lowerThreshold = Atomic<UInt32>(0)
        let method = Atomic<UInt8>(0)
        let encapsulation = Atomic<UInt32>(0)
        let port: UInt16
        let number: DestinationIndex
        let address: IPAddress
    }

    /// What connections write; see `Destination`.
    struct Load: ~Copyable {
        /// Active connections << 32 | inactive connections, so that both move in one step.
        let connections = Atomic<UInt64>(0)
        let persistent = Atomic<UInt32>(0)
        let overloaded = Atomic<UInt32>(0)
    }

    private let face: UnsafeMutablePointer<Face>
    private let load: UnsafeMutablePointer<Load>

    init(memory: UnsafeMutableRawPointer) {
        unsafe face = memory.assumingMemoryBound(to: Face.self)
        unsafe load = (memory + 64).assumingMemoryBound(to: Load.self)
    }

    /// Prepares the memory for a server; the housekeeper, before anyone else knows the number.
    package func start(number: DestinationIndex, address: IPAddress, port: UInt16) {
        unsafe face.initialize(to: Face(port: port, number: number, address: address))
        unsafe load.initialize(to: Load())
    }

    package var number: DestinationIndex { unsafe face.pointee.number }
    package var address: IPAddress { unsafe face.pointee.address }
    /// Host order; 0 keeps the packet's port.
    package var port: UInt16 { unsafe face.pointee.port }
    /// How new connections reach the server; existing ones keep what they were made with.
    package var method: ForwardingMethod {
        unsafe ForwardingMethod(rawValue: face.pointee.method.load(ordering: .relaxed))
            ?? .masquerading
    }
    /// How packets in the server's tunnel are wrapped, those of existing connections too.
    var encapsulation: Encapsulation {
        unsafe Encapsulation(word: face.pointee.encapsulation.load(ordering: .relaxed))
    }
    /// False once the server was deleted: its connections are then dropped (ipvs-semantics 0.2).
    package var isAvailable: Bool { unsafe face.pointee.available.load(ordering: .relaxed) != 0 }
    package var weight: Int32 { unsafe face.pointee.weight.load(ordering: .relaxed) }
    /// The last weight that was not 0; 0 when there was none.
    package var lastWeight: Int32 { unsafe face.pointee.lastWeight.load(ordering: .relaxed) }
    /// Slot of the next hop towards the server in the next hop table.
    package var nextHop: NextHopIndex { unsafe face.pointee.nextHop.load(ordering: .relaxed) }
    package var upperThreshold: UInt32 {
        unsafe face.pointee.upperThreshold.load(ordering: .relaxed)
    }
    package var lowerThreshold: UInt32 {
        unsafe face.pointee.lowerThreshold.load(ordering: .relaxed)
    }

    /// Connections in an active state (ipvs-semantics 4.4).
    package var active: UInt32 {
        UInt32(truncatingIfNeeded: unsafe load.pointee.connections.load(ordering: .relaxed) >> 32)
    }
    package var inactive: UInt32 {
        UInt32(truncatingIfNeeded: unsafe load.pointee.connections.load(ordering: .relaxed))
    }
    /// Active and inactive connections, read in one step.
    var counts: (active: UInt32, inactive: UInt32) {
        let word = unsafe load.pointee.connections.load(ordering: .relaxed)
        return (UInt32(truncatingIfNeeded: word >> 32), UInt32(truncatingIfNeeded: word))
    }
    /// Persistence templates that point here.
    package var persistent: UInt32 { unsafe load.pointee.persistent.load(ordering: .relaxed) }
    package var isOverloaded: Bool {
        unsafe load.pointee.overloaded.load(ordering: .relaxed) != 0
    }
    /// True while connections or templates refer to the server.
    var isReferenced: Bool {
        let word = unsafe load.pointee.connections.load(ordering: .acquiring)
        return word != 0 || persistent != 0
    }

    // MARK: Housekeeper

    package func setAvailable(_ value: Bool) {
        unsafe face.pointee.available.store(value ? 1 : 0, ordering: .releasing)
    }

    func setNextHop(_ slot: NextHopIndex) {
        unsafe face.pointee.nextHop.store(slot, ordering: .releasing)
    }

    /// Takes over what an operator may edit (ipvs-semantics 3.2); the overload flag falls when the
    /// new upper threshold is 0 or higher than the old one (section 7).
    package func configure(_ server: RealServer) {
        let old = upperThreshold
        unsafe face.pointee.weight.store(server.weight, ordering: .relaxed)
        if server.weight != 0 {
            unsafe face.pointee.lastWeight.store(server.weight, ordering: .relaxed)
        }
        unsafe face.pointee.method.store(server.method.rawValue, ordering: .relaxed)
        unsafe face.pointee.encapsulation.store(
            Encapsulation(server.tunnel).word, ordering: .relaxed)
        unsafe face.pointee.upperThreshold.store(server.upperThreshold, ordering: .relaxed)
        unsafe face.pointee.lowerThreshold.store(server.lowerThreshold, ordering: .relaxed)
        if server.upperThreshold == 0 || server.upperThreshold > old {
            unsafe load.pointee.overloaded.store(0, ordering: .relaxed)
        }
    }

    // MARK: Connections

    /// Counts a new connection, which begins as an inactive one.
    package func bind() {
        let word = unsafe load.pointee.connections.wrappingAdd(1, ordering: .relaxed).newValue
        flagOverload(word)
    }

    /// Takes a destroyed connection off the counts.
    package func unbind(active: Bool) {
        let one: UInt64 = active ? 1 << 32 : 1
        let word = unsafe load.pointee.connections.wrappingSubtract(one, ordering: .releasing)
            .newValue
        clearOverload(word)
    }

    /// Moves a connection from the inactive count to the active one.
    package func becameActive() {
        unsafe load.pointee.connections.wrappingAdd((1 << 32) - 1, ordering: .relaxed)
    }

    /// Moves a connection from the active count to the inactive one.
    package func becameInactive() {
        unsafe load.pointee.connections.wrappingSubtract((1 << 32) - 1, ordering: .relaxed)
    }

    /// Counts a new persistence template.
    package func bindTemplate() {
        unsafe load.pointee.persistent.wrappingAdd(1, ordering: .relaxed)
        flagOverload(unsafe load.pointee.connections.load(ordering: .relaxed))
    }

    package func unbindTemplate() {
        unsafe load.pointee.persistent.wrappingSubtract(1, ordering: .releasing)
        clearOverload(unsafe load.pointee.connections.load(ordering: .relaxed))
    }

    /// Overload begins when a bind reaches the upper threshold (ipvs-semantics 7).
    private func flagOverload(_ word: UInt64) {
        let upper = upperThreshold
        if upper != 0, Destination.total(word) >= UInt64(upper) {
            unsafe load.pointee.overloaded.store(1, ordering: .relaxed)
        }
    }

    /// Overload ends when an unbind passes below the lower threshold, or below three quarters of
    /// the upper one where there is no lower (ipvs-semantics 7).
    private func clearOverload(_ word: UInt64) {
        let total = Destination.total(word)
        let lower = lowerThreshold
        let upper = upperThreshold
        let ends: Bool
        if lower != 0 {
            ends = total < UInt64(lower)
        } else if upper != 0 {
            ends = total * 4 < UInt64(upper) * 3
        } else {
            ends = true
        }
        if ends, isOverloaded {
            unsafe load.pointee.overloaded.store(0, ordering: .relaxed)
        }
    }

    private static func total(_ word: UInt64) -> UInt64 {
        (word >> 32) + (word & 0xffff_ffff)
    }
}
