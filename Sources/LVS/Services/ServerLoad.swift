import Synchronization

/// What schedulers compare of a server: its connections, its weight, and whether it is overloaded.
///
/// Both words of memory are made for comparing a thousand servers in a microsecond: the load of lc
/// and wlc is a shift away, and a server that cannot be chosen has a negative or no weight.
struct ServerLoad {
    /// The 16 bytes of one server that connections write, laid out as `lvs_server_load` of the
    /// intrinsics; views of them are `Destination`.
    struct Words: ~Copyable {
        /// The overhead (see `ServerLoad.overhead`) in the upper 36 bits, the active connections in
        /// the lower 28, so that an active and an inactive connection are one addition each.
        let connections = Atomic<UInt64>(0)
        /// The weight; the top bit says that the server is overloaded.
        let ability = Atomic<UInt32>(0)
        let persistent = Atomic<UInt32>(0)
    }

    /// Most connections that one server can count as active.
    static let mostActive = 1 << ServerLoad.activeBits - 1
    static let overloaded: UInt32 = 1 << 31

    private static let activeBits: UInt64 = 28
    /// What one connection adds to the first word.
    static let oneInactive: UInt64 = 1 << activeBits
    static let oneActive: UInt64 = 256 << activeBits | 1

    private let connections: UInt64
    /// Above 0 when the server may be chosen: it has weight and is not overloaded (ipvs-semantics
    /// 2.1); the weight is then this number.
    let ability: Int32

    @inline(__always)
    init(_ words: UnsafeMutablePointer<Words>) {
        unsafe connections = words.pointee.connections.load(ordering: .relaxed)
        unsafe ability = Int32(bitPattern: words.pointee.ability.load(ordering: .relaxed))
    }

    var isEligible: Bool { @inline(__always) get { ability > 0 } }
    var isOverloaded: Bool { @inline(__always) get { ability < 0 } }
    var weight: Int32 { @inline(__always) get { ability & .max } }

    /// Load as lc and wlc count it: an active connection weighs as much as 256 inactive ones.
    var overhead: Int64 {
        @inline(__always) get { Int64(truncatingIfNeeded: connections &>> ServerLoad.activeBits) }
    }
    /// Connections in an active state (ipvs-semantics 4.4).
    var active: Int64 {
        @inline(__always) get {
            Int64(truncatingIfNeeded: connections & (ServerLoad.oneInactive &- 1))
        }
    }
    var inactive: Int64 { overhead &- active &* 256 }
    /// Active connections if the server took the next one, as sed and nq count load.
    var expected: Int64 { @inline(__always) get { active &+ 1 } }

    /// Active and inactive connections of a first word.
    static func total(_ connections: UInt64) -> UInt64 {
        connections &>> activeBits &- (connections & (oneInactive &- 1)) &* 255
    }
}
