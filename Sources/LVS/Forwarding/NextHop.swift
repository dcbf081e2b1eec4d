import Synchronization

/// Slot number of a next hop; stable for the life of the director.
package typealias NextHopIndex = UInt16

/// What the neighbour behind a next hop slot is at the moment: one atomic word.
package struct NextHopWord: Hashable, Sendable {
    package var rawValue: UInt64

    /// How a packet gets on from here.
    package enum Kind: UInt64, Sendable {
        /// No route at all, a refusing one, or one by an interface that is not served.
        case noRoute = 0
        /// The neighbour's hardware address is not known (yet).
        case unresolved = 1
        case resolved = 2
        /// The destination is an address of the host itself.
        case local = 3
    }

    init(kind: Kind, port: PortIndex = 0, hardware: HardwareAddress? = nil) {
        rawValue =
            (hardware?.wireWord ?? 0) | (kind.rawValue << 14 | UInt64(port & 0x3fff)) << 48
    }

    init(rawValue: UInt64) { self.rawValue = rawValue }

    package var kind: Kind { Kind(rawValue: rawValue >> 62) ?? .noRoute }
    package var isResolved: Bool {
        @inline(__always) get { rawValue >> 62 == Kind.resolved.rawValue }
    }
    package var port: PortIndex {
        @inline(__always) get { PortIndex(truncatingIfNeeded: rawValue >> 48) & 0x3fff }
    }
    package var hardware: HardwareAddress { HardwareAddress(wireWord: rawValue) }
}

extension HardwareAddress {
    /// The address as the low six bytes of a little-endian number in wire order.
    var wireWord: UInt64 { value.byteSwapped >> 16 }

    init(wireWord: UInt64) { self.init(value: (wireWord << 16).byteSwapped) }
}

/// A next hop: one cache line that never moves.
///
/// ```
///  0  word: MAC in wire order 48 | port 14 | kind 2    atomic
///  8  source MAC of the port in wire order, low 48     atomic
/// 16  MTU of route and port, 32 | claim 32        atomic words
/// 24  port 16 | route MTU 32 at 28
/// 32  address of the neighbour
/// 48  preferred source address, `::` for none
/// ```
@safe
package struct NextHop: @unchecked Sendable {
    static let bytes = 64

    let line: UnsafeMutableRawPointer

    private func wide(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe (line + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    private func narrow(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt32>> {
        unsafe (line + offset).assumingMemoryBound(to: Atomic<UInt32>.self)
    }

    package var word: NextHopWord {
        @inline(__always) get {
            unsafe NextHopWord(rawValue: wide(0).pointee.load(ordering: .acquiring))
        }
        nonmutating set { unsafe wide(0).pointee.store(newValue.rawValue, ordering: .releasing) }
    }

    /// Hardware address of the port that frames leave by.
    package var sourceHardware: HardwareAddress {
        get { HardwareAddress(wireWord: unsafe wide(8).pointee.load(ordering: .relaxed)) }
        nonmutating set { unsafe wide(8).pointee.store(newValue.wireWord, ordering: .relaxed) }
    }

    /// Longest IP packet that goes this way, bytes.
    package var mtu: UInt32 {
        @inline(__always) get { unsafe narrow(16).pointee.load(ordering: .relaxed) }
        nonmutating set { unsafe narrow(16).pointee.store(newValue, ordering: .relaxed) }
    }

    /// 0 free, 1 being claimed, 2 in use; see `NextHopTable.slot`.
    var claim: UnsafeMutablePointer<Atomic<UInt32>> { unsafe narrow(20) }

    /// Source address of packets the director makes itself for this way; nil when the routes name
    /// none.
    package var preferredSource: IPAddress? {
        let source = unsafe IPAddress(high: line.le64(48), low: line.le64(56))
        return source == .anyV6 ? nil : source
    }

    package var address: IPAddress {
        unsafe IPAddress(high: line.le64(32), low: line.le64(40))
    }

    package var port: PortIndex { unsafe line.le16(24) }

    /// MTU of the route itself, 0 for none.
    var routeMTU: UInt32 { unsafe line.le32(28) }

    func describe(_ way: RouteTable.Way) {
        unsafe line.set(24, le16: way.port)
        unsafe line.set(28, le32: way.mtu)
        unsafe line.set(32, le64: way.neighbour.high)
        unsafe line.set(40, le64: way.neighbour.low)
        unsafe line.set(48, le64: way.preferredSource.high)
        unsafe line.set(56, le64: way.preferredSource.low)
    }

    func matches(_ way: RouteTable.Way) -> Bool {
        let source = preferredSource ?? .anyV6
        return port == way.port && address == way.neighbour && routeMTU == way.mtu
            && source == way.preferredSource
    }

    /// Writes destination and source of the Ethernet header.
    @inline(__always)
    func writeHardware(_ word: NextHopWord, _ bytes: UnsafeMutableRawPointer) {
        let source = unsafe wide(8).pointee.load(ordering: .relaxed)
        // Eight bytes at once: the last two of the first store are overwritten by the next ones.
        unsafe bytes.set(0, le64: word.rawValue)
        unsafe bytes.set(6, le32: UInt32(truncatingIfNeeded: source))
        unsafe bytes.set(10, le16: UInt16(truncatingIfNeeded: source >> 32))
    }
}
