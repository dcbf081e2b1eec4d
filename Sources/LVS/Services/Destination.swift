import Synchronization

/// Stable number of a destination: it survives edits, deletion and revival of its server.
package typealias DestinationIndex = UInt16

/// A real server as workers see it: a view of two fixed places in memory that never move.
///
/// ```
/// face  availability, next hop, last weight, thresholds, method, address: a cache line of its own,
///       written by the housekeeper only (read per packet)
/// load  connection counts, weight and overload: 16 bytes, all that schedulers compare (`ServerLoad`)
/// ```
/// Counts are shared words moved by whoever won a connection's state change (architecture, section 6).
@safe
package struct Destination: @unchecked Sendable {
    /// The number that means "no destination".
    package static let none: DestinationIndex = .max

    /// What packets read; see `Destination`.
    struct Face: ~Copyable {
        let available = Atomic<UInt32>(0)
        let nextHop = Atomic<UInt16>(NextHopTable.noRoute)
        let lastWeight = Atomic<Int32>(0)
        let upperThreshold = Atomic<UInt32>(0)
        let lowerThreshold = Atomic<UInt32>(0)
        let method = Atomic<UInt8>(0)
        let encapsulation = Atomic<UInt32>(0)
        let port: UInt16
        let number: DestinationIndex
        let address: IPAddress
    }

    private let face: UnsafeMutablePointer<Face>
    private let load: UnsafeMutablePointer<ServerLoad.Words>

    init(face: UnsafeMutablePointer<Face>, load: UnsafeMutablePointer<ServerLoad.Words>) {
        unsafe self.face = face
        unsafe self.load = load
    }

    /// Prepares the memory for a server; the housekeeper, before anyone else knows the number.
    package func start(number: DestinationIndex, address: IPAddress, port: UInt16) {
        unsafe face.initialize(to: Face(port: port, number: number, address: address))
        unsafe load.initialize(to: ServerLoad.Words())
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
    package var isAvailable: Bool { availability != 0 }
    /// `isAvailable` as a number, 1 or 0.
    var availability: UInt32 { unsafe face.pointee.available.load(ordering: .relaxed) }
    package var weight: Int32 { current.weight }
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

    /// What schedulers compare, at this moment.
    var current: ServerLoad {
        @inline(__always) get { unsafe ServerLoad(load) }
    }
    /// Connections in an active state (ipvs-semantics 4.4).
    package var active: UInt32 { UInt32(current.active) }
    package var inactive: UInt32 { UInt32(current.inactive) }
    /// Persistence templates that point here.
    package var persistent: UInt32 { unsafe load.pointee.persistent.load(ordering: .relaxed) }
    package var isOverloaded: Bool { current.isOverloaded }
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
        setWeight(server.weight)
        if server.weight != 0 {
            unsafe face.pointee.lastWeight.store(server.weight, ordering: .relaxed)
        }
        unsafe face.pointee.method.store(server.method.rawValue, ordering: .relaxed)
        unsafe face.pointee.encapsulation.store(
            Encapsulation(server.tunnel).word, ordering: .relaxed)
        unsafe face.pointee.upperThreshold.store(server.upperThreshold, ordering: .relaxed)
        unsafe face.pointee.lowerThreshold.store(server.lowerThreshold, ordering: .relaxed)
        if server.upperThreshold == 0 || server.upperThreshold > old {
            setOverloaded(false)
        }
    }

    /// Becomes like a server of another director, with its loads and thresholds.
    func take(_ server: RealServer, _ other: Destination) {
        configure(server)
        unsafe face.pointee.lastWeight.store(other.lastWeight, ordering: .relaxed)
        unsafe load.pointee.connections.store(
            other.load.pointee.connections.load(ordering: .relaxed), ordering: .relaxed)
        unsafe load.pointee.ability.store(
            other.load.pointee.ability.load(ordering: .relaxed), ordering: .relaxed)
        unsafe load.pointee.persistent.store(other.persistent, ordering: .relaxed)
        setAvailable(other.isAvailable)
    }

    /// Counts what a table that was adopted has of the server.
    func takeOver(_ tally: ServerTally) {
        let connections =
            UInt64(tally.active) &* ServerLoad.oneActive
            &+ UInt64(tally.inactive) &* ServerLoad.oneInactive
        unsafe load.pointee.connections.store(connections, ordering: .relaxed)
        unsafe load.pointee.persistent.store(tally.templates, ordering: .relaxed)
    }

    /// Changes the weight and leaves the overload flag beside it as workers set it.
    private func setWeight(_ weight: Int32) {
        var old = unsafe load.pointee.ability.load(ordering: .relaxed)
        while true {
            let new = UInt32(bitPattern: weight) | old & ServerLoad.overloaded
            let result = unsafe load.pointee.ability.compareExchange(
                expected: old, desired: new, ordering: .relaxed)
            if result.exchanged { return }
            old = result.original
        }
    }

    // MARK: Connections

    /// Counts a new connection, which begins as an inactive one.
    package func bind() {
        flagOverload(
            unsafe load.pointee.connections.wrappingAdd(ServerLoad.oneInactive, ordering: .relaxed)
                .newValue)
    }

    /// Takes a destroyed connection off the counts.
    package func unbind(active: Bool) {
        let one = active ? ServerLoad.oneActive : ServerLoad.oneInactive
        clearOverload(
            unsafe load.pointee.connections.wrappingSubtract(one, ordering: .releasing).newValue)
    }

    /// Moves a connection from the inactive count to the active one.
    package func becameActive() {
        unsafe load.pointee.connections.wrappingAdd(
            ServerLoad.oneActive - ServerLoad.oneInactive, ordering: .relaxed)
    }

    /// Moves a connection from the active count to the inactive one.
    package func becameInactive() {
        unsafe load.pointee.connections.wrappingSubtract(
            ServerLoad.oneActive - ServerLoad.oneInactive, ordering: .relaxed)
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
        if upper != 0, ServerLoad.total(word) >= UInt64(upper) { setOverloaded(true) }
    }

    /// Overload ends when an unbind passes below the lower threshold, or below three quarters of
    /// the upper one where there is no lower (ipvs-semantics 7).
    private func clearOverload(_ word: UInt64) {
        guard isOverloaded else { return }
        let total = ServerLoad.total(word)
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
        if ends { setOverloaded(false) }
    }

    private func setOverloaded(_ value: Bool) {
        if value {
            unsafe load.pointee.ability.bitwiseOr(ServerLoad.overloaded, ordering: .relaxed)
        } else {
            unsafe load.pointee.ability.bitwiseAnd(~ServerLoad.overloaded, ordering: .relaxed)
        }
    }
}
